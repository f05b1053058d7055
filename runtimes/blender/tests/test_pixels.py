"""The strict EXR reader against OpenEXR's writer and against damage, tiles, crops, distances."""

import hashlib
import random
import struct

import numpy as np
import OpenEXR
import pytest

import exr
import pixels
from faults import Fault


def image(height=37, width=53, channels="ABGR", seed=5):
    made = np.random.default_rng(seed).random((height, width, len(channels)), np.float32)
    made[:, : width // 2] = 0.25  # a part that compresses
    return made


def write(file, made, names="ABGR", compression=OpenEXR.ZIP_COMPRESSION, kind=OpenEXR.scanlineimage):
    header = {"compression": compression, "type": kind}
    if kind == OpenEXR.tiledimage:
        header["tiles"] = OpenEXR.TileDescription()
    OpenEXR.File(header, {name: np.ascontiguousarray(made[..., i]) for i, name in enumerate(names)}).write(str(file))
    return file


@pytest.mark.parametrize("compression", [OpenEXR.ZIP_COMPRESSION, OpenEXR.ZIPS_COMPRESSION, OpenEXR.NO_COMPRESSION])
@pytest.mark.parametrize("size", [(37, 53), (16, 16), (1, 1), (33, 1)])
def test_reads_what_openexr_writes(tmp_path, compression, size):
    made = image(*size)
    got, names = exr.read_exr(write(tmp_path / "a.exr", made, compression=compression), (size[1], size[0]), 4)
    assert names == list("ABGR")
    assert (got == made).all()


def test_reads_layers(tmp_path):
    names = ["V.Combined.A", "V.Combined.R", "V.Depth.Z"]
    made = image(20, 20, "ABG")
    got, found = exr.read_exr(write(tmp_path / "a.exr", made, names))
    assert found == names and (got == made).all()
    assert pixels.groups(names) == [[1], [0], [2]]


def test_refuses_what_it_does_not_need(tmp_path):
    made = image()
    with pytest.raises(Fault, match="tiled"):
        exr.read_exr(write(tmp_path / "tiled.exr", made, kind=OpenEXR.tiledimage))
    with pytest.raises(Fault, match="32-bit"):
        exr.read_exr(write(tmp_path / "half.exr", made.astype(np.float16)))
    with pytest.raises(Fault, match="compression"):
        exr.read_exr(write(tmp_path / "piz.exr", made, compression=OpenEXR.PIZ_COMPRESSION))
    with pytest.raises(Fault) as fault:
        exr.read_exr(write(tmp_path / "size.exr", made), (53, 38))
    assert fault.value.code == "wrong_size"
    with pytest.raises(Fault, match="channels"):
        exr.read_exr(write(tmp_path / "channels.exr", made), (53, 37), 3)


def test_size_is_checked_before_anything_is_decoded(tmp_path):
    data = bytearray(write(tmp_path / "a.exr", image()).read_bytes())
    for name in (b"dataWindow\0", b"displayWindow\0"):
        at = data.index(name) + len(name) + len(b"box2i\0") + 4
        data[at + 8 : at + 16] = struct.pack("<2i", 16383, 16383)
    (tmp_path / "bomb.exr").write_bytes(data)
    with pytest.raises(Fault) as fault:
        exr.read_exr(tmp_path / "bomb.exr", (53, 37))
    assert fault.value.code == "wrong_size"


def test_damage_is_a_fault_and_never_a_crash(tmp_path):
    data = write(tmp_path / "a.exr", image()).read_bytes()
    dice, target, refused = random.Random(20180), tmp_path / "b.exr", 0
    for turn in range(1500):
        broken = bytearray(data)
        if turn % 3 == 0:
            broken = broken[: dice.randrange(len(broken))]
        else:
            reach = 400 if turn % 3 == 1 else len(broken)
            for _ in range(dice.randint(1, 8)):
                broken[dice.randrange(reach)] = dice.randrange(256)
        target.write_bytes(broken)
        try:
            got, _ = exr.read_exr(target, (53, 37), 4)
            assert got.shape == (37, 53, 4)
        except Fault as fault:
            refused += 1
            assert fault.code in ("bad_file", "wrong_size"), turn
    assert refused > 700


def test_deflate_bomb_is_cut(tmp_path):
    import zlib

    with pytest.raises(Fault, match="another length"):
        exr._unpack(zlib.compress(bytes(1 << 24)), 1000)


def test_tiles_are_hashes_of_pixels(tmp_path):
    made = image(70, 130)
    data = pixels.tile_file(made)
    assert data[:22] == b"TTIL1\0" + struct.pack("<4I", 130, 70, 64, 4)
    assert len(data) == 22 + 6 * 32
    last = made[64:70, 128:130]
    assert data[-32:] == hashlib.sha256(b"".join(struct.pack("<f", v) for v in last.reshape(-1))).digest()


def test_crop_files_round_trip_and_refuse_lies(tmp_path):
    made, file = image(8, 9), tmp_path / "c.f32"
    file.write_bytes(pixels.crop_file(made))
    assert (pixels.read_crop(file, (9, 8), 4) == made).all()
    nan = made.copy()
    nan[0, 0, 0] = np.nan
    for broken in (b"", b"TCRP1\0", pixels.crop_file(made)[:-1], b"TCRP1\0" + struct.pack("<3I", 1 << 31, 1 << 31, 64), pixels.crop_file(nan)):
        file.write_bytes(broken)
        with pytest.raises(Fault) as fault:
            pixels.read_crop(file)
        assert fault.value.code == "crop_malformed"


def test_distance_is_as_documented():
    a = np.full((2, 2, 4), 0.5, np.float32)
    a[..., 0] = 1.0
    b = a.copy()
    b[0, 0, 3] = 0.5 * 1.002  # one channel of one pixel by 0.2%
    b[0, 1, 0] = 0.9  # alpha alone
    got = pixels.distance(a, b, list("ABGR"))
    assert (got["pixels"], got["equal"], got["over_1e3"], got["over_1e2"]) == (4, 0.5, 0.5, 0.25)
    assert got["rel_l1"] == pytest.approx(0.001 / 6.0, rel=1e-2)
    dark = np.full((1, 1, 4), 1e-6, np.float32)
    assert pixels.distance(dark, dark * 2, list("ABGR"))["max_rel"] < 2e-3  # below the eye's floor noise does not count
