"""The task `check_device`: whether a device renders what the processor renders, before its machine offers it.

A card whose driver is missing, too old or broken is told apart here, in the sandbox that its work would run in.
"""

import os
import time

import numpy

import benchmark
import devices
import frozen
import render
from exr import read_exr
from faults import Fault

SEED, EDGE, SAMPLES = 1, 128, 16
# Mean difference of the two pictures over their mean. Where kernels are sound they differ by rounding and by what that tips over;
# this catches black, garbled and half pictures, no more.
UNLIKE = 0.05


def check(session, request, folder):
    scene = benchmark.prepare(session, {"seed": SEED, "width": EDGE, "height": EDGE, "samples": SAMPLES})
    device = devices.named(request)
    name = devices.choose(scene, {"device": device})
    first, _ = picture(scene, device, folder)
    again, took = picture(scene, device, folder)  # the first may have compiled kernels
    expected, processor = picture(scene, "cpu", folder)
    unlike = distance(first, expected)
    if not unlike <= UNLIKE:
        raise Fault("wrong_pixels", f"The card {name} renders another picture than the processor does (by {unlike:.1%}); update its driver.")
    if not distance(first, again) <= UNLIKE:
        raise Fault("wrong_pixels", f"The card {name} renders the same picture differently each time; update its driver.")
    return {
        "device": device, "name": name, "width": EDGE, "height": EDGE, "samples": SAMPLES,
        "render_ms": round(took), "processor_ms": round(processor),
        "unlike_ppm": round(unlike * 1e6), "equal_ppm": round(float((first == expected).all(axis=2).mean()) * 1e6),
        "repeats_exactly": bool((first == again).all()),
    }


def picture(scene, device, folder):
    """`(float32 image, ms)` of the scene on `device`."""
    file = os.path.join(folder, "check.exr")
    with frozen.Restored(scene):
        size = render.freeze(scene, {"device": device})
        scene.frame_set(1)
        began = time.monotonic()
        render.render_file(scene, file)
        took = (time.monotonic() - began) * 1000
    image, _ = read_exr(file, size)
    os.unlink(file)
    return image, took


def distance(image, expected):
    """Mean absolute difference over the mean; NaN where `image` has values that are no numbers, which is no pass."""
    return float(numpy.abs(image.astype(numpy.float64) - expected).mean() / max(numpy.abs(expected).mean(), 1e-9))
