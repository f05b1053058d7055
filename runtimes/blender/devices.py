"""What renders: the processor, or this session's graphics card by CUDA, OptiX or HIP.

Owns how Cycles is told, and the refusals where it cannot. Left to itself Cycles renders on the processor, without a word,
where it finds no card: a picture that is compared with those of cards must not come about like that.
"""

import re

from blender import bpy

import scenes
from faults import Fault, one_line

TYPES = {"cuda": ("CUDA", "CUDA"), "optix": ("OPTIX", "OptiX"), "hip": ("HIP", "HIP")}  # name: (of Cycles, of people)
LOADERS = {"cuda": "CUEW", "optix": "CUEW", "hip": "HIPEW"}  # who speaks of a driver's library that Cycles cannot open


def named(request):
    """The device of a request; the processor where it names none."""
    device = request.get("device")
    if device is None:
        return "cpu"
    if device != "cpu" and device not in TYPES:
        raise Fault("bad_request", f"The device is unknown; it must be one of cpu, {', '.join(TYPES)}.")
    return device


def choose(scene, request):
    """Makes `scene` render on the request's device and on nothing else; its name, as the driver or the system tells it."""
    device = named(request)
    if device == "cpu":
        scene.cycles.device = "CPU"
        return "CPU"
    kind, words = TYPES[device]
    with scenes.Overheard() as overheard:
        cards = found(kind)
    if not cards:
        said = re.search(f"{LOADERS[device]} .{{1,160}}", overheard.text)
        why = f" ({one_line(said[0], 160).rstrip('.')})" if said else ""
        raise Fault("no_device", f"Blender finds no graphics card here that renders by {words}{why}; see to its driver.")
    for entry in preferences().devices:
        entry.use = False
    cards[0].use = True  # a session is shown one card; of more, one renders, as one renders elsewhere
    scene.cycles.device = "GPU"
    if not on_card(scene):
        raise Fault("no_device", f"Blender does not take the graphics card {one_line(cards[0].name, 100)}; see to its driver.")
    return one_line(cards[0].name, 100)


def on_card(scene):
    """Whether a graphics card renders the scene as it is set up now."""
    return scene.cycles.device == "GPU" and preferences().has_active_device()


def found(kind):
    """Cards of Cycles' device type `kind`, made known to it."""
    settings = preferences()
    try:
        settings.compute_device_type = kind
        present = {device[2] for device in settings.get_device_list(kind) if device[1] == kind}
    except (TypeError, ValueError):
        raise Fault("no_device", f"This Blender was built without {kind}.") from None
    return [entry for entry in settings.devices if entry.type == kind and entry.id in present]


def preferences():
    addon = bpy.context.preferences.addons.get("cycles")
    if addon is None:
        raise Fault("no_environment", "Cycles is not switched on in this environment; make it anew.")
    return addon.preferences
