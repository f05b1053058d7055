"""Float images as bytes: tile hashes, crop files, distances.

Images are `numpy.float32` arrays [height, width, channel], top row first, channels in sorted name order.
"""

import hashlib
import struct
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from exr import CHANNELS_MAX
from faults import TILE, Fault, bad_file, read_bounded

TILES_MAGIC = b"TTIL1\0"
CROP_MAGIC = b"TCRP1\0"
EPSILON = 1e-3


def tile_file(image):
    """The bytes of a `.tiles` file: SHA-256 of every 64-pixel tile, row by row from the top left."""
    height, width, channels = image.shape
    rows = [tile_row(image[y : y + TILE]) for y in range(0, height, TILE)]
    return tile_head(width, height, channels) + b"".join(rows)


def tile_head(width, height, channels):
    return TILES_MAGIC + struct.pack("<4I", width, height, TILE, channels)


def tile_row(band):
    """The hashes of one row of tiles; `band` is the image's part of it."""
    tiles = (np.ascontiguousarray(band[:, x : x + TILE], "<f4") for x in range(0, band.shape[1], TILE))
    return b"".join(hashlib.sha256(tile.data).digest() for tile in tiles)


def tiles_of(opened, see=lambda top, band: None):
    """The bytes of the `.tiles` file of an opened EXR; `see` gets each of its bands on the way."""
    parts = [tile_head(opened.width, opened.height, len(opened.names))]
    for top, band in opened.bands():
        see(top, band)
        parts.append(tile_row(band))
    return b"".join(parts)


def tiles_by(opened, threads):
    """The same bytes, by so many threads: unpacking and hashing do not hold the interpreter."""
    with ThreadPoolExecutor(threads) as pool:
        rows = list(pool.map(lambda top: tile_row(opened.band(top)[1]), opened.tops()))
    return tile_head(opened.width, opened.height, len(opened.names)) + b"".join(rows)


def crop_file(image):
    """The bytes of a `.f32` crop file."""
    height, width, channels = image.shape
    return CROP_MAGIC + struct.pack("<3I", width, height, channels) + np.ascontiguousarray(image, "<f4").tobytes()


def read_crop(file, size=None, channels=None):
    """The image in a `.f32` crop file; `size` (w, h) and `channels`, where given, must match."""
    most = 18 + (1 << 26) * 4 if size is None else 18 + size[0] * size[1] * CHANNELS_MAX * 4
    try:
        data = read_bounded(file, most)
        if data[:6] != CROP_MAGIC or len(data) < 18:
            raise bad_file("The file is not a crop.")
        width, height, count = struct.unpack_from("<3I", data, 6)
        if not (width and height and 0 < count <= CHANNELS_MAX) or len(data) != 18 + width * height * count * 4:
            raise bad_file("The crop has another length than its header says.")
        if size is not None and (width, height) != tuple(size) or channels is not None and count != channels:
            raise bad_file("The crop has another size or number of channels than ordered.")
        image = np.frombuffer(data, "<f4", offset=18).reshape(height, width, count)
        if not np.isfinite(image).all():
            raise bad_file("The crop holds values that are not finite.")
    except Fault as fault:
        raise Fault("crop_malformed", fault.sentence) from None
    return image


def groups(names):
    """Channel indices grouped by layer, alpha apart: `[[R, G, B], [A], …]`."""
    found = {}
    for index, name in enumerate(names):
        layer, _, last = name.rpartition(".")
        found.setdefault((layer, last == "A"), []).append(index)
    return [found[key] for key in sorted(found)]


def colours(names):
    """The groups that are no alpha; all of them where there is nothing else."""
    found = groups(names)
    return [group for group in found if names[group[0]].rpartition(".")[2] != "A"] or found


def apart(a, b, diff, group):
    """The relative L1 distance of one group."""
    scale = (np.abs(a[..., group]).sum() + np.abs(b[..., group]).sum()) / 2
    return float(diff[..., group].sum() / max(scale, EPSILON * diff[..., group].size))


def distance(a, b, names):
    """How far image `a` is from `b` (README, "Distances"), as a dict of shares and ratios."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    worst = np.zeros(a.shape[:2])
    diff = np.abs(a - b)
    for group in groups(names):
        scale = np.maximum(np.abs(a[..., group]).max(-1), np.abs(b[..., group]).max(-1))
        worst = np.maximum(worst, diff[..., group].max(-1) / np.maximum(scale, EPSILON))
    n = worst.size
    return {
        "pixels": n,
        "equal": int((worst == 0).sum()) / n,
        "over_1e3": int((worst > 1e-3).sum()) / n,
        "over_1e2": int((worst > 1e-2).sum()) / n,
        "rel_l1": max(apart(a, b, diff, group) for group in colours(names)),
        "max_rel": float(worst.max()),
    }
