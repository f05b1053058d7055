"""How surely one light audit sees each cheat, and how often it wrongs the honest: `detect.py DEMO_SCENE.blend`.

An audit is what the platform orders: six crops of 0.16% of the frame, at least 16 pixels wide and high, thrown anywhere they touch it. It
*contradicts* the claim where more than 1.5% of the pixels of any crop differ by more than a thousandth, and *holds* it back where it
neither passes nor contradicts. Prints the tables of docs/benchmarks.md. Seeded. Crops of the cheats' audits are cut from the honest
frame, which the honest crops, really rendered (one by one, on one thread, against a frame rendered on two), show to be the same.
"""

import math
import os
import random
import sys
import tempfile

import numpy as np

import calibrate
import pixels
import scenes
from blender import bpy

SEED = 20261127
FRAMES = (3, 17)
AUDITS = 10  # of each claim about each frame
CROPS, SHARE, LEAST = 6, 0.0016, 16
HONEST_FRAMES, HONEST_CROPS = (2, 9, 16, 23), 270  # of each scene
FAIL, PASS, PASS_L1 = 0.015, 0.0095, 0.005


def thrown(size, dice):
    """One crop, as `evidence::draw` throws it."""
    short, long = min(size), max(size)
    a = max(LEAST, int(math.sqrt(short * short * SHARE)))
    b = max(LEAST, int(size[0] * size[1] * SHARE / a))
    w, h = (a, b) if size[0] <= size[1] else (b, a)
    place = [min(max(dice.randrange(frame + edge - 1) - (edge - 1), 0), frame - edge) for edge, frame in ((w, size[0]), (h, size[1]))]
    return (*place, w, h)


def judged(found):
    if any(one["over_1e3"] > FAIL for one in found):
        return "contradicted"
    return "passed" if all(one["over_1e3"] <= PASS and one["rel_l1"] <= PASS_L1 for one in found) else "held"


def cut(image, rectangle):
    x, y, w, h = rectangle
    return image[y : y + h, x : x + w]


def tone(image, names, factor):
    return np.where(np.array([name.endswith("A") for name in names]), image, image * np.float32(factor))


def smaller(scene, frame, folder, size, part):
    small, _, _ = calibrate.whole(scene, frame, folder, width=max(int(size[0] * part), 4), height=max(int(size[1] * part), 4))
    return calibrate.upscaled(small, size)


def patched(honest, other, share, dice):
    """`honest` with so large a part of its area taken from `other`, in one rectangle."""
    height, width = honest.shape[:2]
    h, w = round(height * math.sqrt(share)), round(width * math.sqrt(share))
    y, x = dice.randrange(height - h + 1), dice.randrange(width - w + 1)
    made = honest.copy()
    made[y : y + h, x : x + w] = other[y : y + h, x : x + w]
    return made


def bounces(scene, factor):
    kinds = ("max_bounces", "diffuse_bounces", "glossy_bounces", "transmission_bounces", "volume_bounces")
    kept = {kind: getattr(scene.cycles, kind) for kind in kinds}
    for kind, count in kept.items():
        setattr(scene.cycles, kind, factor(count))
    return lambda: [setattr(scene.cycles, kind, count) for kind, count in kept.items()]


def claims(scene, frame, folder, dice):
    """`(family, strength, image)` of each cheat, strongest last; the honest frame first."""
    size, n, seed = scenes.full_size(scene), scene.cycles.samples, scene.cycles.seed
    honest, names, _ = calibrate.whole(scene, frame, folder)
    yield "honest", "", honest, names
    for words, samples in (("one fewer", n - 1), ("three quarters", 3 * n // 4), ("half", n // 2)):
        yield "fewer samples", words, calibrate.whole(scene, frame, folder, samples=max(samples, 1))[0], names
    for words, part in (("95%", 0.95), ("75%", 0.75), ("50%", 0.5)):
        yield "smaller, enlarged", words, smaller(scene, frame, folder, size, part), names
    for words, other in (("the one before", frame - 1), ("five before", frame - 5), ("the first", 1)):
        yield "another frame", words, calibrate.whole(scene, max(other, 1), folder)[0], names
    for words, factor in (("×1.0012", 1.0012), ("×1.002", 1.002), ("×1.02", 1.02)):
        yield "tone", words, tone(honest, names, factor), names
    for words, factor in (("one fewer", lambda n: max(n - 1, 0)), ("half", lambda n: n // 2), ("one", lambda n: min(n, 1))):
        yield "fewer bounces", words, calibrate.whole(scene, frame, folder, change=lambda s, f=factor: bounces(s, f))[0], names
    other = calibrate.whole(scene, frame, folder, seed=seed + 1)[0]
    for words, share in (("10% of the area", 0.1), ("40% of the area", 0.4), ("all", 1.0)):
        yield "another seed", words, patched(honest, other, share, dice), names


def interval(hits, n):
    """Wilson's 95% interval of a share."""
    z, p = 1.96, hits / n
    middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)


def detect(name, scene, folder, rows):
    dice, size = random.Random(SEED), scenes.full_size(scene)
    for frame in FRAMES:
        honest = None
        for family, strength, image, names in claims(scene, frame, folder, dice):
            if honest is None:
                honest = image
                continue
            for _ in range(AUDITS):
                places = [thrown(size, dice) for _ in range(CROPS)]
                found = [pixels.distance(cut(image, place), cut(honest, place), names) for place in places]
                rows.setdefault((family, strength), []).append(judged(found))
        print(f"{name}: cheats at frame {frame}", file=sys.stderr, flush=True)


def honest(name, scene, folder, found):
    dice, size = random.Random(SEED + 1), scenes.full_size(scene)
    for frame in HONEST_FRAMES:
        image, names, _ = calibrate.whole(scene, frame, folder, threads=2)
        places = [thrown(size, dice) for _ in range(HONEST_CROPS)]
        for place, crop in zip(places, calibrate.crops_of(scene, frame, places, folder, 1)):
            found.append(pixels.distance(cut(image, place), crop, names))
        print(f"{name}: {HONEST_CROPS} honest crops of frame {frame}", file=sys.stderr, flush=True)


def main(file):
    rows, found = {}, []
    with tempfile.TemporaryDirectory() as folder:
        scenes.open_scene(os.path.abspath(file))
        stages = [("demo", bpy.context.scene)]
        for name, scene in stages:
            honest(name, scene, folder, found)
            detect(name, scene, folder, rows)
        for name, adaptive in (("adaptive", True), ("hard", False)):
            scene = calibrate.built(adaptive)
            honest(name, scene, folder, found)
            detect(name, scene, folder, rows)
    print("| cheat | strength | audits | contradicted | 95% interval | held back | passed |\n|---|---|---|---|---|---|---|")
    for (family, strength), verdicts in rows.items():
        n, hits, held = len(verdicts), verdicts.count("contradicted"), verdicts.count("held")
        low, high = interval(hits, n)
        print(f"| {family} | {strength} | {n} | {100 * hits / n:.0f}% | {100 * low:.0f}–{100 * high:.0f}% | {100 * held / n:.0f}% | {100 * (n - hits - held) / n:.0f}% |")
    bad = sum(judged([one]) != "passed" for one in found)
    equal = sum(one["equal"] == 1 for one in found)
    print(f"honest crops: {len(found)}, bit-equal {equal}, not passed {bad}; 95% interval of the share {100 * interval(bad, len(found))[1]:.2f}% at most")


if __name__ == "__main__":
    main(sys.argv[1])
