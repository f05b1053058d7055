"""Builds a scene that renders in a blink: `tiny_scene.py OUT_DIR FRAMES [WIDTH HEIGHT]`. Noise in every pixel, motion in every frame."""

import os
import sys

import bpy

WIDTH, HEIGHT, SAMPLES = 96, 54, 8


def material(name, colour, roughness):
    made = bpy.data.materials.new(name)
    made.use_nodes = True
    surface = made.node_tree.nodes["Principled BSDF"]
    surface.inputs["Base Color"].default_value = (*colour, 1)
    surface.inputs["Roughness"].default_value = roughness
    return made


def build(frames, width, height):
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    bpy.ops.mesh.primitive_plane_add(size=60)
    bpy.context.object.data.materials.append(material("ground", (0.5, 0.4, 0.3), 0.8))
    bpy.ops.mesh.primitive_torus_add(location=(0, 0, 1), major_radius=1.4, minor_radius=0.5)
    bpy.context.object.data.materials.append(material("ring", (0.1, 0.4, 0.8), 0.3))
    bpy.ops.object.light_add(type="AREA", location=(4, -3, 6))
    bpy.context.object.data.energy, bpy.context.object.data.size = 900, 3
    bpy.ops.object.camera_add(location=(0, -7, 5), rotation=(0.95, 0, 0))
    scene.camera = camera = bpy.context.object
    # Beyond both ends, so that the frame before the first is another one too.
    for frame, x in ((0, -1.5), (frames + 1, 1.5)):
        camera.location.x = x
        camera.keyframe_insert("location", frame=frame)
    scene.frame_start, scene.frame_end = 1, frames
    scene.render.engine = "CYCLES"
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = width, height, 100
    scene.cycles.samples, scene.cycles.seed = SAMPLES, 7
    scene.cycles.use_denoising = scene.cycles.use_adaptive_sampling = False


def main(folder, frames, width=WIDTH, height=HEIGHT):
    os.makedirs(folder, exist_ok=True)
    build(int(frames), int(width), int(height))
    bpy.ops.wm.save_as_mainfile(filepath=os.path.join(folder, "scene.blend"), compress=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
