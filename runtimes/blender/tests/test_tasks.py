"""Every kind of task on a small scene, through the real programs."""

import json
import shutil
import struct
import subprocess
import sys
import time

import numpy as np
import OpenEXR
import pytest
from conftest import Session, make_scene, python

import decoded
import exr
import pixels

CROPS = [{"x": 60, "y": 30, "w": 40, "h": 33}, {"x": 0, "y": 0, "w": 17, "h": 19}, {"x": 141, "y": 70, "w": 19, "h": 20}, {"x": 79, "y": 44, "w": 1, "h": 1}]


def files(result):
    return [str(result["out"] / crop["file"]) for crop in result["crops"]]


def claim_of(frame, crops=()):
    return {
        "kind": "compare", "claim": str(frame["out"] / frame["exr"]), "tiles": str(frame["out"] / frame["tiles"]),
        "width": frame["width"], "height": frame["height"], "crops": list(crops),
    }


def with_files(result):
    return [{**{k: crop[k] for k in "xywh"}, "file": file} for crop, file in zip(result["crops"], files(result))]


def test_render_writes_what_openexr_reads(frame):
    assert (frame["width"], frame["height"], frame["samples"], frame["channels"]) == (160, 90, 8, list("ABGR"))
    file = frame["out"] / "frame_0002.exr"
    ours, names = exr.read_exr(file, (160, 90), 4)
    theirs = OpenEXR.File(str(file), separate_channels=True).channels()
    assert all((theirs[name].pixels == ours[..., i]).all() for i, name in enumerate(names))
    assert ours[..., 1:].std() > 0.01
    assert (frame["out"] / "frame_0002.tiles").read_bytes() == pixels.tile_file(ours)


def test_same_pixels_again_and_on_one_thread(room, scene, session, frame):
    single = Session(room / "single", scene, threads=1)
    try:
        tiles = [(result["out"] / "frame_0002.tiles").read_bytes() for result in (frame, session.run(kind="render", frame=2), single.run(kind="render", frame=2))]
    finally:
        single.down()
    assert tiles[0] == tiles[1] == tiles[2]
    other = session.run(kind="render", frame=3)
    assert (other["out"] / "frame_0003.tiles").read_bytes() != tiles[0]


def test_crops_are_cuts_of_the_frame(session, bare, frame):
    crops = session.run(kind="crops", frame=2, crops=CROPS)
    result = bare.run(**claim_of(frame, with_files(crops)))
    assert result["ok"] and result["fault"] is None
    assert [crop["equal"] for crop in result["crops"]] == [1.0] * 4
    assert [crop["pixels"] for crop in result["crops"]] == [1320, 323, 380, 1]


def test_overrides_apply_and_do_not_leak(session, frame):
    small = session.run(kind="render", frame=2, width=80, height=44, samples=2, seed=9)
    assert (small["width"], small["height"], small["samples"]) == (80, 44, 2)
    again = session.run(kind="render", frame=2)
    assert (again["out"] / "frame_0002.tiles").read_bytes() == (frame["out"] / "frame_0002.tiles").read_bytes()


@pytest.mark.parametrize("cheat", [{"samples": 7}, {"seed": 1}, {"frame": 1}])
def test_cheats_differ_at_the_crops(session, bare, cheat):
    claim = session.run(**{"kind": "render", "frame": 2, **cheat})
    crops = session.run(kind="crops", frame=2, crops=CROPS[:1])
    measured = bare.run(**claim_of(claim, with_files(crops)))["crops"][0]
    assert measured["over_1e3"] > 0.1, measured


def test_adaptive_crops_agree(room, bare):
    scene = make_scene(room / "adaptive" / "scene.blend", "s.cycles.use_adaptive_sampling = True; s.cycles.samples = 64; s.cycles.adaptive_threshold = 0.05\n", compress=True)
    made = Session(room / "adaptive-session", scene)
    try:
        whole, crops = made.run(kind="render", frame=2), made.run(kind="crops", frame=2, crops=CROPS)
    finally:
        made.down()
    measured = bare.run(**claim_of(whole, with_files(crops)))["crops"]
    assert all(crop["over_1e3"] <= 0.01 for crop in measured), measured


def test_crops_in_fog_agree(room, bare):
    fog = (
        "m = bpy.data.materials.new('fog'); m.use_nodes = True; n = m.node_tree.nodes; n.remove(n['Principled BSDF']); v = n.new('ShaderNodeVolumeScatter')\n"
        "v.inputs['Density'].default_value = 0.1; m.node_tree.links.new(v.outputs[0], n['Material Output'].inputs['Volume'])\n"
        "bpy.ops.mesh.primitive_cube_add(size=7); bpy.context.object.data.materials.append(m)\n"
    )
    made = Session(room / "fog-session", make_scene(room / "fog" / "scene.blend", fog))
    try:
        whole, crops = made.run(kind="render", frame=2), made.run(kind="crops", frame=2, crops=CROPS)
    finally:
        made.down()
    measured = bare.run(**claim_of(whole, with_files(crops)))["crops"]
    assert all(crop["equal"] == 1.0 for crop in measured), measured


