"""Files of strangers: damaged, foreign, newer, with scripts, with missing parts; and what the inspection says of them."""

import gzip
import os
import re
import shutil

import pytest
from conftest import Session, make_scene, python

IMAGE = """
import os
def picture(path):
    made = bpy.data.images.new(os.path.basename(path), 8, 8)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    made.filepath_raw, made.file_format = path, 'PNG'
    made.save()
    bpy.data.images.remove(made)
def textured(path):
    tree = bpy.data.materials['Material'].node_tree
    node = tree.nodes.new('ShaderNodeTexImage')
    node.image = bpy.data.images.load(path) if os.path.exists(path) else bpy.data.images.new('gone', 8, 8)
    node.image.source, node.image.filepath = 'FILE', path
    tree.links.new(node.outputs[0], tree.nodes['Principled BSDF'].inputs[0])
    return node
here = os.path.dirname(sys.argv[1])
"""


def opened(room, name, change="", **more):
    return Session(room / f"{name}-session", make_scene(room / name / "scene.blend", change, **more))


def inspected(room, name, change="", **request):
    made = opened(room, name, change)
    try:
        assert made.up.returncode == 0, made.up.stdout
        return made.run(kind="inspect", **request)
    finally:
        made.down()


def codes(report):
    return [refusal["code"] for refusal in report["refusals"]]


@pytest.mark.parametrize("case", ["text", "empty", "png", "gzip", "zstd", "missing", "folder"])
def test_what_is_no_blend(room, case):
    folder = room / f"no-{case}"
    folder.mkdir()
    file = folder / "x.blend"
    if case == "folder":
        file.mkdir()
    elif case != "missing":
        file.write_bytes({"text": b"hello " * 99, "empty": b"", "png": b"\x89PNG\r\n\x1a\n" * 9, "gzip": gzip.compress(b"hello" * 99), "zstd": b"\x28\xb5\x2f\xfd" + bytes(99)}[case])
    made = Session(folder / "s", file)
    assert made.up.returncode == 1
    assert made.up.stdout.startswith("tatau_error: not_blend ") and made.up.stdout.count("\n") == 1, made.up.stdout
    made.down()


@pytest.mark.parametrize("keep", [40, 3000, 60000])
def test_a_cut_blend_is_refused(room, scene, keep):
    folder = room / f"cut-{keep}"
    folder.mkdir()
    (folder / "x.blend").write_bytes(scene.read_bytes()[:keep])
    made = Session(folder / "s", folder / "x.blend")
    made.down()
    assert made.up.returncode == 1 and made.up.stdout.startswith("tatau_error: corrupt_blend "), made.up.stdout


def test_a_newer_blend_is_refused(room, scene):
    folder = room / "newer"
    folder.mkdir()
    data = bytearray(scene.read_bytes())
    assert data[:7] == b"BLENDER"
    data[:24] = re.sub(rb"v(\d+)\d", rb"v\g<1>9", bytes(data[:24]))
    (folder / "x.blend").write_bytes(data)
    made = Session(folder / "s", folder / "x.blend")
    made.down()
    assert made.up.stdout.startswith("tatau_error: newer_blend "), made.up.stdout


def test_the_small_scene_is_fine(session):
    report = session.run(kind="inspect")
    assert report["refusals"] == [] and report["files"] == [] and report["probe"] is None
    blender = python("import bpy; print(bpy.app.version_string, '{}.{}'.format(*bpy.app.version), sep=';')").split("\n")[-2].split(";")
    assert [report["blender"], report["saved_by"], report["engine"], report["camera"]] == [*blender, "CYCLES", True]
    assert (report["width"], report["height"], report["samples"], report["frame_end"], report["fps"]) == (160, 90, 8, 3, {"num": 24, "den": 1})
    again = session.run(kind="inspect")
    assert (report["out"] / "result.json").read_bytes() == (again["out"] / "result.json").read_bytes()


