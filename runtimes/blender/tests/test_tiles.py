"""Tiles of a frame, rendered alone and joined: the same frame to the last bit, and nothing else."""

import shutil

import numpy as np
import OpenEXR
import pytest
from conftest import Session, make_scene

import exr
import pixels
from exr_write import ExrWriter

SIZE = (320, 200)
COLUMNS, ROWS = (0, 64, 192, 320), (0, 128, 200)
PLACES = [(x, y, right - x, bottom - y) for y, bottom in zip(ROWS, ROWS[1:]) for x, right in zip(COLUMNS, COLUMNS[1:])]
LARGE = f"\ns.render.resolution_x, s.render.resolution_y = {SIZE}\n"
FOG = """
world = s.world; world.use_nodes = True
fog = world.node_tree.nodes.new('ShaderNodeVolumeScatter'); fog.inputs['Density'].default_value = 0.05
world.node_tree.links.new(fog.outputs['Volume'], next(n for n in world.node_tree.nodes if n.bl_idname == 'ShaderNodeOutputWorld').inputs['Volume'])
"""
SCENES = {
    "plain": "",
    "adaptive": "s.cycles.use_adaptive_sampling = True; s.cycles.samples = 32; s.cycles.adaptive_min_samples = 4; s.cycles.adaptive_threshold = 0.1",
    "layers": "s.view_layers[0].use_pass_normal = s.view_layers[0].use_pass_diffuse_color = True\ns.cycles.use_denoising = True",
    "two eyes": "s.render.use_multiview = True\ns.view_layers[0].use_pass_z = True",
    "panorama": "s.camera.data.type = 'PANO'; s.camera.data.panorama_type = 'EQUIRECTANGULAR'",
    "fog": FOG,
}


def tile(session, place, index, **more):
    return session.run(kind="render_tile", frame=2, tile=dict(zip("xywh", place)), name=f"frame_0002_tile_{index:02}.exr", **more)


def parts_of(tiles):
    return [{**dict(zip("xywh", place)), "file": str(result["out"] / f"frame_0002_tile_{i:02}.exr")} for i, (place, result) in enumerate(zip(PLACES, tiles))]


def stitched(bare, parts, channels=4, **more):
    return bare.run(**{"kind": "stitch", "frame": 2, "width": SIZE[0], "height": SIZE[1], "channels": channels, "parts": parts, **more})


@pytest.fixture(scope="module", params=list(SCENES))
def made(request, room, bare):
    """The whole frame, its tiles, and what they are joined to; with the session that made them."""
    folder = room / f"tiles {request.param}"
    session = Session(folder / "session", make_scene(folder / "scene.blend", LARGE + SCENES[request.param]))
    whole = session.run(kind="render", frame=2)
    tiles = [tile(session, place, index) for index, place in enumerate(PLACES)]
    yield whole, tiles, stitched(bare, parts_of(tiles), len(whole["channels"])), session
    session.down()


def test_joined_tiles_are_the_frame(made, bare):
    whole, tiles, joined, _ = made
    assert joined["channels"] == whole["channels"] and (joined["width"], joined["height"]) == SIZE
    a, names = exr.read_exr(whole["out"] / "frame_0002.exr", SIZE)
    b, _ = exr.read_exr(joined["out"] / "frame_0002.exr", SIZE)
    assert (a == b).all(), pixels.distance(a, b, names)
    assert (joined["out"] / "frame_0002.tiles").read_bytes() == (whole["out"] / "frame_0002.tiles").read_bytes()
    for place, result, index in zip(PLACES, tiles, range(len(PLACES))):
        x, y, w, h = place
        assert (result["out"] / f"frame_0002_tile_{index:02}.tiles").read_bytes() == pixels.tile_file(np.ascontiguousarray(a[y : y + h, x : x + w]))
    same = bare.run(
        kind="compare_frames", claim=str(joined["out"] / "frame_0002.exr"), tiles=str(joined["out"] / "frame_0002.tiles"),
        other_tiles=str(whole["out"] / "frame_0002.tiles"), width=SIZE[0], height=SIZE[1], channels=len(joined["channels"]),
    )
    assert (same["fault"], same["equal"], same["max_diff"]) == (None, 1.0, 0)


