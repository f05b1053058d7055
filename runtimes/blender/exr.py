"""A strict reader of the EXR files that renders write. No Blender.

The files are hostile: one part, scan lines, 32-bit floats, ZIP or no compression, every length checked before it is
allocated; anything else is a `Fault("bad_file")`, another size than asked for `Fault("wrong_size")`. Large frames are
read in bands of whole tile rows, so that memory depends on the width and not on the height.
"""

import os
import struct
import zlib

import numpy as np

from faults import PIXELS_MAX, SIZE_MAX, TILE, Fault, bad_file

EXR_MAGIC = 20000630
HEADER_BYTES = 64 << 10
CHANNELS_MAX = 128
FILE_BYTES = 4 << 30  # what a task may deliver
ROWS_PER_BLOCK = {0: 1, 2: 1, 3: 16}  # none, ZIPS, ZIP


def _text(data, at, end):
    stop = data.find(b"\0", at, min(end, at + 256))
    if stop < 0:
        raise bad_file("The EXR header has an unfinished name.")
    try:
        return data[at:stop].decode(), stop + 1
    except UnicodeDecodeError:
        raise bad_file("The EXR header has a name that is not UTF-8.") from None


def _channels(value, most):
    names, at = [], 0
    while at < len(value) and value[at]:
        name, at = _text(value, at, len(value))
        if at + 16 > len(value):
            raise bad_file("The EXR channel list is malformed.")
        if len(names) >= most:
            raise bad_file(f"The EXR has more than {most} channels.")
        kind, _, x, y = struct.unpack_from("<iIii", value, at)
        if (kind, x, y) != (2, 1, 1):
            raise bad_file("The EXR has channels that are not 32-bit floats at full resolution.")
        names.append(name)
        at += 16
    if not names or names != sorted(set(names)):
        raise bad_file("The EXR channel list is empty, unsorted or has doubles.")
    return names


def exr_header(data, most=CHANNELS_MAX):
    """`(width, height, channel names, compression, first row, offset of the block table)` of an EXR file's bytes."""
    end = min(len(data), HEADER_BYTES)
    if len(data) < 8 or struct.unpack_from("<I", data)[0] != EXR_MAGIC:
        raise bad_file("The file is not an EXR.")
    if struct.unpack_from("<I", data, 4)[0] & ~0x400 != 2:
        raise bad_file("The EXR is tiled, deep, multipart or of an unknown version; a plain scan line file is needed.")
    at, fields = 8, {}
    while True:
        if at >= end:
            raise bad_file("The EXR header is cut off or larger than 64 KiB.")
        if data[at] == 0:
            at += 1
            break
        name, at = _text(data, at, end)
        kind, at = _text(data, at, end)
        if at + 4 > end:
            raise bad_file("The EXR header is cut off.")
        size = struct.unpack_from("<I", data, at)[0]
        at += 4
        if size > end - at or name in fields:
            raise bad_file("The EXR header has a field of impossible length or twice.")
        fields[name] = data[at : at + size]
        at += size
    try:
        names = _channels(fields["channels"], most)
        compression = fields["compression"][0]
        x0, y0, x1, y1 = struct.unpack("<4i", fields["dataWindow"])
        display = struct.unpack("<4i", fields["displayWindow"])
        order = fields["lineOrder"][0]
    except (KeyError, IndexError, struct.error):
        raise bad_file("The EXR header lacks a required field.") from None
    width, height = x1 - x0 + 1, y1 - y0 + 1
    if not (0 < width <= SIZE_MAX and 0 < height <= SIZE_MAX):
        raise bad_file("The EXR has an impossible size.")
    if display != (x0, y0, x1, y1):
        raise bad_file("The EXR's data window is not its display window.")
    if compression not in ROWS_PER_BLOCK or order not in (0, 1):
        raise bad_file("The EXR's compression or line order is not supported; write it with ZIP.")
    return width, height, names, compression, y0, at


