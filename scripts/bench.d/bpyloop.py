"""Runs the bare bpy loop and makes the scenes."""

import os
import subprocess
import tempfile

from house import ROOT, TATAU

HERE = os.path.dirname(os.path.abspath(__file__))
RUNTIME = os.path.join(ROOT, "runtimes", "blender")


def python():
    """The environment's Python."""
    done = subprocess.run([TATAU, "provide", "environment", "blender-5.0", "--print-python"], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def make_scene(folder):
    """The demo scene."""
    script = os.path.join(ROOT, "examples", "demo-scene", "make_scene.py")
    subprocess.run([python(), "-sE", script, folder], check=True, stdout=subprocess.DEVNULL)
    return os.path.join(folder, "scene.blend")


SCULPTURE = """
import bpy, math, random, sys
bpy.ops.wm.read_factory_settings(use_empty=True)
random.seed(3)
bpy.ops.mesh.primitive_ico_sphere_add(subdivisions=8)
for v in bpy.context.object.data.vertices:
    v.co *= 1 + 0.01 * math.sin(20 * v.co.x) * math.cos(17 * v.co.y) + random.random() * 1e-3
bpy.ops.wm.save_as_mainfile(filepath=sys.argv[-1], compress=False)
"""


def make_sculpture(folder):
    """A mesh of 655,360 faces whose points are a little rough, saved as Blender saves by itself."""
    scene = os.path.join(folder, "sculpture.blend")
    subprocess.run([python(), "-sE", "-c", SCULPTURE, scene], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return scene


def with_samples(scene, samples):
    """The same scene beside it, with more samples a pixel."""
    name = os.path.join(os.path.dirname(scene), f"scene-{samples}.blend")
    code = (
        "import bpy, sys\nbpy.ops.wm.open_mainfile(filepath=sys.argv[1], use_scripts=False)\n"
        "bpy.context.scene.cycles.samples = int(sys.argv[3])\n"
        "bpy.ops.wm.save_as_mainfile(filepath=sys.argv[2], copy=True)"
    )
    subprocess.run([python(), "-sE", "-c", code, scene, name, str(samples)], check=True, stdout=subprocess.DEVNULL)
    return name


class Loop:
    """`with Loop(scene, threads) as loop`: then `loop.frame(n)` renders one and tells its (wall, CPU) milliseconds."""

    def __init__(self, scene, threads):
        self.scene, self.threads = scene, threads

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="tatau-bare-")
        environment = {**os.environ, "TATAU_THREADS": str(self.threads)}
        self.process = subprocess.Popen(
            [python(), "-sE", os.path.join(HERE, "bare.py"), self.scene, RUNTIME, self.folder.name],
            env=environment, text=True, bufsize=1, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )
        self.load_ms = self.answer("ready")[0]
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        if self.process.wait(60):
            raise SystemExit("the bare loop failed")
        self.folder.cleanup()

    def answer(self, word):
        for line in self.process.stdout:
            if line.startswith(word + " "):
                return [float(number) for number in line.split()[1:]]
        raise SystemExit("the bare loop ended early")

    def frame(self, number):
        self.process.stdin.write(f"{number}\n")
        return tuple(self.answer("frame"))