def write(path, image):
    OpenEXR.File({"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}, {n: np.ascontiguousarray(image[..., i]) for i, n in enumerate("ABGR")}).write(str(path))


def test_compare_names_every_fault(bare, frame, tmp_path):
    claim = claim_of(frame)
    image, _ = exr.read_exr(claim["claim"])
    assert bare.run(**{**claim, "width": 161})["fault"] == "wrong_size"
    assert bare.run(**{**claim, "claim": claim["tiles"]})["fault"] == "bad_file"
    assert bare.run(**{**claim, "claim": str(tmp_path / "none.exr")})["fault"] == "bad_file"
    for name, value in (("nan", np.nan), ("inf", np.inf)):
        broken = image.copy()
        broken[40, 50, 2] = value
        write(tmp_path / f"{name}.exr", broken)
        assert bare.run(**{**claim, "claim": str(tmp_path / f"{name}.exr")})["fault"] == "nan"
    one = image.copy()
    one[3, 3, 3] = np.nextafter(one[3, 3, 3], np.float32(9))
    write(tmp_path / "one.exr", one)
    assert bare.run(**{**claim, "claim": str(tmp_path / "one.exr")})["fault"] == "tiles_mismatch"
    assert bare.run(**{**claim, "tiles": claim["claim"]})["fault"] == "tiles_mismatch"
    (tmp_path / "bad.f32").write_bytes(b"TCRP1\0" + struct.pack("<3I", 2, 2, 4) + bytes(63))
    crop = {"x": 0, "y": 0, "w": 2, "h": 2, "file": str(tmp_path / "bad.f32")}
    assert bare.run(**{**claim, "crops": [crop]})["fault"] == "crop_malformed"
    assert bare.run(**claim)["ok"]


def test_compare_crops(session, bare):
    a, b = (session.run(kind="crops", frame=2, crops=CROPS[:2], **more) for more in ({}, {"seed": 4}))
    same = bare.run(kind="compare_crops", a=files(a), b=files(a))
    assert same["ok"] and [crop["equal"] for crop in same["crops"]] == [1.0, 1.0]
    assert bare.run(kind="compare_crops", a=files(a), b=files(b))["crops"][0]["over_1e3"] > 0.1
    assert bare.run(kind="compare_crops", a=files(a), b=files(a)[::-1])["fault"] == "crop_malformed"


def test_finish_is_blenders_own_picture(room, scene, session, bare, frame, tmp_path):
    made = session.run(kind="finish", frame=2, exr=str(frame["out"] / frame["exr"]))
    again = session.run(kind="finish", frame=2, exr=str(frame["out"] / frame["exr"]))
    assert made["sha256"] == again["sha256"]
    direct = tmp_path / "direct.png"
    python(
        "import bpy, sys; bpy.ops.wm.open_mainfile(filepath=sys.argv[1]); s = bpy.context.scene; s.frame_set(2)\n"
        "i = s.render.image_settings; i.file_format = 'PNG'; i.color_mode = 'RGB'; s.render.filepath = sys.argv[2]\n"
        "bpy.ops.render.render(write_still=True)", scene, direct,
    )
    compared = bare.run(kind="compare_images", a=str(made["out"] / "frame_0002.png"), b=str(direct))
    assert compared["ok"] and compared["max_diff"] <= 1.0, compared
    garbage = tmp_path / "garbage.png"
    shutil.copy(direct, garbage)
    session.run(kind="render", frame=2, seed=3)
    dark = session.run(kind="render", frame=2, samples=1)
    other = session.run(kind="finish", frame=2, exr=str(dark["out"] / dark["exr"]))
    differs = bare.run(kind="compare_images", a=str(made["out"] / "frame_0002.png"), b=str(other["out"] / "frame_0002.png"))
    assert differs["equal"] < 0.9 and differs["max_diff"] > 1
    garbage.write_bytes(direct.read_bytes()[:300])
    assert bare.run(kind="compare_images", a=str(direct), b=str(garbage))["side"] == "b"
    assert bare.run(kind="compare_images", a=str(direct), b=str(direct), width=90, height=90)["fault"] == "wrong_size"


def test_finish_refuses_another_size(session):
    small = session.run(kind="render", frame=2, width=80, height=44)
    line = session.run(kind="finish", frame=2, exr=str(small["out"] / small["exr"]))
    assert line.startswith("tatau_error: wrong_size ")


def test_video_is_deterministic(session, bare):
    pictures = []
    for number in (1, 2, 3):
        frame = session.run(kind="render", frame=number)
        made = session.run(kind="finish", frame=number, exr=str(frame["out"] / frame["exr"]))
        pictures.append(str(made["out"] / made["png"]))
    first, second = (bare.run(kind="video", fps=24, pngs=pictures) for _ in range(2))
    assert first["sha256"] == second["sha256"] and (first["frames"], first["width"], first["height"]) == (3, 160, 90)
    a, b = str(first["out"] / "video.mp4"), str(second["out"] / "video.mp4")
    assert bare.run(kind="compare_video", a=a, b=b) | {"out": 0} == {
        "kind": "compare_video", "ok": True, "fault": None, "sentence": None, "side": None, "frames": 3,
        "pixels": 3 * 160 * 90 * 3 // 2, "equal": 1.0, "max_diff": 0.0, "out": 0,
    }
    shorter = bare.run(kind="video", fps={"num": 30000, "den": 1001}, pngs=pictures[:2])
    assert bare.run(kind="compare_video", a=a, b=str(shorter["out"] / "video.mp4"))["fault"] == "wrong_size"
    assert bare.run(kind="compare_video", a=a, b=pictures[0])["side"] == "b"
    with decoded.open_video(a) as box:
        shown = [frame.to_ndarray(format="rgb24") for frame in box.decode(video=0)]
        assert box.streams.video[0].average_rate == 24
    assert np.abs(shown[1].astype(int) - decoded.read_png(pictures[1])).mean() < 8  # the colours survive


def test_benchmark_is_auditable(bare):
    wanted = {"seed": 77, "width": 64, "height": 64, "samples": 2}
    made = bare.run(kind="benchmark", **wanted)
    assert (made["frame"], made["seed"], made["exr"]) == (1, 77, "frame_0001.exr")
    crops = bare.run(kind="crops", benchmark=wanted, crops=[{"x": 20, "y": 30, "w": 16, "h": 16}])
    assert bare.run(**claim_of(made, with_files(crops)))["crops"][0]["equal"] == 1.0
    other = bare.run(kind="crops", benchmark={**wanted, "seed": 78}, crops=[{"x": 20, "y": 30, "w": 16, "h": 16}])
    assert bare.run(**claim_of(made, with_files(other)))["crops"][0]["over_1e3"] > 0.5


@pytest.mark.parametrize(
    "request_, code",
    [
        ({"kind": "dance"}, "bad_request"), ({"kind": ["render"]}, "bad_request"), ({"kind": "render"}, "bad_request"),
        ({"kind": "render", "frame": 1 << 40}, "bad_request"), ({"kind": "render", "frame": True}, "bad_request"),
        ({"kind": "render", "frame": 1, "samples": 0}, "bad_request"), ({"kind": "crops", "frame": 1, "crops": []}, "bad_request"),
        ({"kind": "crops", "frame": 1, "crops": [{"x": 0, "y": 0, "w": 1, "h": 1}] * 65}, "bad_request"),
        ({"kind": "crops", "frame": 1, "crops": [{"x": 159, "y": 0, "w": 2, "h": 1}]}, "bad_request"),
        ({"kind": "finish", "frame": 1, "exr": "/nowhere.exr"}, "bad_file"), ({"kind": "video", "fps": 0, "pngs": ["/a.png"]}, "bad_request"),
        ({"kind": "benchmark", "seed": 1, "width": 64, "height": 64, "samples": 1}, "bad_request"),
    ],
)
def test_bad_requests_get_one_sentence(session, request_, code):
    line = session.run(**request_)
    assert isinstance(line, str) and line.startswith(f"tatau_error: {code} ") and line.endswith("."), line


def test_deep_and_large_requests(bare, tmp_path):
    for text in ('{"kind":' + "[" * 40 + "]" * 40 + "}", '{"kind":"' + "x" * (1 << 20) + '"}', "not json", "[1]", '{"kind":' * 100_000):
        (tmp_path / "r.json").write_text(text)
        done = bare.call("run.py", tmp_path / "r.json", "--out", tmp_path / "o")
        assert done.returncode == 1 and done.stdout.startswith("tatau_error: bad_request "), done.stdout
    assert bare.call("run.py").returncode == 1
    assert bare.run(kind="render", frame=1).startswith("tatau_error: no_scene ")


def test_down_ends_the_process_and_may_be_repeated(room, alive):
    made = Session(room / "brief", None)
    process = int((made.folder / "blender.pid").read_text())
    assert alive(process)
    assert made.down().returncode == 0 and not alive(process)
    started = time.monotonic()
    assert made.down().returncode == 0 and time.monotonic() - started < 2
    assert made.run(kind="video", fps=1, pngs=["/a"]).startswith("tatau_error: not_started ")


def test_a_renderer_that_dies_is_said(room):
    made = Session(room / "killed", None)
    process = int((made.folder / "blender.pid").read_text())
    (made.folder / "r.json").write_text(json.dumps({"kind": "benchmark", "seed": 1, "width": 512, "height": 512, "samples": 4096}))
    running = subprocess.Popen(
        [sys.executable, "-SE", str(pixels.__file__).replace("pixels.py", "run.py"), "r.json", "--out", "o"], cwd=made.folder,
        env=made.environment, stdout=subprocess.PIPE, text=True,
    )
    assert running.stdout.readline().startswith("openjd_progress: ")  # it renders
    subprocess.run(["kill", "-9", str(process)], check=True)
    assert "tatau_error: renderer_died " in running.communicate(timeout=20)[0]
    assert running.returncode == 1