class Exr:
    """An opened EXR: its size, its channel names, its rows from the top.

    `size` (width, height) and `channels` (count), where given, must match the header before anything is decoded.
    """

    def __init__(self, file, size=None, channels=None):
        try:
            self.stream = open(file, "rb")
        except OSError as error:
            raise bad_file(f"The file {os.path.basename(file)} cannot be read: {error.strerror}.") from None
        try:
            self.bytes = os.fstat(self.stream.fileno()).st_size
            if self.bytes > FILE_BYTES:
                raise bad_file(f"The file {os.path.basename(file)} has {self.bytes} bytes, more than the {FILE_BYTES} allowed.")
            head = self.stream.read(HEADER_BYTES)
            self.width, self.height, self.names, compression, self.first_row, at = exr_header(head)
            if size is not None and (self.width, self.height) != tuple(size):
                raise Fault("wrong_size", f"The image is {self.width}×{self.height} pixels, {size[0]}×{size[1]} were ordered.")
            if self.width * self.height > PIXELS_MAX:
                raise bad_file("The EXR has an impossible size.")
            if channels is not None and len(self.names) != channels:
                raise bad_file(f"The EXR has {len(self.names)} channels, {channels} were ordered.")
            self.rows = ROWS_PER_BLOCK[compression]
            self.blocks = self.places(at)
        except BaseException:
            self.stream.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stream.close()

    def places(self, at):
        """Where each block of rows lies in the file, from the top, each exactly once."""
        count = -(-self.height // self.rows)
        self.stream.seek(at)
        table = self.stream.read(8 * count)
        if len(table) != 8 * count:
            raise bad_file("The EXR is cut off.")
        found = [None] * count
        for offset in struct.unpack(f"<{count}Q", table):
            if offset + 8 > self.bytes:
                raise bad_file("The EXR points outside itself.")
            self.stream.seek(offset)
            y, packed = struct.unpack("<iI", self.stream.read(8))
            block = (y - self.first_row) // self.rows
            wrong = (y - self.first_row) % self.rows or not 0 <= block < count or found[block] is not None
            if wrong or offset + 8 + packed > self.bytes or packed > self.block_bytes(block):
                raise bad_file("The EXR has a malformed block.")
            found[block] = (offset + 8, packed)
        return found

    def block_rows(self, block):
        return min(self.rows, self.height - block * self.rows)

    def block_bytes(self, block):
        return self.block_rows(block) * self.width * len(self.names) * 4

    def bands(self):
        """`(top row, image)` of the frame's bands of `TILE` rows, top first; images are [rows, width, channel]."""
        return map(self.band, self.tops())

    def tops(self):
        """The top row of each band."""
        return range(0, self.height, TILE)

    def band(self, top):
        """`(top, image)` of one band; several threads may ask at once."""
        blocks = range(top // self.rows, min((top + TILE) // self.rows, len(self.blocks)))
        rows = sum(self.block_rows(block) for block in blocks)
        out, at = np.empty((rows, self.width, len(self.names)), np.float32), 0
        for block in blocks:
            count = self.block_rows(block)
            out[at : at + count] = self.block(block)
            at += count
        return top, out

    def block(self, block):
        offset, packed = self.blocks[block]
        raw = _unpack(os.pread(self.stream.fileno(), packed, offset), self.block_bytes(block))
        return np.frombuffer(raw, "<f4").reshape(self.block_rows(block), len(self.names), self.width).transpose(0, 2, 1)


def read_exr(file, size=None, channels=None):
    """`(image, channel names)` of a whole EXR file; for frames, `Exr.bands` needs less memory."""
    with Exr(file, size, channels) as opened:
        parts = [band for _, band in opened.bands()]
        return np.concatenate(parts), opened.names


def _unpack(packed, size):
    """One block: stored as it is where it has its full size, else deflated, delta-coded and split in two halves."""
    if len(packed) == size:
        return packed
    unzip = zlib.decompressobj()
    try:
        raw = unzip.decompress(packed, size + 1)
    except zlib.error:
        raise bad_file("The EXR's compressed data are damaged.") from None
    if len(raw) != size:
        raise bad_file("The EXR's compressed data have another length than its header says.")
    delta = np.frombuffer(raw, np.uint8).copy()
    delta[1:] -= 128
    delta = np.cumsum(delta, dtype=np.uint8)
    half = (size + 1) // 2
    joined = np.empty(size, np.uint8)
    joined[0::2], joined[1::2] = delta[:half], delta[half:]
    return joined.tobytes()


def split_views(opened, files):
    """Writes the channels of each eye of an opened layered EXR, without its name in theirs, as `files[eye]`, uncompressed."""
    parts = {eye: [(index, spoken(name, eye)) for index, name in enumerate(opened.names) if spoken(name, eye)] for eye in files}
    streams = {}
    try:
        for eye, file in files.items():
            parts[eye].sort(key=lambda pair: pair[1].encode())
            streams[eye] = open(file, "wb")
            streams[eye].write(plain_header(opened.width, opened.height, [name for _, name in parts[eye]]))
        for top, band in opened.bands():
            for eye, stream in streams.items():
                part = np.ascontiguousarray(band[..., [index for index, _ in parts[eye]]].transpose(0, 2, 1), "<f4")
                for row, line in enumerate(part):
                    stream.write(struct.pack("<ii", top + row, line.nbytes) + line.tobytes())
    except OSError as error:
        raise Fault("out_of_space", f"A part of the frame could not be written: {error.strerror}.") from None
    finally:
        for stream in streams.values():
            stream.close()


def spoken(name, eye):
    """`Layer.Pass.R` for a channel `Layer.Pass.left.R` of the eye `left`; None for the other eye's."""
    layer, _, last = name.rpartition(".")
    return f"{layer.removesuffix('.' + eye)}.{last}" if layer.endswith("." + eye) else None


def plain_header(width, height, names):
    """The head of an uncompressed EXR of 32-bit floats, with its table of lines."""
    def field(name, kind, value):
        return name.encode() + b"\0" + kind.encode() + b"\0" + struct.pack("<i", len(value)) + value

    listed = b"".join(name.encode() + b"\0" + struct.pack("<iIii", 2, 0, 1, 1) for name in names) + b"\0"
    window = struct.pack("<4i", 0, 0, width - 1, height - 1)
    head = struct.pack("<II", EXR_MAGIC, 2 | (0x400 if any(len(name.encode()) > 31 for name in names) else 0)) + b"".join((
        field("channels", "chlist", listed), field("compression", "compression", b"\0"), field("dataWindow", "box2i", window),
        field("displayWindow", "box2i", window), field("lineOrder", "lineOrder", b"\0"), field("pixelAspectRatio", "float", struct.pack("<f", 1)),
        field("screenWindowCenter", "v2f", struct.pack("<2f", 0, 0)), field("screenWindowWidth", "float", struct.pack("<f", 1)),
    )) + b"\0"
    line, first = 8 + width * len(names) * 4, len(head) + 8 * height
    return head + b"".join(struct.pack("<Q", first + row * line) for row in range(height))