def test_the_probe_foretells_the_frame(session):
    probe = session.run(kind="inspect", probe=True, frames=[1, 2])["probe"]
    assert 50 < probe["memory_mib"] < 4000, "Blender, a small scene and no more"
    assert probe["frames"] == [1, 2] and len(probe["ref"]) == 2 and probe["frame_ms"] > probe["fixed_ms"] > 0
    assert session.run(kind="inspect", probe=True, frames=[]).startswith("tatau_error: bad_request ")


def test_the_factory_scene_is_refused_with_both_reasons(room):
    change = "bpy.ops.wm.read_factory_settings()\n"
    made = opened(room, "factory", change)
    report = made.run(kind="inspect", probe=True)
    assert codes(report) == ["wrong_engine"] and report["probe"] is None
    assert made.run(kind="render", frame=1).startswith("tatau_error: wrong_engine ")
    made.down()


def test_settings_that_cannot_be_audited(room):
    made = opened(room, "time-limit", "s.cycles.time_limit = 5\n")  # the other settings: examples/corpus
    assert codes(made.run(kind="inspect")) == ["time_limit"]
    assert made.run(kind="render", frame=1).startswith("tatau_error: time_limit ")
    made.down()


def test_scripts_never_run_and_are_named(room):
    mark = room / "ran"
    evil = f"open({str(mark)!r}, 'w').write('x')"
    driver = f"[open({str(mark)!r}, 'w') and 0 for i in (1,)][0]"
    change = (
        f"t = bpy.data.texts.new('evil.py'); t.write({evil!r}); t.use_module = True\n"
        f"d = cube.driver_add('location', 0).driver; d.expression = {driver!r}\n"
    )
    made = opened(room, "scripts", change)
    mark.unlink(missing_ok=True)  # saving may evaluate; loading and rendering must not
    report = made.run(kind="inspect")
    made.run(kind="render", frame=2)
    made.down()
    assert "scripts" in codes(report) and not mark.exists()


def test_files_are_found_and_missing_ones_named(room):
    change = IMAGE + (
        "picture(here + '/tex/a.png'); picture(here + '/gone/b.png')\ntextured(here + '/tex/a.png'); textured(here + '/gone/b.png')\n"
        "bpy.ops.wm.save_as_mainfile(filepath=sys.argv[1]); bpy.ops.file.make_paths_relative()\nimport shutil; shutil.rmtree(here + '/gone')\n"
    )
    made = opened(room, "files", change)
    files = made.run(kind="inspect")["files"]
    assert [(f["kind"], f["resolved"], f["path"], f["found"], f["absolute"]) for f in files] == [
        ("image", "gone/b.png", "//gone/b.png", False, False), ("image", "tex/a.png", "//tex/a.png", True, False),
    ]
    assert made.run(kind="render", frame=1).startswith("tatau_error: missing_file ")
    made.down()
    assert files[0]["bytes"] is None and files[1]["bytes"] > 0 and files[0]["from"] is None


def test_absolute_and_windows_paths_are_found_beside_the_scene(room):
    elsewhere = room / "elsewhere"
    change = IMAGE + f"picture({str(elsewhere)!r} + '/a.png'); textured({str(elsewhere)!r} + '/a.png')\nn = textured('C:\\\\tex\\\\b.png')\nw = textured('//tex\\\\c.png')\n"
    scene = make_scene(room / "absolute" / "scene.blend", change)
    shutil.move(elsewhere / "a.png", room / "a.png")
    first = Session(room / "absolute-1", scene)
    files = {f["resolved"]: f for f in first.run(kind="inspect")["files"]}
    first.down()
    moved = "_absolute" + str(elsewhere) + "/a.png"
    assert set(files) == {moved, "_absolute/C/tex/b.png", "tex/c.png"}, files
    assert not any(f["found"] for f in files.values()) and files[moved]["absolute"] and not files["tex/c.png"]["absolute"]
    for name in files:
        place = scene.parent / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(room / "a.png", place)
    second = Session(room / "absolute-2", scene)
    again = {f["resolved"]: f for f in second.run(kind="inspect")["files"]}
    second.run(kind="render", frame=1)
    second.down()
    assert set(again) == set(files) and all(f["found"] for f in again.values()), again


