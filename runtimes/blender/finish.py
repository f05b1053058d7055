"""The task `finish`: a verified linear EXR becomes the PNG that the scene's own colour management asks for."""

import hashlib
import os

from blender import bpy

import pixels
import render
import scenes
from faults import FRAME_MAX, Fault, integer, path

PNG_BYTES = 2 << 30


def finish(session, request, folder):
    scene = render.require_scene(session)
    frame = integer(request, "frame", -FRAME_MAX, FRAME_MAX)
    size = request_size(scene, request)
    exr = path(request, "exr")
    pixels.read_exr(exr, size)  # a strict check before Blender's own reader sees the file
    name = f"frame_{frame:04d}.png"
    file = os.path.join(folder, name)
    save(scene, exr, frame, file)
    data = pixels.read_bounded(file, PNG_BYTES)
    return {"frame": frame, "width": size[0], "height": size[1], "png": name, "sha256": hashlib.sha256(data).hexdigest()}


def request_size(scene, request):
    width, height = scenes.full_size(scene)
    return (
        integer(request, "width", 4, 16384, default=width),
        integer(request, "height", 4, 16384, default=height),
    )


def save(scene, exr, frame, file):
    """Writes `exr` through the scene's view transform as an 8-bit PNG `file`."""
    settings = scene.render.image_settings
    settings.media_type = "IMAGE"
    settings.file_format, settings.color_depth, settings.compression = "PNG", "8", 15
    settings.color_mode = "RGBA" if scene.render.film_transparent else "RGB"
    settings.color_management, settings.use_preview = "FOLLOW_SCENE", False
    scene.render.use_stamp = False
    scene.frame_set(frame)  # exposure and the like may be animated
    try:
        image = bpy.data.images.load(exr, check_existing=False)
    except RuntimeError as error:
        raise Fault("bad_file", f"Blender cannot read the image ({scenes.words(error)}).") from None
    try:
        image.alpha_mode = "PREMUL"
        image.save_render(file, scene=scene)
    except RuntimeError as error:
        raise Fault("render_failed", f"Blender could not write the picture ({scenes.words(error)}).") from None
    finally:
        bpy.data.images.remove(image)
