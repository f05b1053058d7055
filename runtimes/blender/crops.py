"""The task `crops`: renders small parts of a frame alone, for audits, and writes their float pixels."""

import hashlib
import os
import time

import frozen
import pixels
import render
from faults import FRAME_MAX, Fault, integer, rectangles, write_bytes


def crops(session, request, folder):
    if request.get("benchmark") is not None:
        import benchmark

        scene = benchmark.prepare(session, request["benchmark"])
    else:
        scene = render.require_scene(session)
        render.require_files(session, scene)
    frame = integer(request, "frame", -FRAME_MAX, FRAME_MAX, default=1 if request.get("benchmark") is not None else None)
    wall, cpu = time.monotonic(), time.process_time()
    found, channels = [], None
    with frozen.Restored(scene):
        size = render.freeze(scene, request)
        asked = rectangles(request, *size)
        samples = scene.cycles.samples
        scene.render.use_persistent_data = len(asked) > 1  # one scene sync serves all crops
        scene.frame_set(frame)
        scratch = os.path.join(folder, "crop.exr")
        for index, rectangle in enumerate(asked):
            image, names, _, _ = render.render_crop(scene, rectangle, size, scratch)
            if channels is not None and names != channels:
                raise Fault("render_failed", "Two crops of one frame came out with different channels.")
            channels = names
            data = pixels.crop_file(image)
            name = f"crop_{index}.f32"
            write_bytes(os.path.join(folder, name), data)
            found.append(dict(zip("xywh", rectangle), sha256=hashlib.sha256(data).hexdigest(), file=name))
            session.progress(100 * (index + 1) / len(asked))
    return {
        "frame": frame, "width": size[0], "height": size[1], "samples": samples, "channels": channels, "crops": found,
        "render_ms": round((time.monotonic() - wall) * 1000), "cpu_ms": round((time.process_time() - cpu) * 1000),
    }
