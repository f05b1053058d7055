"""Measures how far honest and cheating renders are apart at the crops: `calibrate.py [--device cuda|optix|hip] DEMO_SCENE.blend [SCENE.blend …]`.

Prints the tables of CALIBRATION.md. Everything is seeded; run it on a quiet machine with the environment `blender-5.0`.
Built-in scenes (adaptive sampling; volume, hair-thin wires, motion blur, subsurface) come after those given.
"""

import os
import random
import statistics
import sys
import tempfile
import time

import numpy as np

import exr
import frozen
import pixels
import render
import scenes
from blender import bpy

SEED = 4711
CROPS = 24
FRAMES = (2, 12, 23)
AREA = 0.005
DEVICE = {"device": "cpu"}  # frames and crops alike


class Quiet:
    """A session that nobody listens to."""

    scene, load_ms = "calibration", 0

    def progress(self, _percent):
        pass


def whole(scene, frame, folder, threads=2, change=None, **request):
    """One whole frame as float pixels, with `change(scene)` applied for its duration."""
    os.environ["TATAU_THREADS"] = str(threads)
    undo = change(scene) if change is not None else None
    started = time.monotonic()
    result = render.whole_frame(Quiet(), scene, {**DEVICE, **request}, folder, frame)
    image, names = exr.read_exr(os.path.join(folder, result["exr"]))
    if undo is not None:
        undo()
    return image, names, time.monotonic() - started


def fewer_bounces(scene):
    kinds = ("max_bounces", "diffuse_bounces", "glossy_bounces", "transmission_bounces", "volume_bounces")
    kept = {kind: getattr(scene.cycles, kind) for kind in kinds}
    for kind, count in kept.items():
        setattr(scene.cycles, kind, max(count - 1, 0))

    def undo():
        for kind, count in kept.items():
            setattr(scene.cycles, kind, count)

    return undo


def upscaled(image, size):
    """`image` enlarged to `size` (width, height) bilinearly."""
    for axis, length in ((0, size[1]), (1, size[0])):
        now = image.shape[axis]
        at = np.clip((np.arange(length) + 0.5) * now / length - 0.5, 0, now - 1)
        low = np.minimum(at.astype(int), now - 2)
        part = (at - low).reshape([-1 if i == axis else 1 for i in range(3)]).astype(np.float32)
        image = np.take(image, low, axis) * (1 - part) + np.take(image, low + 1, axis) * part
    return image.astype(np.float32)


def places(size, dice):
    side = max(4, round((size[0] * size[1] * AREA) ** 0.5))
    return [(dice.randrange(size[0] - side), dice.randrange(size[1] - side), side, side) for _ in range(CROPS)]


def crops_of(scene, frame, rectangles, folder, threads):
    os.environ["TATAU_THREADS"] = str(threads)
    with frozen.Restored(scene):
        size = render.freeze(scene, DEVICE)
        scene.render.use_persistent_data = True
        scene.frame_set(frame)
        return [render.render_crop(scene, r, size, os.path.join(folder, "c.exr"))[0] for r in rectangles]


