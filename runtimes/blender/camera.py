"""Whose eyes a scene is seen through: its cameras, panoramas, two eyes and how they share one picture.

Owns what the report says of these; renders nothing.
"""

import math

CAMERAS_MAX = 64
LAYOUTS = {"TOPBOTTOM": "top_bottom", "SIDEBYSIDE": "side_by_side", "ANAGLYPH": "anaglyph", "INTERLACE": "interlace"}
ALMOST = 1e-3  # radians


def cameras(scene):
    """The cameras that the animation is seen through: those of the markers, in their order, or the scene's."""
    marked = [marker.camera for marker in sorted(scene.timeline_markers, key=lambda m: m.frame) if marker.camera is not None]
    found = list(dict.fromkeys(marked)) or ([scene.camera] if scene.camera is not None else [])
    return found[:CAMERAS_MAX]


def panorama(scene):
    """What kind of panorama every picture is, for a viewer; None for flat pictures, and where cameras differ."""
    kinds = [describe(camera.data) for camera in cameras(scene)]
    if not kinds or kinds[0] is None or any(kind != kinds[0] for kind in kinds):
        return None
    return {**kinds[0], "stereo": layout(scene)}


def describe(lens):
    if getattr(lens, "type", None) != "PANO":
        return None
    around = lens.longitude_max - lens.longitude_min, lens.latitude_max - lens.latitude_min
    full = around[0] >= 2 * math.pi - ALMOST and around[1] >= math.pi - ALMOST
    return {"kind": lens.panorama_type.lower(), "full": lens.panorama_type == "EQUIRECTANGULAR" and full}


def layout(scene):
    """How two eyes share one picture; None where there is one eye."""
    if not scene.render.use_multiview:
        return None
    image = scene.render.image_settings
    mode = image.stereo_3d_format.display_mode if image.views_format == "STEREO_3D" else "TOPBOTTOM"
    return LAYOUTS.get(mode, "top_bottom")


def picture_size(scene, size):
    """`(width, height)` of the finished picture of a frame of `size`: two eyes may lie beside each other."""
    image, (width, height) = scene.render.image_settings, size
    squeezed = image.views_format == "STEREO_3D" and image.stereo_3d_format.use_squeezed_frame
    if squeezed or layout(scene) not in ("top_bottom", "side_by_side"):
        return width, height
    return (width, 2 * height) if layout(scene) == "top_bottom" else (2 * width, height)


def faults(scene):
    """Refusals that follow from cameras and eyes, as `[(code, sentence)]`."""
    found, render = [], scene.render
    if not cameras(scene):
        found.append(("no_camera", "The scene has no camera; add one and make it the active camera."))
    if any(getattr(camera.data, "type", None) == "CUSTOM" for camera in cameras(scene)):
        found.append(("osl", "A camera is of type Custom, whose lens is code in the scene; choose another type in Camera Properties > Lens."))
    if render.use_multiview:
        used = [view.name for view in render.views if view.use]
        if render.views_format != "STEREO_3D" or used != ["left", "right"]:
            found.append(("multiview", "The scene renders other views than a left and a right eye; set Output Properties > Stereoscopy to Stereo 3D with both eyes."))
    return found
