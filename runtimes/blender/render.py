"""Renders frames and parts of frames of the open scene with Cycles, to float pixels.

Owns how a frame is frozen: device, threads, no compositing, no sequencer, no denoiser, the whole frame or an exact crop.
"""

import os
import re
import time

from blender import bpy, threads

import devices
import frozen
import passes
import pixels
import refusals
import scenes
import versions
from exr import Exr, read_exr
from faults import FRAME_MAX, PIXELS_MAX, SAMPLES_MAX, SEED_MAX, SIZE_MAX, SIZE_MIN, Fault, integer, optional_integer, write_bytes

SAMPLE = re.compile(r"Sample (\d+)/(\d+)")
TELL_SECONDS = 0.5
MARGIN = 16  # pixels around a crop that are rendered and discarded where pixels depend on their neighbours


def require_scene(session):
    if session.scene is None:
        raise Fault("no_scene", "This session holds no scene; start it with one.")
    return bpy.context.scene


def require_files(session, scene):
    """Refuses to render a scene whose files are not all there: Blender would paint what is missing pink."""
    import assets

    if not session.complete:
        missing = [entry["resolved"] for entry in assets.listing(scene).sorted() if not entry["found"]]
        if missing:
            raise Fault("missing_file", f"The scene lacks {len(missing)} of its files, the first is {missing[0]}; send it along.")
        session.complete = True


def freeze(scene, request):
    """Applies the overrides of `request` and fixes what must not vary; refuses scenes that cannot be audited.

    What it changes, `frozen.Restored` puts back: whether a frame is layered is read from the scene's own settings.
    """
    for code, sentence in refusals.settings(scene):
        raise Fault(code, sentence)
    render, cycles = scene.render, scene.cycles
    width = optional_integer(request, "width", SIZE_MIN, SIZE_MAX)
    height = optional_integer(request, "height", SIZE_MIN, SIZE_MAX)
    if width is not None or height is not None:
        now = scenes.full_size(scene)
        render.resolution_x, render.resolution_y = width or now[0], height or now[1]
        render.resolution_percentage = 100
    samples = optional_integer(request, "samples", 1, SAMPLES_MAX)
    if samples is not None:
        cycles.samples = samples
    seed = optional_integer(request, "seed", 0, SEED_MAX)
    if seed is not None:
        cycles.seed, cycles.use_animated_seed = seed, False
    width, height = scenes.full_size(scene)
    if not (SIZE_MIN <= width <= SIZE_MAX and SIZE_MIN <= height <= SIZE_MAX) or width * height > PIXELS_MAX:
        raise Fault("frame_size", f"A frame of {width}×{height} pixels cannot be rendered here; choose {SIZE_MIN} to {SIZE_MAX} pixels a side.")
    passes.freeze(scene)
    devices.choose(scene, request)
    render.threads_mode, render.threads = "FIXED", threads()
    render.use_compositing = render.use_sequencer = render.use_stamp = False
    render.use_persistent_data = False
    render.use_file_extension = render.use_overwrite = True
    render.use_placeholder = False
    return width, height


def watch(session, low=0.0, high=100.0):
    """Makes Blender report its samples as progress between `low` and `high` percent; returns how to stop that."""
    last = [0.0]

    def stats(text, *_):
        match = SAMPLE.search(text) if isinstance(text, str) else None
        if match is not None and time.monotonic() - last[0] > TELL_SECONDS:
            last[0] = time.monotonic()
            session.progress(low + (high - low) * int(match[1]) / max(int(match[2]), 1))

    bpy.app.handlers.render_stats.append(stats)
    return lambda: bpy.app.handlers.render_stats.remove(stats)


def failed(scene):
    """The code of a render that failed: a card's memory or driver is not its scene's fault."""
    return "device_failed" if devices.on_card(scene) else "render_failed"