def measure(name, scene, folder, rows):
    dice = random.Random(SEED)
    size = scenes.full_size(scene)
    samples, seed = scene.cycles.samples, scene.cycles.seed
    for frame in FRAMES:
        rectangles = places(size, dice)
        honest, names, seconds = whole(scene, frame, folder)
        crops = crops_of(scene, frame, rectangles, folder, 1)
        half, _, _ = whole(scene, frame, folder, width=size[0] // 2, height=size[1] // 2)
        claims = {
            "honest": honest,
            "honest, 1 thread": whole(scene, frame, folder, threads=1)[0],
            "samples n-1": whole(scene, frame, folder, samples=samples - 1)[0],
            "samples n/2": whole(scene, frame, folder, samples=samples // 2)[0],
            "half size upscaled": upscaled(half, size),
            "previous frame": whole(scene, frame - 1, folder)[0],
            "other seed": whole(scene, frame, folder, seed=seed + 1)[0],
            "tone x1.002": np.where(np.arange(len(names)) == names.index("A"), honest, honest * np.float32(1.002)),
            "one bounce fewer": whole(scene, frame, folder, change=fewer_bounces)[0],
        }
        for claim, image in claims.items():
            for (x, y, w, h), crop in zip(rectangles, crops):
                rows.setdefault((name, claim), []).append(pixels.distance(image[y : y + h, x : x + w], crop, names))
        print(f"{name} frame {frame}: {seconds:.1f} s a frame", file=sys.stderr, flush=True)


def line(name, claim, found):
    def cell(key):
        values = sorted(one[key] for one in found)
        return f"{values[0]:.4f} / {statistics.median(values):.4f} / {values[-1]:.4f}"

    caught = sum(one["over_1e3"] > 0.015 for one in found)
    return f"| {name} | {claim} | {len(found)} | {min(one['equal'] for one in found):.4f} | {cell('over_1e3')} | {cell('over_1e2')} | {cell('rel_l1')} | {caught}/{len(found)} |"


def built(adaptive):
    """A scene that holds what is hard to compare: fog, thin wires, motion blur, subsurface; or adaptive sampling."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    import benchmark

    scene = bpy.context.scene
    benchmark.build(scene)
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = 384, 216, 100
    scene.cycles.samples, scene.cycles.seed = 24, 11
    scene.camera.keyframe_insert("location", frame=1)
    scene.camera.location.x += 2
    scene.camera.keyframe_insert("location", frame=24)
    if adaptive:
        scene.cycles.use_adaptive_sampling, scene.cycles.samples, scene.cycles.adaptive_threshold = True, 64, 0.05
        return scene
    scene.render.use_motion_blur = True
    bpy.ops.mesh.primitive_ico_sphere_add(subdivisions=4, radius=2.4, location=(0, 0, 1.5))
    wires = bpy.context.object
    wires.modifiers.new("wires", "WIREFRAME").thickness = 0.008
    wires.data.materials.append(benchmark.material("wire", (0.9, 0.3, 0.1), 0.3))
    wax = benchmark.material("wax", (0.9, 0.8, 0.6), 0.4)
    wax.node_tree.nodes["Principled BSDF"].inputs["Subsurface Weight"].default_value = 0.7
    bpy.ops.mesh.primitive_uv_sphere_add(radius=0.9, location=(-2.6, -2.4, 0.9))
    bpy.context.object.data.materials.append(wax)
    bpy.ops.mesh.primitive_cube_add(size=12, location=(0, 0, 3))
    fog = bpy.data.materials.new("fog")
    fog.use_nodes = True
    nodes = fog.node_tree.nodes
    nodes.remove(nodes["Principled BSDF"])
    scatter = nodes.new("ShaderNodeVolumeScatter")
    scatter.inputs["Density"].default_value = 0.03
    fog.node_tree.links.new(scatter.outputs[0], nodes["Material Output"].inputs["Volume"])
    bpy.context.object.data.materials.append(fog)
    return scene


def main(files):
    if files[:1] == ["--device"]:
        DEVICE["device"], files = files[1], files[2:]
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        for file in files:
            scenes.open_scene(os.path.abspath(file))
            measure(os.path.basename(os.path.dirname(os.path.abspath(file))), bpy.context.scene, folder, rows)
        for name, adaptive in (("adaptive", True), ("hard", False)):
            measure(name, built(adaptive), folder, rows)
    print("| scene | claim | crops | equal (min) | over_1e3 (min / median / max) | over_1e2 | rel_l1 | over_1e3 > 0.015 |\n|---|---|---|---|---|---|---|---|")
    for (name, claim), found in rows.items():
        print(line(name, claim, found))


if __name__ == "__main__":
    main(sys.argv[1:])
