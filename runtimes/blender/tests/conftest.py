"""Scenes made by script and sessions run the way an agent runs them: up.py, run.py, down.py as processes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

RUNTIME = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(RUNTIME))

SMALL = """
import bpy, sys
s = bpy.context.scene
s.render.engine = 'CYCLES'
s.cycles.use_denoising = s.cycles.use_adaptive_sampling = False
s.cycles.samples = 8
s.render.resolution_x, s.render.resolution_y = 160, 90
s.frame_end = 3
cube = bpy.data.objects['Cube']
cube.keyframe_insert('rotation_euler', frame=1)
cube.rotation_euler[2] = 1.0
cube.keyframe_insert('rotation_euler', frame=3)
"""
SAVE = "\nbpy.context.preferences.filepaths.save_version = 0\nbpy.ops.wm.save_as_mainfile(filepath=sys.argv[1], compress={compress}, relative_remap=False)\n"


def python(code, *arguments):
    """Runs `code` in a fresh process of the environment; Blender state never leaks between scenes."""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code, *map(str, arguments)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def make_scene(file, change="", compress=False):
    """Saves the small scene, altered by the Python text `change`, as `file`."""
    file.parent.mkdir(parents=True, exist_ok=True)
    python(SMALL + change + SAVE.format(compress=compress), file)
    return file


class Session:
    """One session in `folder`; `scene` None starts it without one."""

    def __init__(self, folder, scene, threads=2, prefix=()):
        self.prefix = prefix
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.count = folder, 0
        self.environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "TMPDIR": str(folder), "TATAU_WORK": str(folder), "TATAU_THREADS": str(threads)}
        self.up = self.call("up.py", str(scene or "-"), flags="-sE")

    def call(self, program, *arguments, flags="-SE"):
        return subprocess.run(
            [*self.prefix, sys.executable, flags, str(RUNTIME / program), *map(str, arguments)], env=self.environment, cwd=self.folder,
            capture_output=True, text=True, timeout=60,
        )

    def run(self, **request):
        """Performs a request; its result with the folder under `out`, or the `tatau_error` line as a string."""
        self.count += 1
        file, out = self.folder / f"request_{self.count}.json", self.folder / f"out_{self.count}"
        file.write_text(json.dumps(request))
        done = self.call("run.py", file, "--out", out)
        if done.returncode:
            lines = [line for line in done.stdout.splitlines() if line.startswith("tatau_error: ")]
            assert len(lines) == 1, done.stdout + done.stderr
            return lines[0]
        assert "tatau_error" not in done.stdout
        return {**json.loads((out / "result.json").read_text()), "out": out}

    def down(self):
        return self.call("down.py")


@pytest.fixture(scope="session")
def room(tmp_path_factory):
    return tmp_path_factory.mktemp("blender")


@pytest.fixture(scope="session")
def scene(room):
    return make_scene(room / "small" / "scene.blend")


@pytest.fixture(scope="session")
def session(room, scene):
    made = Session(room / "session", scene)
    assert made.up.returncode == 0, made.up.stdout
    yield made
    made.down()


@pytest.fixture(scope="session")
def bare(room):
    """A session without a scene."""
    made = Session(room / "bare", None)
    assert made.up.returncode == 0, made.up.stdout
    yield made
    made.down()


@pytest.fixture(scope="session")
def frame(session):
    """Frame 2 of the small scene, rendered whole."""
    return session.run(kind="render", frame=2)


@pytest.fixture
def alive():
    """Whether a process id lives."""

    def check(process):
        try:
            return Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][:1] != "Z"
        except OSError:
            return False

    return check


os.environ.pop("TATAU_WORK", None)
