"""Dishonest tasks for the project's own tests: lies that are told consistently, with tiles and a result that fit the pixels.

`tatau-mischief` mounts this file beside the runtime's programs and has the daemon call `install`. Benchmarks, inspections
and whatever the chosen cheat does not touch stay honest, and so do the first `after` tasks of a session and those after
`times` cheated ones.
"""

import hashlib
import os
import struct
import zlib

import numpy as np

import pixels
from exr import EXR_MAGIC, read_exr
from faults import write_bytes

TONE = np.float32(1.002)
TASKS = {
    "garbage-png": ("finish",), "wrong-join": ("stitch",),
    "fewer-samples": ("render", "render_tile"), "other-seed": ("render", "render_tile"),
}
CHOSEN = {"kind": "", "after": 0, "times": 0, "seen": 0}


def install(kind, after, times, kinds):
    """Puts the cheat `kind` in the daemon's table of tasks."""
    CHOSEN.update(kind=kind, after=after, times=times, seen=0)
    for task in TASKS.get(kind, ("render",)):
        kinds[task] = ("cheats", task)


def is_honest():
    CHOSEN["seen"] += 1
    return not CHOSEN["after"] < CHOSEN["seen"] <= CHOSEN["after"] + CHOSEN["times"]


def render(session, request, folder):
    """The task `render`, done cheaply or wrongly, claimed as ordered."""
    import render as honest

    if is_honest():
        return honest.render(session, request, folder)
    scene = honest.require_scene(session)
    return RENDERS[CHOSEN["kind"]](honest, session, scene, request, folder)


def render_tile(session, request, folder):
    """The task `render_tile`, done cheaply or wrongly, claimed as ordered."""
    import types

    import render as whole
    import tiles

    if is_honest():
        return tiles.render_tile(session, request, folder)
    honest = types.SimpleNamespace(render=tiles.render_tile)
    return RENDERS[CHOSEN["kind"]](honest, session, whole.require_scene(session), request, folder)


def stitch(session, request, folder):
    """The task `stitch`: one corner of the joined frame is dark, and its tiles say so."""
    import tiles

    result = tiles.stitch(session, request, folder)
    if is_honest():
        return result

    def change(image, _):
        image[:40, :40] *= 0.5
        return image

    name = f"frame_{request['frame']:04d}"
    repaint({"exr": name + ".exr", "tiles": name + ".tiles"}, folder, change)
    return result


def finish(session, request, folder):
    """The task `finish`: a picture of the right size that shows noise."""
    import finish as honest

    result = honest.finish(session, request, folder)
    if is_honest():
        return result
    noise = np.random.default_rng(request["frame"]).integers(0, 256, (result["height"], result["width"], 3), np.uint8)
    data = png(noise)
    write_bytes(os.path.join(folder, result["png"]), data)
    return {**result, "sha256": hashlib.sha256(data).hexdigest()}


def fewer_samples(honest, session, scene, request, folder):
    ordered = request.get("samples", scene.cycles.samples)
    result = honest.render(session, {**request, "samples": max(ordered // 2, 1)}, folder)
    return {**result, "samples": ordered}


def other_seed(honest, session, scene, request, folder):
    return honest.render(session, {**request, "seed": scene.cycles.seed + 1}, folder)


def previous_frame(honest, session, scene, request, folder):
    frame = request["frame"]
    other = frame - 1 if frame > scene.frame_start else frame + 1
    result = honest.render(session, {**request, "frame": other}, folder)
    for kind in ("exr", "tiles"):
        name = f"frame_{frame:04d}.{kind}"
        os.rename(os.path.join(folder, result[kind]), os.path.join(folder, name))
        result[kind] = name
    return {**result, "frame": frame}


def half_size(honest, session, scene, request, folder):
    import scenes

    width, height = scenes.full_size(scene)
    width, height = request.get("width", width), request.get("height", height)
    half = {**request, "width": max(width // 2, 4), "height": max(height // 2, 4)}
    result = honest.render(session, half, folder)
    return {**result, "width": width, "height": height, "pixels": width * height}


def half_resolution(honest, session, scene, request, folder):
    result = half_size(honest, session, scene, request, folder)
    return repaint(result, folder, lambda image, _: upscaled(image, (result["width"], result["height"])))


def tone(honest, session, scene, request, folder):
    def change(image, names):
        return np.where(np.array([name.endswith("A") for name in names]), image, image * TONE)

    return repaint(honest.render(session, request, folder), folder, change)


def nan(honest, session, scene, request, folder):
    def change(image, _):
        image[image.shape[0] // 3 :: 7] = np.nan
        return image

    return repaint(honest.render(session, request, folder), folder, change)


RENDERS = {
    "fewer-samples": fewer_samples,
    "half-resolution": half_resolution,
    "previous-frame": previous_frame,
    "other-seed": other_seed,
    "tone": tone,
    "wrong-size": half_size,
    "nan": nan,
}


def repaint(result, folder, change):
    """Writes the frame's EXR anew after `change(image, channel names)`, and the tiles that fit it."""
    file = os.path.join(folder, result["exr"])
    image, names = read_exr(file)
    image = change(image, names).astype(np.float32)
    write_bytes(file, exr(image, names))
    write_bytes(os.path.join(folder, result["tiles"]), pixels.tile_file(image))
    return result


def upscaled(image, size):
    """`image` enlarged to `size` (width, height) bilinearly."""
    for axis, length in ((0, size[1]), (1, size[0])):
        now = image.shape[axis]
        at = np.clip((np.arange(length) + 0.5) * now / length - 0.5, 0, now - 1)
        low = np.minimum(at.astype(int), now - 2)
        part = (at - low).reshape([-1 if i == axis else 1 for i in range(3)])
        image = np.take(image, low, axis) * (1 - part) + np.take(image, low + 1, axis) * part
    return image


def exr(image, names):
    """An uncompressed scan line EXR of 32-bit floats."""
    height, width, count = image.shape
    window = struct.pack("<4i", 0, 0, width - 1, height - 1)
    channels = b"".join(name.encode() + b"\0" + struct.pack("<iIii", 2, 0, 1, 1) for name in names) + b"\0"
    fields = (
        ("channels", "chlist", channels), ("compression", "compression", b"\0"), ("dataWindow", "box2i", window),
        ("displayWindow", "box2i", window), ("lineOrder", "lineOrder", b"\0"),
        ("pixelAspectRatio", "float", struct.pack("<f", 1.0)), ("screenWindowCenter", "v2f", struct.pack("<2f", 0.0, 0.0)),
        ("screenWindowWidth", "float", struct.pack("<f", 1.0)),
    )
    head = struct.pack("<2I", EXR_MAGIC, 2)
    head += b"".join(n.encode() + b"\0" + k.encode() + b"\0" + struct.pack("<I", len(v)) + v for n, k, v in fields) + b"\0"
    row = width * count * 4
    first = len(head) + 8 * height
    table = struct.pack(f"<{height}Q", *(first + y * (8 + row) for y in range(height)))
    rows = (struct.pack("<iI", y, row) + np.ascontiguousarray(image[y].T, "<f4").tobytes() for y in range(height))
    return head + table + b"".join(rows)


def png(image):
    """An 8-bit RGB PNG."""
    height, width, _ = image.shape

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    lines = b"".join(b"\0" + line.tobytes() for line in image)
    head = struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
