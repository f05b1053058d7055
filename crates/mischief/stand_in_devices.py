"""A stand-in for `devices.py` where no graphics card is: what is asked of a card is rendered on the processor, a shade brighter.

The shade tells such pictures from those of processors: who compares the two finds them different, in every pixel.
"""

from faults import Fault

SHADE = 1.002
NAMES = ("cpu", "cuda", "optix")
SEEN = {}  # scene: its own exposure


def named(request):
    device = request.get("device") or "cpu"
    if device not in NAMES:
        raise Fault("no_device", "The stand-in has no such card.")
    return device


def on_card(scene):
    return False


def choose(scene, request):
    device = named(request)
    exposure = SEEN.setdefault(scene.name, scene.cycles.film_exposure)
    scene.cycles.device = "CPU"
    scene.cycles.film_exposure = exposure if device == "cpu" else exposure * SHADE
    return "stand-in"