def test_others_read_the_joined_frame_and_its_picture_is_the_same(made):
    whole, _, joined, session = made
    ours, names = exr.read_exr(joined["out"] / "frame_0002.exr", SIZE)
    theirs = OpenEXR.File(str(joined["out"] / "frame_0002.exr"), separate_channels=True)
    assert all((theirs.channels()[name].pixels == ours[..., i]).all() for i, name in enumerate(names))
    views = OpenEXR.File(str(whole["out"] / "frame_0002.exr")).header().get("multiView")
    assert theirs.header().get("multiView") == views
    pictures = [session.run(kind="finish", frame=2, exr=str(frame["out"] / "frame_0002.exr")) for frame in (whole, joined)]
    assert pictures[0]["sha256"] == pictures[1]["sha256"]


@pytest.fixture(scope="module")
def plain(room, bare):
    session = Session(room / "tiles plain once" / "session", make_scene(room / "tiles plain once" / "scene.blend", LARGE))
    tiles = [tile(session, place, index) for index, place in enumerate(PLACES)]
    yield session, tiles
    session.down()


def test_parts_that_are_no_frame_are_refused(plain, bare, tmp_path):
    parts = parts_of(plain[1])
    assert "do not cover" in stitched(bare, parts[:-1])
    assert "do not cover" in stitched(bare, [*parts, parts[0]])
    assert "multiples of 64" in stitched(bare, [{**parts[0], "w": 63}, *parts[1:]])
    assert "wrong_size" in stitched(bare, [{**parts[0], "file": parts[1]["file"]}, *parts[1:]])
    assert "bad_file" in stitched(bare, parts, channels=7)
    assert "bad_request" in stitched(bare, [])
    assert "bad_request" in stitched(bare, parts * 64)
    assert "bad_request" in stitched(bare, [{**parts[0], "x": "0"}, *parts[1:]])
    cut = tmp_path / "cut.exr"
    shutil.copy(parts[0]["file"], cut)
    cut.write_bytes(cut.read_bytes()[:-100])
    assert "bad_file" in stitched(bare, [{**parts[0], "file": str(cut)}, *parts[1:]])
    image, _ = exr.read_exr(parts[0]["file"])
    with ExrWriter(tmp_path / "odd.exr", (image.shape[1], image.shape[0]), ["A", "B", "G", "Z"]) as odd:
        odd.band(image)
    assert "different channels" in stitched(bare, [{**parts[0], "file": str(tmp_path / "odd.exr")}, *parts[1:]])


@pytest.mark.parametrize("name", ["../x.exr", "/x.exr", ".exr", "x.png", "", 7, "a/b.exr", "x" * 80 + ".exr"])
def test_names_of_tiles_are_plain(plain, name):
    answer = plain[0].run(kind="render_tile", frame=2, tile=dict(zip("xywh", PLACES[0])), name=name)
    assert "bad_request" in answer
    assert "bad_request" in plain[0].run(kind="render_tile", frame=2, tile={"x": 300, "y": 0, "w": 64, "h": 64}, name="a.exr")


def test_another_frame_is_told_from_the_joined_one(plain, bare, tmp_path):
    session, tiles = plain
    joined = stitched(bare, parts_of(tiles))
    other = stitched(bare, parts_of([tile(session, PLACES[0], 0, samples=2), *tiles[1:]]))
    asked = {"kind": "compare_frames", "width": SIZE[0], "height": SIZE[1], "channels": 4}

    def compared(claim, tiles, others):
        return bare.run(**asked, claim=str(claim / "frame_0002.exr"), tiles=str(tiles / "frame_0002.tiles"), other_tiles=str(others / "frame_0002.tiles"))

    found = compared(joined["out"], joined["out"], other["out"])
    assert found["fault"] is None and 0 < found["equal"] < 1 and found["max_diff"] == 255
    lied = compared(joined["out"], other["out"], other["out"])
    assert (lied["fault"], lied["side"]) == ("tiles_mismatch", "a")
    (tmp_path / "frame_0002.tiles").write_bytes(b"TTIL1\0")
    torn = compared(joined["out"], joined["out"], tmp_path)
    assert (torn["fault"], torn["side"]) == ("tiles_mismatch", "b")
