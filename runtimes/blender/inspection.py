"""The task `inspect`: what the open scene is, which files it needs, why it cannot be rendered, what a frame costs.

The report is the same for the same files on every machine, apart from `probe`, which measures this one.
"""

import os
import resource
import time

from blender import bpy

import assets
import blind
import camera
import compositor
import finish
import frozen
import passes
import refusals
import render
import scenes
import simulations
from exr import CHANNELS_MAX, exr_header
from faults import FRAME_MAX, Fault, integer, one_line, read_bounded

REFUSALS_MAX = 64
LAYERS_MAX = 64
CHANNELS_TOLD = 4096  # a frame with more is not even counted
FIRST_BYTES = 1 << 20  # of a frame of 4×4 pixels
PROBE_FRAMES_MAX = 8
PROBE_SHRINK = 8
PROBE_SIDE_MIN = 48
PROBE_TINY = 16


def inspect(session, request, folder):
    scene = render.require_scene(session)
    probe = request.get("probe", False)
    if not isinstance(probe, bool):
        raise Fault("bad_request", "`probe` must be true or false.")
    found = assets.listing(scene)
    objects = refusals.scene_objects(scene)
    reasons = session.lacking + [reason for reason in refusals.settings(scene) if not session.lacking or reason[0] != "wrong_engine"]
    reasons += refusals.libraries() + refusals.addons() + blind.faults(scene) + simulations.faults(scene, objects) + refusals.scripts()
    if found.total > assets.FILES_MAX:
        reasons.append(("too_many_files", f"The scene refers to {found.total} files, more than {assets.FILES_MAX}; pack or merge some."))
    closed = all(entry["found"] for entry in found.entries.values())
    report = {**describe(scene), "files": found.sorted(), "files_total": found.total, "channels": None, "probe": None}
    if probe and closed and not reasons:
        try:
            report["channels"], report["probe"] = measure(session, scene, request, folder)
        except Fault as fault:
            if fault.code != "too_many_passes":
                raise
            reasons.append((fault.code, fault.sentence))
    return {**report, "refusals": told(reasons), "warnings": told(found.warnings + warnings(scene))}


def told(pairs):
    unique = list(dict.fromkeys(pairs))
    return [{"code": code, "sentence": Fault(code, sentence).sentence} for code, sentence in unique[:REFUSALS_MAX]]


def describe(scene):
    width, height = scenes.full_size(scene)
    cycles = scene.render.engine == "CYCLES"
    fps = scene.render.fps / scene.render.fps_base
    num, den = (scene.render.fps, 1) if scene.render.fps_base == 1 else (round(fps * 1001), 1001)
    picture = camera.picture_size(scene, (width, height))
    return {
        "blender": bpy.app.version_string, "saved_by": "{}.{}".format(*bpy.data.version), "engine": scene.render.engine,
        "scene": scene.name, "camera": bool(camera.cameras(scene)), "width": width, "height": height,
        "samples": scene.cycles.samples if cycles else None, "fps": {"num": num, "den": den},
        "frame_start": scene.frame_start, "frame_end": scene.frame_end, "frame_step": scene.frame_step,
        "denoise": bool(cycles and scene.cycles.use_denoising), "adaptive": bool(cycles and scene.cycles.use_adaptive_sampling),
        "compositor": compositor.active(scene), "layers": [one_line(layer.name, 64) for layer in passes.layers(scene)[:LAYERS_MAX]],
        "cameras": [one_line(item.name, 64) for item in camera.cameras(scene)],
        "picture": {"width": picture[0], "height": picture[1]}, "stereo": camera.layout(scene), "panorama": camera.panorama(scene),
    }


def warnings(scene):
    cycles = scene.render.engine == "CYCLES"
    found = passes.warnings(scene) + compositor.warnings(scene) if cycles else []
    if scene.render.use_stamp:
        found.append(("stamp", "Burning metadata into the image is on; it is left out."))
    if scene.render.image_settings.file_format in ("FFMPEG", "JPEG"):
        found.append(("format", "The scene's own file format is not used; frames come as PNG, the animation as H.264 video."))
    if cycles and scene.cycles.device == "GPU":
        found.append(("device", "The scene is set to render on a GPU; it is rendered on processors unless you ask for graphics cards."))
    if scene.render.use_persistent_data:
        found.append(("persistent_data", "Persistent Data is on; it is left out, so that every frame can be checked alone."))
    if scene.render.use_multiview and scene.render.image_settings.views_format != "STEREO_3D":
        found.append(("stereo", "The two eyes come as one picture, the left one above the right one; the raw EXR holds both."))
    return found


