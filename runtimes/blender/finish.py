"""The task `finish`: a verified linear EXR becomes the PNG that the scene's own compositor and colour management ask for."""

import hashlib
import os

from blender import threads

import camera
import compositor
import frozen
import refusals
import render
import scenes
import versions
from exr import Exr
from faults import FRAME_MAX, Fault, integer, path, read_bounded

PNG_BYTES = 2 << 30


def finish(session, request, folder):
    scene = render.require_scene(session)
    frame = integer(request, "frame", -FRAME_MAX, FRAME_MAX)
    size = request_size(scene, request)
    exr = path(request, "exr")
    with Exr(exr, size) as opened:  # a strict check before Blender's own reader sees the file
        for _ in opened.bands():
            pass
    name = f"frame_{frame:04d}.png"
    file = os.path.join(folder, name)
    with frozen.Restored(scene):
        save(scene, exr, frame, size, file)
    data = read_bounded(file, PNG_BYTES)
    return {"frame": frame, "width": size[0], "height": size[1], "png": name, "sha256": hashlib.sha256(data).hexdigest()}


def request_size(scene, request):
    width, height = scenes.full_size(scene)
    return (
        integer(request, "width", 4, 16384, default=width),
        integer(request, "height", 4, 16384, default=height),
    )


def save(scene, exr, frame, size, file):
    """Writes `exr` through the scene's compositor and view transform as an 8-bit PNG `file`."""
    for code, sentence in refusals.settings(scene):
        raise Fault(code, sentence)
    layout, settings = camera.layout(scene), scene.render.image_settings
    clear = settings.color_mode == "RGBA" and (scene.render.film_transparent or compositor.active(scene))
    versions.set_medium(settings, False)
    settings.file_format, settings.color_depth, settings.compression = "PNG", "8", 15
    settings.color_mode = "RGBA" if clear else "RGB"
    settings.color_management, settings.use_preview = "FOLLOW_SCENE", False
    if layout is not None and settings.views_format != "STEREO_3D":
        settings.views_format, settings.stereo_3d_format.display_mode = "STEREO_3D", "TOPBOTTOM"
        settings.stereo_3d_format.use_squeezed_frame = False
    for key in frozen.STAMPS:  # else the file would hold the time of day
        setattr(scene.render, key, False)
    scene.frame_set(frame)  # exposure and the like may be animated
    composite(scene, exr, size, file)


def composite(scene, exr, size, file):
    """Lets the compositor make the picture of the frame; nothing is rendered."""
    output = scene.render
    output.resolution_x, output.resolution_y = size
    output.resolution_percentage = 100
    output.use_sequencer = output.use_border = False
    output.threads_mode, output.threads = "FIXED", threads()
    output.compositor_device = output.compositor_denoise_device = "CPU"
    output.use_file_extension = output.use_overwrite = True
    with Exr(exr, size) as opened, compositor.Swapped(scene, opened, exr, os.path.dirname(file)) as target:
        render.render_file(target, file)
