"""The peer of a provider: a bare bpy loop in one process, `bare.py SCENE RUNTIME OUT`.

Reads frame numbers, one a line; answers each with the milliseconds that setting and rendering it took. Same threads, same
kind of EXR, and the same start of bpy as the runtime, which is the fastest that we know.
"""

import sys
import time

sys.path.insert(0, sys.argv[2])
from blender import bpy, threads  # noqa: E402


def main(scene_file, out):
    started = time.monotonic()
    bpy.ops.wm.open_mainfile(filepath=scene_file, use_scripts=False)
    loaded = (time.monotonic() - started) * 1000
    scene = bpy.context.scene
    render, image = scene.render, scene.render.image_settings
    render.threads_mode, render.threads, render.use_compositing = "FIXED", threads(), False
    image.file_format, image.color_depth, image.exr_codec = "OPEN_EXR", "32", "ZIP"
    print("\nready", loaded, flush=True)
    for line in sys.stdin:
        started, cpu = time.monotonic(), time.process_time()
        scene.frame_set(int(line))
        render.filepath = f"{out}/bare_{int(line):04d}.exr"
        bpy.ops.render.render(write_still=True)
        print("\nframe", (time.monotonic() - started) * 1000, (time.process_time() - cpu) * 1000, flush=True)


main(sys.argv[1], sys.argv[3])
