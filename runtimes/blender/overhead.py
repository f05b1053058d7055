"""Measures what a task costs beyond its pixels: `overhead.py SCENE.blend [FRAMES]` against a bare bpy loop.

Both render the same frames to the same kind of EXR with the same threads, one process each, by turns in `ROUNDS`
rounds. The bare loop only sets the frame and renders; the tasks also start run.py, hash tiles and write results.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROUNDS = 3
BARE = """
import json, sys, time
sys.path.insert(0, {here!r})
from blender import bpy, threads
bpy.ops.wm.open_mainfile(filepath=sys.argv[1], use_scripts=False)
scene = bpy.context.scene
render, image = scene.render, scene.render.image_settings
render.threads_mode, render.threads, render.use_compositing = 'FIXED', threads(), False
image.file_format, image.color_depth, image.exr_codec = 'OPEN_EXR', '32', 'ZIP'
print('ready', flush=True)
for line in sys.stdin:
    started = time.monotonic()
    scene.frame_set(int(line))
    render.filepath = f'{{sys.argv[2]}}/bare_{{int(line):04d}}.exr'
    bpy.ops.render.render(write_still=True)
    print('ms', (time.monotonic() - started) * 1000, flush=True)
"""


def answer(process, word):
    """The next line of the bare loop that starts with `word`, past what Blender prints."""
    for text in process.stdout:
        if text.startswith(word):
            return text[len(word) :]
    raise SystemExit("The bare loop ended early.")


def main(scene, frames):
    environment = {**os.environ}
    with tempfile.TemporaryDirectory() as folder:
        environment["TATAU_WORK"] = folder
        subprocess.run([sys.executable, "-sE", f"{HERE}/up.py", scene], env=environment, check=True)
        bare = subprocess.Popen(
            [sys.executable, "-sE", "-c", BARE.format(here=HERE), scene, folder], env=environment, text=True, bufsize=1,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )
        answer(bare, "ready")
        request = os.path.join(folder, "request.json")
        with open(request, "w", encoding="ascii") as stream:
            json.dump({"kind": "render"}, stream)
        alone, tasks = [], []
        for turn in range(ROUNDS + 1):  # the first round warms both up and is not counted
            for frame in range(1, frames + 1):
                bare.stdin.write(f"{frame}\n")
                one = float(answer(bare, "ms"))
                started = time.monotonic()
                subprocess.run([sys.executable, "-SE", f"{HERE}/run.py", request, "--frame", str(frame), "--out", f"{folder}/out"], env=environment, check=True, stdout=subprocess.DEVNULL)
                two = (time.monotonic() - started) * 1000
                if turn:
                    alone.append(one)
                    tasks.append(two)
        bare.stdin.close()
        bare.wait()
        subprocess.run([sys.executable, "-SE", f"{HERE}/down.py"], env=environment, check=True)
    extra = [b - a for a, b in zip(alone, tasks)]
    print(f"n = {len(alone)} frames; bare {statistics.mean(alone):.1f} ms, task {statistics.mean(tasks):.1f} ms a frame; "
          f"overhead median {statistics.median(extra):.1f} ms; efficiency {sum(alone) / sum(tasks):.4f}")


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 3:
        sys.exit("Usage: overhead.py SCENE.blend [FRAMES]")
    main(os.path.abspath(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) == 3 else 4)
