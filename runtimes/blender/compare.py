"""The tasks `compare` and `compare_crops`: how far a claimed frame is from what validators rendered. No Blender.

Gives distances and faults, never a verdict.
"""

import os

import numpy as np

import pixels
from faults import CROPS_MAX, Fault, check_path, image_size, optional_integer, paths, path, rectangles


def finished(fault, crops, **more):
    return {
        "ok": fault is None, "fault": fault.code if fault else None, "sentence": fault.sentence if fault else None,
        "crops": crops, **more,
    }


def compare(session, request, _folder):
    size = image_size(request)
    channels = optional_integer(request, "channels", 1, pixels.CHANNELS_MAX) or 4
    claim, tiles = path(request, "claim"), path(request, "tiles")
    asked = rectangles(request, *size, least=0)
    files = [check_path(item.get("file"), "file") for item in request["crops"]]
    measured = []
    try:
        image, names = pixels.read_exr(claim, size, channels)
        if not np.isfinite(image).all():
            raise Fault("nan", "The image holds values that are not finite.")
        expected = pixels.tile_file(image)
        if read_tiles(tiles, len(expected)) != expected:
            raise Fault("tiles_mismatch", "The tile hashes do not belong to the image.")
        for (x, y, w, h), file in zip(asked, files):
            crop = pixels.read_crop(file, (w, h), channels)
            measured.append(pixels.distance(image[y : y + h, x : x + w], crop, names))
            session.progress(100 * len(measured) / len(files))
    except Fault as fault:
        return finished(fault, measured)
    return finished(None, measured)


def read_tiles(file, size):
    try:
        return pixels.read_bounded(file, size)
    except Fault as fault:
        raise Fault("tiles_mismatch", fault.sentence) from None


def compare_crops(_session, request, _folder):
    a, b = paths(request, "a", CROPS_MAX), paths(request, "b", CROPS_MAX)
    if len(a) != len(b) or not a:
        raise Fault("bad_request", "`a` and `b` must name equally many crops, at least one.")
    measured = []
    for first, second in zip(a, b):
        pair, faults = [], []
        for side, file in (("a", first), ("b", second)):
            try:
                pair.append(pixels.read_crop(file))
            except Fault as fault:
                faults.append((side, fault))
        if not faults and pair[0].shape != pair[1].shape:
            sentence = f"The crops {os.path.basename(first)} and {os.path.basename(second)} differ in size."
            faults = [("both", Fault("crop_malformed", sentence))]
        if faults:
            return finished(faults[0][1], measured, side=faults[0][0] if len(faults) == 1 else "both")
        measured.append(pixels.distance(*pair, names_for(pair[0].shape[2])))
    return finished(None, measured, side=None)


def names_for(channels):
    """Crop files hold no names: four channels are A, B, G, R; of others each is compared as colour."""
    return ["A", "B", "G", "R"] if channels == 4 else [f"C{index}" for index in range(channels)]
