"""The tasks `render_tile` and `stitch`: one part of a frame alone, and the whole frame from its parts, to the last bit.

A tile is rendered with a margin where pixels depend on their neighbours, and cut. `stitch` opens no scene and imports no Blender.
"""

import os
import time
from contextlib import ExitStack

import numpy as np

import pixels
from exr import CHANNELS_MAX, Exr
from exr_write import ExrWriter
from faults import FRAME_MAX, TILE, Fault, check_path, image_size, integer, optional_integer, rectangle, write_bytes

PARTS_MAX = 64


def file_stem(request):
    """The name that the task's files shall have, without its ending."""
    name = request.get("name")
    if not isinstance(name, str) or not name.endswith(".exr") or len(name) > 64 or os.path.basename(name) != name or name.startswith("."):
        raise Fault("bad_request", "`name` must be the plain name of an .exr file.")
    return name.removesuffix(".exr")


def render_tile(session, request, folder):
    import frozen
    import render

    scene = render.require_scene(session)
    render.require_files(session, scene)
    frame, name = integer(request, "frame", -FRAME_MAX, FRAME_MAX), file_stem(request)
    wall, cpu = time.monotonic(), time.process_time()
    with frozen.Restored(scene):
        size = render.freeze(scene, request)
        x, y, w, h = rectangle(request.get("tile"), *size)
        samples = scene.cycles.samples
        scene.frame_set(frame)
        stop = render.watch(session)
        scratch = os.path.join(folder, "wide.exr")
        try:
            image, channels, *_ = render.render_crop(scene, (x, y, w, h), size, scratch)
        finally:
            stop()
    with ExrWriter(os.path.join(folder, name + ".exr"), (w, h), channels) as written:
        for top in range(0, h, TILE):
            written.band(image[top : top + TILE])
    write_bytes(os.path.join(folder, name + ".tiles"), pixels.tile_file(image))
    return {
        "frame": frame, "width": w, "height": h, "samples": samples, "channels": channels, "pixels": w * h,
        "render_ms": round((time.monotonic() - wall) * 1000), "cpu_ms": round((time.process_time() - cpu) * 1000),
    }


def stitch(session, request, folder):
    frame, (width, height) = integer(request, "frame", -FRAME_MAX, FRAME_MAX), image_size(request)
    channels = optional_integer(request, "channels", 1, CHANNELS_MAX) or 4
    items = request.get("parts")
    if not isinstance(items, list) or not 1 <= len(items) <= PARTS_MAX:
        raise Fault("bad_request", f"`parts` must be a list of 1 to {PARTS_MAX} rectangles.")
    places = [rectangle(item, width, height) for item in items]
    check_cover(places, width, height)
    files = [check_path(item.get("file"), "file") for item in items]
    wall, name = time.monotonic(), f"frame_{frame:04d}"
    with ExitStack() as stack:
        parts = [(place, stack.enter_context(Exr(file, place[2:], channels))) for place, file in zip(places, files)]
        first = parts[0][1]
        if any(part.names != first.names for _, part in parts):
            raise Fault("wrong_parts", "The tiles of this frame have different channels; render them again.")
        written = stack.enter_context(ExrWriter(os.path.join(folder, name + ".exr"), (width, height), first.names))
        hashes = [pixels.tile_head(width, height, channels)]
        for top in range(0, height, TILE):
            rows = min(TILE, height - top)
            band = np.empty((rows, width, channels), np.float32)
            for (x, y, w, h), part in parts:
                if y <= top < y + h:
                    band[:, x : x + w] = part.band(top - y)[1]
            hashes.append(pixels.tile_row(band))
            written.band(band)
            session.progress(100 * (top + rows) / height)
    write_bytes(os.path.join(folder, name + ".tiles"), b"".join(hashes))
    return {
        "frame": frame, "width": width, "height": height, "samples": 1, "channels": first.names,
        "render_ms": round((time.monotonic() - wall) * 1000),
    }


def check_cover(places, width, height):
    """Refuses parts that do not cover each pixel once, or begin elsewhere than hashed tiles do."""
    seen = np.zeros((-(-height // TILE), -(-width // TILE)), np.uint8)
    for x, y, w, h in places:
        whole = (x + w == width or (x + w) % TILE == 0) and (y + h == height or (y + h) % TILE == 0)
        if x % TILE or y % TILE or not whole:
            raise Fault("wrong_parts", f"Parts of a frame must begin and end at multiples of {TILE} pixels.")
        seen[y // TILE : -(-(y + h) // TILE), x // TILE : -(-(x + w) // TILE)] += 1
    if (seen != 1).any():
        raise Fault("wrong_parts", "The parts do not cover the frame exactly once.")