def probe_frames(scene, request):
    wanted = request.get("frames")
    if wanted is None:
        middle = (scene.frame_start + scene.frame_end) // 2
        return sorted({scene.frame_start, middle, scene.frame_end})
    if not isinstance(wanted, list) or not 1 <= len(wanted) <= PROBE_FRAMES_MAX:
        raise Fault("bad_request", f"`frames` must be a list of 1 to {PROBE_FRAMES_MAX} frames.")
    return [integer({"frame": frame}, "frame", -FRAME_MAX, FRAME_MAX) for frame in wanted]


def measure(session, scene, request, folder):
    """`(channels, probe)`: renders a few frames whole but small, with all their samples, and finishes the last of them;
    what one full frame and its picture would take here follows."""
    wanted, ref, fixed, per_pixel = probe_frames(scene, request), [], [], []
    scratch, small_frame = os.path.join(folder, "probe.exr"), os.path.join(folder, "frame.exr")
    with frozen.Restored(scene):
        full = render.freeze(scene, request)
        small = shrunk(full)
        request = {**request, "width": small[0], "height": small[1]}
    with frozen.Restored(scene):
        render.freeze(scene, request)
        scene.frame_set(wanted[0])
        render.render_rectangle(scene, (0, 0, 4, 4), small, scratch)  # not counted: a first render also loads kernels, textures
        channels = count_channels(scratch)
        for done, frame in enumerate(wanted):
            started = time.monotonic()
            scene.frame_set(frame)
            _, _, least, _ = render.render_crop(scene, (0, 0, 4, 4), small, scratch)
            fixed.append((time.monotonic() - started) * 1000)
            wall, cpu = render.render_rectangle(scene, (0, 0, *small), small, small_frame)
            ref.append({
                "frame": frame, "width": small[0], "height": small[1], "pixels": small[0] * small[1],
                "samples": scene.cycles.samples, "render_ms": round(wall, 1), "cpu_ms": round(cpu, 1),
            })
            per_pixel.append(max(wall - least, 0.0) / (small[0] * small[1]))
            session.progress(90 * (done + 1) / len(wanted))
        render.render_rectangle(scene, (0, 0, PROBE_TINY, PROBE_TINY), small, scratch)
    pixels_each, tiny = full[0] * full[1], (PROBE_TINY, PROBE_TINY)
    finish_time(scene, wanted[-1], tiny, scratch)  # not counted, it warms up
    least, most = (finish_time(scene, wanted[-1], size, exr) for size, exr in ((tiny, scratch), (small, small_frame)))
    finish_ms = least + max(most - least, 0.0) * pixels_each / (small[0] * small[1])
    for file in (scratch, small_frame):
        os.unlink(file)
    mean_fixed = sum(fixed) / len(fixed)
    return channels, {
        "frames": wanted, "ref": ref, "load_ms": session.load_ms, "fixed_ms": round(mean_fixed, 1),
        "frame_ms": round(mean_fixed + sum(per_pixel) / len(per_pixel) * pixels_each, 1),
        "finish_ms": round(finish_ms, 1),
        "memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
    }


def count_channels(file):
    names = exr_header(read_bounded(file, FIRST_BYTES), CHANNELS_TOLD)[2]
    if len(names) > CHANNELS_MAX:
        raise Fault("too_many_passes", f"A frame has {len(names)} channels in its layers and passes, more than {CHANNELS_MAX}; switch some off in View Layer Properties > Passes.")
    return len(names)


def finish_time(scene, frame, size, exr):
    """Milliseconds that the picture of a frame of `size` takes here."""
    picture = os.path.join(os.path.dirname(exr), "probe.png")
    with frozen.Restored(scene):
        started = time.monotonic()
        finish.save(scene, exr, frame, size, picture)
        spent = (time.monotonic() - started) * 1000
    os.unlink(picture)
    return spent


def shrunk(full):
    """The probe's size: an eighth of each side, of small frames more, so that it covers every part of the picture."""
    factor = max(1, min(PROBE_SHRINK, min(full) // PROBE_SIDE_MIN))
    return max(full[0] // factor, 4), max(full[1] // factor, 4)
