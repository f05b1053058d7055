"""The tasks `compare` and `compare_crops`: how far a claimed frame is from what validators rendered. No Blender.

Gives distances and faults, never a verdict.
"""

import os

import numpy as np

import pixels
from exr import CHANNELS_MAX, Exr
from faults import CROPS_MAX, Fault, check_path, image_size, optional_integer, paths, path, read_bounded, rectangles


def finished(fault, crops, **more):
    return {
        "ok": fault is None, "fault": fault.code if fault else None, "sentence": fault.sentence if fault else None,
        "crops": crops, **more,
    }


def compare(session, request, _folder):
    size = image_size(request)
    channels = optional_integer(request, "channels", 1, CHANNELS_MAX) or 4
    claim, tiles = path(request, "claim"), path(request, "tiles")
    asked = rectangles(request, *size, least=0)
    files = [check_path(item.get("file"), "file") for item in request["crops"]]
    measured = []
    try:
        cuts, names = opened(claim, tiles, size, channels, asked)
        for cut, (_, _, w, h), file in zip(cuts, asked, files):
            crop = pixels.read_crop(file, (w, h), channels)
            measured.append(pixels.distance(cut, crop, names))
            session.progress(100 * len(measured) / len(files))
    except Fault as fault:
        return finished(fault, measured)
    return finished(None, measured)


def opened(claim, tiles, size, channels, asked):
    """The cuts of the claimed frame at `asked` and its channel names; refuses a frame that is not what its tiles say."""
    cuts = [np.empty((h, w, channels), np.float32) for _, _, w, h in asked]

    def see(top, band):
        if not np.isfinite(band).all():
            raise Fault("nan", "The image holds values that are not finite.")
        for cut, (x, y, w, h) in zip(cuts, asked):
            first, last = max(y, top), min(y + h, top + len(band))
            if first < last:
                cut[first - y : last - y] = band[first - top : last - top, x : x + w]

    with Exr(claim, size, channels) as frame:
        expected = pixels.tiles_of(frame, see)
        if read_tiles(tiles, len(expected)) != expected:
            raise Fault("tiles_mismatch", "The tile hashes do not belong to the image.")
        return cuts, frame.names


def read_tiles(file, size):
    try:
        return read_bounded(file, size)
    except Fault as fault:
        raise Fault("tiles_mismatch", fault.sentence) from None


def compare_frames(_session, request, _folder):
    """A joined frame against another's tiles: every hashed tile is the same or is not."""
    size = image_size(request)
    channels = optional_integer(request, "channels", 1, CHANNELS_MAX) or 4
    claim, tiles, other = path(request, "claim"), path(request, "tiles"), path(request, "other_tiles")
    pixel_count = size[0] * size[1]
    try:
        opened(claim, tiles, size, channels, [])
    except Fault as fault:
        return finished(fault, [], side="a", pixels=pixel_count, equal=0.0, max_diff=255)
    head = len(pixels.tile_head(*size, channels))
    mine = read_bounded(tiles, 1 << 26)
    try:
        theirs = read_tiles(other, len(mine))
        if len(theirs) != len(mine) or theirs[:head] != mine[:head]:
            raise Fault("tiles_mismatch", "The other frame's tiles are of another frame.")
    except Fault as fault:
        return finished(fault, [], side="b", pixels=pixel_count, equal=0.0, max_diff=255)
    count = (len(mine) - head) // 32
    same = sum(mine[at : at + 32] == theirs[at : at + 32] for at in range(head, len(mine), 32))
    return finished(None, [], side=None, pixels=pixel_count, equal=same / count, max_diff=0 if same == count else 255)


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
