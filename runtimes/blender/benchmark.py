"""The task `benchmark`: a fixed procedural scene whose seed the platform chooses, to place a machine in a class.

The scene needs no files; its geometry, lights and materials never change, or old and new scores could not be compared.
"""

import math

from blender import bpy

import render as frames
import scenes
from faults import SAMPLES_MAX, SEED_MAX, Fault, image_size, integer

KEYS = ("seed", "width", "height", "samples")


def prepare(session, wanted):
    """The benchmark scene with the settings of `wanted`, built anew."""
    if session.scene is not None:
        raise Fault("bad_request", "The benchmark needs a session without a scene; start it with `-`.")
    if not isinstance(wanted, dict):
        raise Fault("bad_request", "`benchmark` must be an object with seed, width, height, samples.")
    width, height = image_size(wanted)
    samples, seed = integer(wanted, "samples", 1, SAMPLES_MAX), integer(wanted, "seed", 0, SEED_MAX)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scenes.clean_preferences()
    scene = bpy.context.scene
    build(scene)
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = width, height, 100
    scene.cycles.samples, scene.cycles.seed = samples, seed
    return scene


def render(session, request, folder):
    scene = prepare(session, {key: request.get(key) for key in KEYS})
    result = frames.whole_frame(session, scene, {"device": request.get("device")}, folder, 1)
    return {**result, "seed": request["seed"]}


def material(name, colour, roughness, metallic=0.0, transmission=0.0):
    made = bpy.data.materials.new(name)
    made.use_nodes = True
    shader = made.node_tree.nodes["Principled BSDF"].inputs
    shader["Base Color"].default_value = (*colour, 1.0)
    shader["Roughness"].default_value = roughness
    shader["Metallic"].default_value = metallic
    shader["Transmission Weight"].default_value = transmission
    return made


def build(scene):
    scene.render.engine = "CYCLES"
    scene.cycles.use_denoising = scene.cycles.use_adaptive_sampling = False
    world = bpy.data.worlds.new("sky")
    world.use_nodes = True
    world.node_tree.nodes["Background"].inputs[0].default_value = (0.35, 0.5, 0.8, 1.0)
    scene.world = world
    bpy.ops.mesh.primitive_plane_add(size=60)
    bpy.context.object.data.materials.append(floor())
    materials = [
        material("clay", (0.7, 0.25, 0.12), 0.8), material("gold", (0.9, 0.65, 0.2), 0.2, metallic=1.0),
        material("glass", (0.95, 1.0, 0.97), 0.0, transmission=1.0), material("gloss", (0.08, 0.3, 0.7), 0.15),
    ]
    for index in range(36):
        angle, radius = index * 2.399963, 0.75 * math.sqrt(index + 0.5)  # a sunflower's golden angle
        size = 0.3 + 0.12 * (index % 3)
        bpy.ops.mesh.primitive_monkey_add(size=1.6 * size, location=(radius * math.cos(angle), radius * math.sin(angle), size), rotation=(0, 0, angle))
        made = bpy.context.object
        made.modifiers.new("smooth", "SUBSURF").render_levels = 2
        made.data.materials.append(materials[index % 4])
    light = bpy.data.objects.new("key", bpy.data.lights.new("key", "AREA"))
    light.data.energy, light.data.size = 900, 3
    light.location, light.rotation_euler = (4, -5, 7), (math.radians(40), 0, math.radians(40))
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.location, camera.rotation_euler = (0, -9.5, 5.2), (math.radians(63), 0, 0)
    for item in (light, camera):
        scene.collection.objects.link(item)
    scene.camera = camera


def floor():
    made = material("floor", (0.5, 0.5, 0.5), 0.4)
    nodes, links = made.node_tree.nodes, made.node_tree.links
    checker = nodes.new("ShaderNodeTexChecker")
    checker.inputs["Scale"].default_value = 40
    checker.inputs["Color1"].default_value, checker.inputs["Color2"].default_value = (0.75, 0.75, 0.7, 1), (0.1, 0.12, 0.14, 1)
    coordinates = nodes.new("ShaderNodeTexCoord")
    links.new(coordinates.outputs["Generated"], checker.inputs["Vector"])
    links.new(checker.outputs["Color"], nodes["Principled BSDF"].inputs["Base Color"])
    return made
