"""Writes the EXR files that `exr` reads: one part, scan lines, 32-bit floats, ZIP, band by band from the top. No Blender."""

import os
import struct
import zlib

import numpy as np

from exr import EXR_MAGIC
from faults import Fault

ROWS = 16  # a ZIP block
LEVEL = 4  # as Blender's own
ZIP = b"\3"


class ExrWriter:
    """A file in the making: give it bands of whole blocks (a multiple of 16 rows, the last may be shorter).

    `names` are sorted channel names; what else the header says of layers and eyes follows from them.
    """

    def __init__(self, file, size, names):
        self.size, self.names, self.row = size, names, 0
        self.count = -(-size[1] // ROWS)
        self.places = []
        head = header(size, names)
        try:
            self.stream = open(file, "wb")
            self.table = len(head)
            self.stream.write(head + bytes(8 * self.count))
        except OSError as error:
            raise no_room(error) from None

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                self.stream.seek(self.table)
                self.stream.write(struct.pack(f"<{self.count}Q", *self.places))
        except OSError as error:
            raise no_room(error) from None
        finally:
            self.stream.close()

    def band(self, image):
        """The next rows: [rows, width, channel]."""
        for top in range(0, len(image), ROWS):
            raw = np.ascontiguousarray(image[top : top + ROWS].transpose(0, 2, 1), "<f4").tobytes()
            data = packed(raw)
            try:
                self.places.append(self.stream.tell())
                self.stream.write(struct.pack("<ii", self.row, len(data)) + data)
            except OSError as error:
                raise no_room(error) from None
            self.row += min(ROWS, len(image) - top)


def no_room(error):
    return Fault("out_of_space", f"The frame could not be written: {os.strerror(error.errno or 0)}.")


def packed(raw):
    """A block as ZIP has it: split in two halves, delta-coded, deflated; as it is where that is no shorter."""
    data = np.frombuffer(raw, np.uint8)
    split = np.concatenate((data[0::2], data[1::2]))
    delta = split.copy()
    delta[1:] -= split[:-1]
    delta[1:] += 128
    short = zlib.compress(delta.tobytes(), LEVEL)
    return short if len(short) < len(raw) else raw


def layers(names):
    """What Blender's own files say of layers and eyes, `name: (type, bytes)`."""
    if not any("." in name for name in names):
        return {}
    eyes = [eye for eye in ("left", "right") if any(f".{eye}." in name for name in names)]
    several = {"multiView": ("stringvector", b"".join(struct.pack("<i", len(eye)) + eye.encode() for eye in eyes))} if len(eyes) > 1 else {}
    return {"BlenderMultiChannel": ("string", b"Blender V2.55.1 and newer"), **several}


def header(size, names):
    """The head of the file, without the table of its blocks."""
    extras = layers(names)

    def field(name, kind, value):
        return name.encode() + b"\0" + kind.encode() + b"\0" + struct.pack("<i", len(value)) + value

    listed = b"".join(name.encode() + b"\0" + struct.pack("<iIii", 2, 0, 1, 1) for name in names) + b"\0"
    window = struct.pack("<4i", 0, 0, size[0] - 1, size[1] - 1)
    long_names = 0x400 if any(len(name.encode()) > 31 for name in [*names, *extras]) else 0
    return struct.pack("<II", EXR_MAGIC, 2 | long_names) + b"".join((
        field("channels", "chlist", listed), field("compression", "compression", ZIP), field("dataWindow", "box2i", window),
        field("displayWindow", "box2i", window), field("lineOrder", "lineOrder", b"\0"), field("pixelAspectRatio", "float", struct.pack("<f", 1)),
        field("screenWindowCenter", "v2f", struct.pack("<2f", 0, 0)), field("screenWindowWidth", "float", struct.pack("<f", 1)),
        *(field(name, kind, value) for name, (kind, value) in sorted(extras.items())),
    )) + b"\0"
