"""Decoded pictures and videos, and the tasks `compare_images` and `compare_video`. No Blender.

The files are hostile: sizes are read from the header and limited before anything is decoded.
"""

import os
import struct

import av
import numpy as np

import faults
from faults import PIXELS_MAX, SIZE_MAX, SIZE_MIN, Fault, optional_integer, path

PNG_BYTES = 2 << 30
VIDEO_BYTES = 64 << 30
PNG_HEAD = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"


def read_png(file, size=None):
    """A PNG's pixels [height, width, 3 or 4]: 8 bits a channel; 16-bit ones as uint16."""
    data = faults.read_bounded(file, PNG_BYTES)
    if data[:16] != PNG_HEAD or len(data) < 33:
        raise Fault("bad_file", f"{os.path.basename(file)} is not a PNG.")
    width, height, bits, colour = struct.unpack_from(">IIBB", data, 16)
    if not (0 < width <= SIZE_MAX and 0 < height <= SIZE_MAX) or width * height > PIXELS_MAX:
        raise Fault("bad_file", f"{os.path.basename(file)} has an impossible size.")
    if size is not None and (width, height) != size:
        raise Fault("wrong_size", f"{os.path.basename(file)} is {width}×{height} pixels, {size[0]}×{size[1]} were ordered.")
    form = {(8, 2): "rgb24", (8, 6): "rgba", (16, 2): "rgb48le", (16, 6): "rgba64le"}.get((bits, colour))
    if form is None:
        raise Fault("bad_file", f"{os.path.basename(file)} is not an RGB or RGBA picture of 8 or 16 bits.")
    try:
        context = av.CodecContext.create("png", "r")
        context.thread_count = 1
        frames = context.decode(av.Packet(data)) + context.decode(None)
    except av.error.FFmpegError:
        frames = []
    if len(frames) != 1 or (frames[0].width, frames[0].height) != (width, height):
        raise Fault("bad_file", f"{os.path.basename(file)} is damaged.")
    return frames[0].to_ndarray(format=form)


def compare_images(_session, request, _folder):
    width, height = (optional_integer(request, key, SIZE_MIN, SIZE_MAX) for key in ("width", "height"))
    size = (width, height) if width and height else None
    images, faults = both(request, lambda file: read_png(file, size))
    if faults:
        return report(faults)
    a, b = images
    if a.shape != b.shape or a.dtype != b.dtype:
        return report([("both", Fault("wrong_size", "The pictures differ in size or kind of pixel."))])
    top = 65535 if a.dtype == np.uint16 else 255
    diff = np.abs(a.astype(np.int32) - b.astype(np.int32)).max(-1)
    return report([], pixels=diff.size, equal=int((diff == 0).sum()) / diff.size, max_diff=float(diff.max()) * 255 / top)


def both(request, read):
    """Reads `a` and `b`; their contents, and the faults found as `(side, Fault)`."""
    found, faults = [], []
    for side in ("a", "b"):
        try:
            found.append(read(path(request, side)))
        except Fault as fault:
            if fault.code == "bad_request":
                raise
            faults.append((side, fault))
    return found, faults


def report(faults, **measured):
    sides = "both" if len(faults) > 1 else faults[0][0] if faults else None
    fault = faults[0][1] if faults else None
    result = {"ok": fault is None, "fault": fault and fault.code, "sentence": fault and fault.sentence, "side": sides}
    return {**result, "pixels": 0, "equal": None, "max_diff": None, **measured}


def open_video(file):
    """An opened mp4 with exactly one H.264 stream of a sane size."""
    try:
        if os.path.getsize(file) > VIDEO_BYTES:
            raise Fault("bad_file", f"{os.path.basename(file)} is too large.")
        box = av.open(file, "r", format="mp4", options={"protocol_whitelist": "file", "enable_drefs": "0"})
    except (OSError, av.error.FFmpegError):
        raise Fault("bad_file", f"{os.path.basename(file)} is not a readable video.") from None
    streams = list(box.streams)
    if len(streams) != 1 or streams[0].type != "video" or streams[0].codec_context.name != "h264":
        box.close()
        raise Fault("bad_file", f"{os.path.basename(file)} must hold exactly one H.264 stream.")
    context = streams[0].codec_context
    if not (0 < context.width <= SIZE_MAX + 1 and 0 < context.height <= SIZE_MAX + 1):
        box.close()
        raise Fault("bad_file", f"{os.path.basename(file)} has an impossible size.")
    context.thread_count = 1
    return box


def frames_of(box):
    """The decoded frames of an opened video as planes of yuv420p; None where the data end in damage."""
    try:
        for frame in box.decode(video=0):
            yield frame.to_ndarray(format="yuv420p") if frame.format.name == "yuv420p" else None
    except av.error.FFmpegError:
        yield None


def compare_video(_session, request, _folder):
    boxes, faults = both(request, open_video)
    try:
        return report(faults) if faults else compare_frames(*boxes)
    finally:
        for box in boxes:
            box.close()


def compare_frames(a, b):
    first, second = frames_of(a), frames_of(b)
    frames = total = equal = worst = 0
    while True:
        x, y = next(first, 0), next(second, 0)
        damaged = [(side, Fault("bad_file", "The video is damaged.")) for side, plane in (("a", x), ("b", y)) if plane is None]
        if damaged:
            return report(damaged, frames=frames)
        ended = [isinstance(plane, int) for plane in (x, y)]
        if all(ended):
            break
        if any(ended) or x.shape != y.shape:
            return report([("both", Fault("wrong_size", "The videos differ in size or number of frames."))], frames=frames)
        diff = np.abs(x.astype(np.int16) - y.astype(np.int16))
        frames, total, equal = frames + 1, total + diff.size, equal + int((diff == 0).sum())
        worst = max(worst, int(diff.max()))
    if not total:
        return report([("both", Fault("bad_file", "The videos hold no frames."))], frames=0)
    return report([], frames=frames, pixels=total, equal=equal / total, max_diff=float(worst))