def test_libraries_are_followed_as_they_arrive(room):
    folder = room / "linked"
    make_scene(folder / "lib" / "inner.blend", IMAGE + "picture(here + '/skin.png'); textured(here + '/skin.png')\nbpy.ops.wm.save_as_mainfile(filepath=sys.argv[1]); bpy.ops.file.make_paths_relative()\n")
    link = "\nimport os\nhere = os.path.dirname(sys.argv[1])\nbpy.ops.wm.save_as_mainfile(filepath=sys.argv[1])\nwith bpy.data.libraries.load(os.path.join(here, {0!r}), link=True, relative=True) as (_, to):\n    to.{1} = [{2!r}]\n{3}\n"
    outer = "c = bpy.data.collections.new('set'); s.collection.children.link(c); c.objects.link(to.objects[0])"
    make_scene(folder / "lib" / "outer.blend", link.format("inner.blend", "objects", "Cube", outer))
    use = "e = bpy.data.objects.new('e', None); e.instance_type = 'COLLECTION'; e.instance_collection = to.collections[0]; s.collection.objects.link(e)"
    scene = make_scene(folder / "scene.blend", link.format("lib/outer.blend", "collections", "set", use))
    alone = room / "linked-alone"
    alone.mkdir()
    shutil.copy(scene, alone)
    seen = []
    for step, arrives in enumerate(("lib/outer.blend", "lib/inner.blend", "lib/skin.png", None)):
        made = Session(room / f"linked-{step}", alone / "scene.blend")
        assert made.up.returncode == 0, made.up.stdout
        report = made.run(kind="inspect")
        made.down()
        seen.append([(f["resolved"], f["from"], f["found"]) for f in report["files"] if not f["found"]])
        if arrives:
            (alone / "lib").mkdir(exist_ok=True)
            shutil.copy(folder / arrives, alone / arrives)
    missing = [sorted({name for name, _, _ in step}) for step in seen]
    assert missing[0][-1:] == ["lib/outer.blend"] and "lib/inner.blend" in missing[1], seen
    assert missing[2] == ["lib/skin.png"] and missing[3] == [], seen
    assert seen[2][0][1] == "lib/inner.blend"


def test_sequences_and_tiles_are_listed_one_by_one(room):
    change = IMAGE + (
        "for i in range(1, 6): picture(here + f'/seq/f_{i:03d}.png')\nfor t in (1001, 1002): picture(here + f'/udim/u.{t}.png')\n"
        "n = textured(here + '/seq/f_001.png'); n.image.source = 'SEQUENCE'; n.image_user.frame_duration = 5; n.image_user.use_auto_refresh = True; n.image_user.frame_offset = 1\n"
        "u = textured(here + '/udim/u.1001.png'); u.image.source = 'TILED'; u.image.filepath = here + '/udim/u.<UDIM>.png'; u.image.tiles.new(1002)\n"
        "bpy.ops.wm.save_as_mainfile(filepath=sys.argv[1]); bpy.ops.file.make_paths_relative(); os.remove(here + '/seq/f_003.png')\n"
    )
    files = inspected(room, "sequence", change)["files"]
    assert [(f["kind"], f["resolved"], f["found"]) for f in files] == [
        ("image", "udim/u.1001.png", True), ("image", "udim/u.1002.png", True),
        ("sequence", "seq/f_002.png", True), ("sequence", "seq/f_003.png", False), ("sequence", "seq/f_004.png", True),
    ]


def test_no_file_of_this_runtime_lands_outside_its_folders(session):
    assert not [name for name in os.listdir("/tmp") if name == "frame_0001.exr"]