def render_file(scene, file):
    """Renders the scene's current frame as `freeze` set it up into the EXR `file`; milliseconds (wall, CPU)."""
    scene.render.filepath = file
    wall, cpu = time.monotonic(), time.process_time()
    try:
        outcome = bpy.ops.render.render(write_still=True, **({} if scene == bpy.context.scene else {"scene": scene.name}))
    except RuntimeError as error:
        raise Fault(failed(scene), f"Blender could not render the frame ({scenes.words(error)}).") from None
    if "FINISHED" not in outcome or not os.path.isfile(file):
        raise Fault(failed(scene), "Blender ended the render without an image; the scratch space may be full.")
    return (time.monotonic() - wall) * 1000, (time.process_time() - cpu) * 1000


def whole_frame(session, scene, request, folder, frame):
    """Renders one whole frame into `folder` with its tiles; the result of the tasks `render` and `benchmark`."""
    wall, cpu = time.monotonic(), time.process_time()
    with frozen.Restored(scene):
        width, height = freeze(scene, request)
        samples = scene.cycles.samples
        scene.frame_set(frame)
        name = f"frame_{frame:04d}"
        file = os.path.join(folder, name + ".exr")
        stop = watch(session)
        try:
            render_file(scene, file)
        finally:
            stop()
    with Exr(file, (width, height)) as opened:
        channels = opened.names
        write_bytes(os.path.join(folder, name + ".tiles"), pixels.tiles_by(opened, threads()))
    return {
        "frame": frame, "width": width, "height": height, "samples": samples, "channels": channels, "pixels": width * height,
        "render_ms": round((time.monotonic() - wall) * 1000), "cpu_ms": round((time.process_time() - cpu) * 1000),
        "exr": name + ".exr", "tiles": name + ".tiles",
    }


def render(session, request, folder):
    """The task `render`."""
    scene = require_scene(session)
    require_files(session, scene)
    return whole_frame(session, scene, request, folder, integer(request, "frame", -FRAME_MAX, FRAME_MAX))


def looks_around(scene):
    """Whether Cycles lets neighbouring pixels steer one: adaptive sampling, and unbiased volumes (12 pixels measured)."""
    import assets

    if scene.cycles.use_adaptive_sampling:
        return True
    volumes = len(bpy.data.volumes) > 0 or any(
        node.bl_idname.startswith("ShaderNodeVolume") for tree, _ in assets.node_trees() for node in tree.nodes
    )
    return volumes and not versions.biased_volumes(scene.cycles)


def render_crop(scene, rectangle, size, file):
    """Renders only `rectangle` (x, y, w, h from the top left) of a frozen scene; `(image, channels, wall ms, cpu ms)`."""
    x, y, w, h = rectangle
    width, height = size
    margin = MARGIN if looks_around(scene) else 0
    left, top = max(x - margin, 0), max(y - margin, 0)
    right, bottom = min(x + w + margin, width), min(y + h + margin, height)
    wall, cpu = render_rectangle(scene, (left, top, right - left, bottom - top), size, file)
    image, channels = read_exr(file, (right - left, bottom - top))
    os.unlink(file)
    return image[y - top : y - top + h, x - left : x - left + w], channels, wall, cpu


def render_rectangle(scene, rectangle, size, file):
    """Renders exactly `rectangle` of a frozen scene into the EXR `file`; milliseconds (wall, CPU)."""
    x, y, w, h = rectangle
    width, height = size
    render = scene.render
    render.use_border = render.use_crop_to_border = True
    # Blender counts from the bottom.
    render.border_min_x, render.border_max_x = edge(x, width), edge(x + w, width)
    render.border_min_y, render.border_max_y = edge(height - y - h, height), edge(height - y, height)
    return render_file(scene, file)


def edge(position, length):
    """A pixel edge as a fraction of the frame: a quarter pixel inside, as Blender truncates what it multiplies back."""
    return min((position + 0.25) / length, 1.0)
