"""The task `inspect`: what the open scene is, which files it needs, why it cannot be rendered, what a frame costs.

The report is the same for the same files on every machine, apart from `probe`, which measures this one.
"""

import os
import time

from blender import bpy

import assets
import refusals
import render
import scenes
from faults import FRAME_MAX, Fault, integer

REFUSALS_MAX = 64
PROBE_FRAMES_MAX = 8
PROBE_SHRINK = 8
PROBE_SIDE_MIN = 48


def inspect(session, request, folder):
    scene = render.require_scene(session)
    probe = request.get("probe", False)
    if not isinstance(probe, bool):
        raise Fault("bad_request", "`probe` must be true or false.")
    found = assets.listing(scene)
    objects = refusals.scene_objects(scene)
    reasons = refusals.settings(scene) + refusals.simulations(scene, objects) + refusals.scripts(scene, objects)
    if found.total > assets.FILES_MAX:
        reasons.append(("too_many_files", f"The scene refers to {found.total} files, more than {assets.FILES_MAX}; pack or merge some."))
    closed = all(entry["found"] for entry in found.entries.values())
    return {
        **describe(scene), "files": found.sorted(), "files_total": found.total,
        "refusals": told(reasons), "warnings": told(found.warnings + warnings(scene)),
        "probe": measure(session, scene, request, folder) if probe and closed and not reasons else None,
    }


def told(pairs):
    unique = list(dict.fromkeys(pairs))
    return [{"code": code, "sentence": Fault(code, sentence).sentence} for code, sentence in unique[:REFUSALS_MAX]]


def describe(scene):
    width, height = scenes.full_size(scene)
    cycles = scene.render.engine == "CYCLES"
    fps = scene.render.fps / scene.render.fps_base
    num, den = (scene.render.fps, 1) if scene.render.fps_base == 1 else (round(fps * 1001), 1001)
    return {
        "blender": bpy.app.version_string, "saved_by": "{}.{}".format(*bpy.data.version), "engine": scene.render.engine,
        "scene": scene.name, "camera": scene.camera is not None, "width": width, "height": height,
        "samples": scene.cycles.samples if cycles else None, "fps": {"num": num, "den": den},
        "frame_start": scene.frame_start, "frame_end": scene.frame_end, "frame_step": scene.frame_step,
        "denoise": bool(cycles and scene.cycles.use_denoising), "adaptive": bool(cycles and scene.cycles.use_adaptive_sampling),
    }


def warnings(scene):
    found = []
    if scene.render.use_stamp:
        found.append(("stamp", "Burning metadata into the image is on; it is left out."))
    if scene.render.image_settings.file_format in ("FFMPEG", "JPEG"):
        found.append(("format", "The scene's own file format is not used; frames come as PNG, the animation as H.264 video."))
    if scene.render.engine == "CYCLES" and scene.cycles.device == "GPU":
        found.append(("device", "The scene is set to render on a GPU; here it is rendered on processors."))
    if scene.render.use_persistent_data:
        found.append(("persistent_data", "Persistent Data is on; it is left out, so that every frame can be checked alone."))
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
    """Renders a few frames whole but small, with all their samples; what one full frame would take here follows."""
    wanted, ref, fixed, per_pixel = probe_frames(scene, request), [], [], []
    scratch = os.path.join(folder, "probe.exr")
    with render.Restored(scene):
        full = render.freeze(scene, request)
        small = shrunk(full)
        request = {**request, "width": small[0], "height": small[1]}
        render.freeze(scene, request)
        scene.frame_set(wanted[0])
        render.render_crop(scene, (0, 0, 4, 4), small, scratch)  # not counted: a first render also loads kernels, textures
        for done, frame in enumerate(wanted):
            started = time.monotonic()
            scene.frame_set(frame)
            _, _, least, _ = render.render_crop(scene, (0, 0, 4, 4), small, scratch)
            fixed.append((time.monotonic() - started) * 1000)
            _, _, wall, cpu = render.render_crop(scene, (0, 0, *small), small, scratch)
            ref.append({
                "frame": frame, "width": small[0], "height": small[1], "pixels": small[0] * small[1],
                "samples": scene.cycles.samples, "render_ms": round(wall, 1), "cpu_ms": round(cpu, 1),
            })
            per_pixel.append(max(wall - least, 0.0) / (small[0] * small[1]))
            session.progress(100 * (done + 1) / len(wanted))
    mean_fixed = sum(fixed) / len(fixed)
    return {
        "frames": wanted, "ref": ref, "load_ms": session.load_ms, "fixed_ms": round(mean_fixed, 1),
        "frame_ms": round(mean_fixed + sum(per_pixel) / len(per_pixel) * full[0] * full[1], 1),
    }


def shrunk(full):
    """The probe's size: an eighth of each side, of small frames more, so that it covers every part of the picture."""
    factor = max(1, min(PROBE_SHRINK, min(full) // PROBE_SIDE_MIN))
    return max(full[0] // factor, 4), max(full[1] // factor, 4)
