"""Every scene of examples/corpus: inspected as expected; rendered, cut and finished like Blender's own picture, or refused.

Two processes do the work, one that makes the scenes and renders them the way their artists would, one with the runtime.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from conftest import RUNTIME

CORPUS = RUNTIME.parent.parent / "examples" / "corpus"
sys.path.insert(0, str(CORPUS))
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "TATAU_THREADS": "2", "PYTHONDONTWRITEBYTECODE": "1"}


NEWEST = not any((Path(sys.prefix) / "lib/python3.11/site-packages/bpy/4.5").glob("*"))


def names():
    """The scenes' names without Blender: what this process imports must not hold a scene."""
    found = []
    for module in ("surfaces", "files", "motion", "output", "refused"):
        lines = (CORPUS / f"{module}.py").read_text().splitlines()
        found += [after[4:].partition("(")[0] for before, after in zip(lines, lines[1:]) if before.startswith("@scene(")]
    return found


def call(program, folder, *arguments):
    done = subprocess.run(
        [sys.executable, "-sE", str(program), str(folder), *arguments], env={**ENVIRONMENT, "HOME": str(folder), "TMPDIR": str(folder)},
        capture_output=True, text=True, timeout=240,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """`{name: (row, answer)}` for every scene."""
    folder = tmp_path_factory.mktemp("corpus")
    call(CORPUS / "make_corpus.py", folder, "--local")
    rows = {row["name"]: row for row in json.loads((folder / "corpus.json").read_text())}
    answers = [json.loads(line) for line in call(Path(__file__).with_name("corpus_runner.py"), folder).splitlines()]
    return {answer["name"]: (rows[answer["name"]], answer) for answer in answers}


def test_the_corpus_is_whole(corpus):
    assert set(corpus) <= set(names()) and len(names()) - len(corpus) <= (0 if NEWEST else 2) and len(corpus) >= 60
    rendered = [name for name, (row, _) in corpus.items() if not row["refused"] and not row["missing"]]
    assert len(rendered) >= 35, rendered


@pytest.mark.parametrize("name", names())
def test_scene(corpus, name):
    if name not in corpus and not NEWEST:
        pytest.skip("needs a newer Blender")
    row, answer = corpus[name]
    assert "broken" not in answer, answer["broken"]
    if not row["opens"]:
        assert answer["opened"]["fault"] == row["refused"] and row["words"] in answer["opened"]["sentence"], answer["opened"]
        return
    check_report(row, answer["report"])
    if "closed" in answer:
        assert answer["closed"]["files"] == answer["report"]["files"] and answer["closed"]["rounds"] <= 5, answer["closed"]
    for frame in answer["frames"]:
        check_frame(row, answer["report"], frame)
    assert len(answer["frames"]) == (0 if row["refused"] or row["missing"] else len(row["frames"]))


def check_report(row, report):
    refused = {refusal["code"]: refusal["sentence"] for refusal in report["refusals"]}
    assert set(refused) == ({row["refused"]} if row["refused"] else set()), refused
    assert row["words"] in refused.get(row["refused"], "") and all(text.endswith(".") for text in refused.values()), refused
    assert set(row["warned"]) <= {warning["code"] for warning in report["warnings"]}, report["warnings"]
    kinds = [entry["kind"] for entry in report["files"]]
    assert {kind: kinds.count(kind) for kind in kinds} == row["files"], report["files"]
    assert [entry["resolved"] for entry in report["files"] if not entry["found"]] == row["missing"], report["files"]
    assert {key: report[key] for key in row["report"]} == row["report"]


def check_frame(row, report, frame):
    assert "fault" not in frame, frame
    assert frame["crops"]["ok"] and [crop["equal"] for crop in frame["crops"]["crops"]] == [1.0] * 3, frame["crops"]
    assert frame["std"] > 0.01, "an empty picture proves nothing"
    local = frame["local"]
    assert local["ok"] and local["equal"] >= row["equal"] and local["max_diff"] <= row["most"], local
    if frame["again"] is not None:
        assert frame["again"] == frame["finish"]["sha256"], "a picture made twice is the same file"
        assert report["channels"] == len(frame["channels"]) and report["probe"]["finish_ms"] > 0


def test_names_are_found_without_blender():
    assert "bpy" not in sys.modules and os.path.isdir(CORPUS) and "panorama_stereo" in names()


@pytest.fixture
def open_folder():
    """A folder that everybody can look into, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="tatau-bake-") as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


def test_a_bake_is_used_where_nothing_can_be_written(open_folder):
    """Providers lay inputs out read-only, and sessions are nobody: Blender opens some of its own files for writing."""
    import shutil

    import exr
    from conftest import Session

    call(CORPUS / "make_corpus.py", open_folder, "zone_on_disk")
    made = open_folder / "zone_on_disk"
    found = []
    for name, prefix in (("own", []), ("nobody", ["setpriv", "--reuid", "65534", "--clear-groups"] if os.getuid() == 0 else [])):
        folder = open_folder / name
        shutil.copytree(made, folder / "scene")
        (folder / "s").mkdir()
        (folder / "s").chmod(0o777)
        if name == "nobody":
            subprocess.run(["chmod", "-R", "a+rX,a-w", str(folder / "scene")], check=True)
        session = Session(folder / "s", folder / "scene" / "scene.blend", prefix=prefix)
        report, frame = session.run(kind="inspect"), session.run(kind="render", frame=6)
        session.down()
        found.append(([row["resolved"] for row in report["files"]], exr.read_exr(frame["out"] / "frame_0006.exr")[0]))
    assert found[0][0] == found[1][0] and len(found[0][0]) == 12
    assert (found[0][1] == found[1][1]).all()
