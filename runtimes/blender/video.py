"""The task `video`: PNG frames become one H.264 file, the same bytes for the same frames. No Blender."""

import hashlib
import os
import time
from fractions import Fraction

import av
import numpy as np

import decoded
from faults import Fault, integer, paths

FRAMES_MAX = 100_000
FPS_MAX = 1000
VIDEO_BYTES = 64 << 30


def rate(request):
    value = request.get("fps")
    if isinstance(value, dict):
        return Fraction(integer(value, "num", 1, 10_000_000), integer(value, "den", 1, 1_000_000))
    return Fraction(integer(request, "fps", 1, FPS_MAX))


def video(session, request, folder):
    files, fps = paths(request, "pngs", FRAMES_MAX), rate(request)
    if not files or not Fraction(1, 100) <= fps <= FPS_MAX:
        raise Fault("bad_request", "A video needs at least one frame and a frame rate from 0.01 to 1000.")
    started = time.monotonic()
    target = os.path.join(folder, "video.mp4")
    size = encode(session, files, fps, target)
    with open(target, "rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {
        "frames": len(files), "seconds": round(time.monotonic() - started, 3), "width": size[0], "height": size[1],
        "file": "video.mp4", "sha256": digest,
    }


def encode(session, files, fps, target):
    """Encodes `files` into `target`; `(width, height)` of the video, both even (an odd edge is doubled)."""
    size = None
    try:
        with av.open(target, "w", format="mp4", container_options={"movflags": "+faststart", "fflags": "+bitexact"}) as box:
            stream = None
            for index, file in enumerate(files):
                image = decoded.read_png(file)[..., :3]
                height, width = image.shape[:2]
                image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
                if stream is None:
                    size = (image.shape[1], image.shape[0])
                    stream = add_stream(box, fps, size)
                elif (image.shape[1], image.shape[0]) != size:
                    raise Fault("bad_file", f"{os.path.basename(file)} has another size than the first frame.")
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
                frame = frame.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
                frame.pts = index
                frame.time_base = 1 / fps
                for packet in stream.encode(frame):
                    box.mux(packet)
                session.progress(100 * (index + 1) / len(files))
            for packet in stream.encode():
                box.mux(packet)
    except av.error.FFmpegError as error:
        raise Fault("render_failed", f"The video could not be written: {error.strerror}.") from None
    return size


def add_stream(box, fps, size):
    stream = box.add_stream("libx264", rate=fps)
    stream.width, stream.height = size
    stream.pix_fmt = "yuv420p"
    stream.time_base = 1 / fps
    stream.options = {"crf": "18", "preset": "medium", "threads": "1", "x264-params": "threads=1:lookahead-threads=1:sliced-threads=0"}
    context = stream.codec_context
    context.thread_count = 1
    context.flags |= av.codec.context.Flags.bitexact
    context.color_primaries = context.color_trc = context.colorspace = 1  # BT.709
    context.color_range = 1
    return stream
