"""Float images as bytes: a strict reader of the EXR files that renders write, tile hashes, crop files, distances.

Images are `numpy.float32` arrays [height, width, channel], top row first, channels in sorted name order. The reader
decodes hostile files: it takes one part, scan lines, 32-bit floats, ZIP or no compression, and checks every length
before it allocates. Anything else is a `Fault("bad_file")`; another size than asked for is `Fault("wrong_size")`.
"""

import hashlib
import os
import struct
import zlib

import numpy as np

from faults import SIZE_MAX, TILE, Fault

EXR_MAGIC = 20000630
HEADER_BYTES = 64 << 10
CHANNELS_MAX = 64
TILES_MAGIC = b"TTIL1\0"
CROP_MAGIC = b"TCRP1\0"
EPSILON = 1e-3
ROWS_PER_BLOCK = {0: 1, 2: 1, 3: 16}  # none, ZIPS, ZIP


def bad(sentence):
    return Fault("bad_file", sentence)


def read_bounded(file, limit):
    """The bytes of `file`, refused where it is no regular file or longer than `limit` bytes."""
    try:
        with open(file, "rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            if size > limit:
                raise bad(f"The file {os.path.basename(file)} has {size} bytes, more than the {limit} allowed.")
            return stream.read(limit + 1)
    except OSError as error:
        raise bad(f"The file {os.path.basename(file)} cannot be read: {error.strerror}.") from None


def _text(data, at, end):
    stop = data.find(b"\0", at, min(end, at + 256))
    if stop < 0:
        raise bad("The EXR header has an unfinished name.")
    try:
        return data[at:stop].decode("ascii"), stop + 1
    except UnicodeDecodeError:
        raise bad("The EXR header has a name that is not ASCII.") from None


def _channels(value):
    names, at = [], 0
    while at < len(value) and value[at]:
        name, at = _text(value, at, len(value))
        if at + 16 > len(value) or len(names) >= CHANNELS_MAX:
            raise bad("The EXR channel list is malformed.")
        kind, _, x, y = struct.unpack_from("<iIii", value, at)
        if (kind, x, y) != (2, 1, 1):
            raise bad("The EXR has channels that are not 32-bit floats at full resolution.")
        names.append(name)
        at += 16
    if not names or names != sorted(set(names)):
        raise bad("The EXR channel list is empty, unsorted or has doubles.")
    return names


def exr_header(data):
    """`(width, height, channel names, compression, first row, offset of the block table)` of an EXR file's bytes."""
    end = min(len(data), HEADER_BYTES)
    if len(data) < 8 or struct.unpack_from("<I", data)[0] != EXR_MAGIC:
        raise bad("The file is not an EXR.")
    if struct.unpack_from("<I", data, 4)[0] & ~0x400 != 2:
        raise bad("The EXR is tiled, deep, multipart or of an unknown version; a plain scan line file is needed.")
    at, fields = 8, {}
    while True:
        if at >= end:
            raise bad("The EXR header is cut off or larger than 64 KiB.")
        if data[at] == 0:
            at += 1
            break
        name, at = _text(data, at, end)
        kind, at = _text(data, at, end)
        if at + 4 > end:
            raise bad("The EXR header is cut off.")
        size = struct.unpack_from("<I", data, at)[0]
        at += 4
        if size > end - at or name in fields:
            raise bad("The EXR header has a field of impossible length or twice.")
        fields[name] = data[at : at + size]
        at += size
    try:
        names = _channels(fields["channels"])
        compression = fields["compression"][0]
        x0, y0, x1, y1 = struct.unpack("<4i", fields["dataWindow"])
        display = struct.unpack("<4i", fields["displayWindow"])
        order = fields["lineOrder"][0]
    except (KeyError, IndexError, struct.error):
        raise bad("The EXR header lacks a required field.") from None
    width, height = x1 - x0 + 1, y1 - y0 + 1
    if not (0 < width <= SIZE_MAX and 0 < height <= SIZE_MAX):
        raise bad("The EXR has an impossible size.")
    if display != (x0, y0, x1, y1):
        raise bad("The EXR's data window is not its display window.")
    if compression not in ROWS_PER_BLOCK or order not in (0, 1):
        raise bad("The EXR's compression or line order is not supported; write it with ZIP.")
    return width, height, names, compression, y0, at


def read_exr(file, size=None, channels=None):
    """`(image, channel names)` of an EXR file.

    `size` (width, height) and `channels` (count), where given, must match the header before anything is decoded.
    """
    most = (1 << 20) + (SIZE_MAX * SIZE_MAX * 4 * 4 if size is None else size[0] * size[1] * 4 * CHANNELS_MAX * 5 // 4)
    data = read_bounded(file, most)
    width, height, names, compression, y0, at = exr_header(data)
    if size is not None and (width, height) != tuple(size):
        raise Fault("wrong_size", f"The image is {width}×{height} pixels, {size[0]}×{size[1]} were ordered.")
    if channels is not None and len(names) != channels:
        raise bad(f"The EXR has {len(names)} channels, {channels} were ordered.")
    rows = ROWS_PER_BLOCK[compression]
    blocks = -(-height // rows)
    if at + 8 * blocks > len(data):
        raise bad("The EXR is cut off.")
    out = np.empty((height, width, len(names)), np.float32)
    seen = np.zeros(blocks, bool)
    for offset in struct.unpack_from(f"<{blocks}Q", data, at):
        if offset + 8 > len(data):
            raise bad("The EXR points outside itself.")
        y, packed = struct.unpack_from("<iI", data, offset)
        block = (y - y0) // rows
        if (y - y0) % rows or not 0 <= block < blocks or seen[block] or offset + 8 + packed > len(data):
            raise bad("The EXR has a malformed block.")
        seen[block] = True
        top = block * rows
        count = min(rows, height - top)
        raw = _unpack(data[offset + 8 : offset + 8 + packed], count * width * len(names) * 4)
        out[top : top + count] = np.frombuffer(raw, "<f4").reshape(count, len(names), width).transpose(0, 2, 1)
    return out, names


def _unpack(packed, size):
    """One block: stored as it is where it has its full size, else deflated, delta-coded and split in two halves."""
    if len(packed) == size:
        return packed
    unzip = zlib.decompressobj()
    try:
        raw = unzip.decompress(packed, size + 1)
    except zlib.error:
        raise bad("The EXR's compressed data are damaged.") from None
    if len(raw) != size:
        raise bad("The EXR's compressed data have another length than its header says.")
    delta = np.frombuffer(raw, np.uint8).copy()
    delta[1:] -= 128
    delta = np.cumsum(delta, dtype=np.uint8)
    half = (size + 1) // 2
    joined = np.empty(size, np.uint8)
    joined[0::2], joined[1::2] = delta[:half], delta[half:]
    return joined.tobytes()


def tile_file(image):
    """The bytes of a `.tiles` file: SHA-256 of every 64-pixel tile, row by row from the top left."""
    height, width, channels = image.shape
    parts = [TILES_MAGIC, struct.pack("<4I", width, height, TILE, channels)]
    for y in range(0, height, TILE):
        for x in range(0, width, TILE):
            tile = np.ascontiguousarray(image[y : y + TILE, x : x + TILE], "<f4")
            parts.append(hashlib.sha256(tile.data).digest())
    return b"".join(parts)


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
            raise bad("The file is not a crop.")
        width, height, count = struct.unpack_from("<3I", data, 6)
        if not (width and height and 0 < count <= CHANNELS_MAX) or len(data) != 18 + width * height * count * 4:
            raise bad("The crop has another length than its header says.")
        if size is not None and (width, height) != tuple(size) or channels is not None and count != channels:
            raise bad("The crop has another size or number of channels than ordered.")
        image = np.frombuffer(data, "<f4", offset=18).reshape(height, width, count)
        if not np.isfinite(image).all():
            raise bad("The crop holds values that are not finite.")
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


def distance(a, b, names):
    """How far image `a` is from `b` (README, "Distances"), as a dict of shares and ratios."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    worst = np.zeros(a.shape[:2])
    diff = np.abs(a - b)
    for group in groups(names):
        scale = np.maximum(np.abs(a[..., group]).max(-1), np.abs(b[..., group]).max(-1))
        worst = np.maximum(worst, diff[..., group].max(-1) / np.maximum(scale, EPSILON))
    colour = [i for i, name in enumerate(names) if name.rpartition(".")[2] != "A"] or list(range(len(names)))
    scale = (np.abs(a[..., colour]).sum() + np.abs(b[..., colour]).sum()) / 2
    n = worst.size
    return {
        "pixels": n,
        "equal": int((worst == 0).sum()) / n,
        "over_1e3": int((worst > 1e-3).sum()) / n,
        "over_1e2": int((worst > 1e-2).sum()) / n,
        "rel_l1": float(diff[..., colour].sum() / max(scale, EPSILON * n * len(colour))),
        "max_rel": float(worst.max()),
    }
