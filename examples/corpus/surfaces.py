"""Scenes about what surfaces and air are made of: hair, volumes, displacement, glass, light."""

import math

import bpy
from stage import paint, scene, turned, with_nodes


def fog(item, density=0.25):
    made = with_nodes(bpy.data.materials.new("fog"))
    tree = made.node_tree
    tree.nodes.remove(tree.nodes["Principled BSDF"])
    scatter = tree.nodes.new("ShaderNodeVolumeScatter")
    scatter.inputs["Density"].default_value = density
    tree.links.new(scatter.outputs[0], tree.nodes["Material Output"].inputs["Volume"])
    item.data.materials.clear()
    item.data.materials.append(made)


@scene()
def volume_fog(stage):
    """Air with fog, which Cycles 5 renders unbiased."""
    stage.monkey()
    fog(stage.cube("fog", size=6, location=(0, 0, 2.5)))


@scene()
def hair_particles(stage):
    """Particle hair with children."""
    head = stage.monkey()
    hair = head.modifiers.new("hair", "PARTICLE_SYSTEM").particle_system.settings
    hair.type, hair.count, hair.hair_length, hair.child_type = "HAIR", 300, 0.35, "INTERPOLATED"
    hair.rendered_child_count = 3
    head.data.materials.append(paint("hair", (0.5, 0.25, 0.1)))


@scene()
def hair_curves(stage):
    """The new hair: curves with a radius."""
    stage.cube()
    made = bpy.data.hair_curves.new("hair")
    made.add_curves([5] * 60)
    for index, point in enumerate(made.points):
        strand, step = divmod(index, 5)
        angle = strand * 2.4
        point.position = (0.7 * math.cos(angle) + 0.1 * step * math.cos(angle), 0.7 * math.sin(angle), 1.6 + 0.2 * step)
        point.radius = 0.02
    made.materials.append(paint("strand", (0.1, 0.3, 0.05)))
    stage.scene.collection.objects.link(bpy.data.objects.new("hair", made))


@scene()
def displaced(stage):
    """Adaptive subdivision with true displacement: the mesh is diced for the camera."""
    stage.floor.hide_render = True
    bpy.ops.mesh.primitive_grid_add(x_subdivisions=8, y_subdivisions=8, size=8)
    ground = stage.named("ground")
    made = paint("rock", (0.4, 0.35, 0.3))
    made.displacement_method = "DISPLACEMENT"
    tree = made.node_tree
    noise, height = tree.nodes.new("ShaderNodeTexNoise"), tree.nodes.new("ShaderNodeDisplacement")
    noise.inputs["Scale"].default_value, height.inputs["Scale"].default_value = 6, 1
    tree.links.new(noise.outputs[0], height.inputs["Height"])
    tree.links.new(height.outputs[0], tree.nodes["Material Output"].inputs["Displacement"])
    ground.data.materials.append(made)
    subdivision = ground.modifiers.new("dice", "SUBSURF")
    if hasattr(subdivision, "use_adaptive_subdivision"):  # an experiment before 5.0
        subdivision.use_adaptive_subdivision = True
    stage.scene.cycles.dicing_rate = 2


@scene()
def adaptive(stage):
    """Adaptive sampling: neighbours decide when a pixel is done."""
    stage.monkey()
    cycles = stage.scene.cycles
    cycles.use_adaptive_sampling, cycles.samples, cycles.adaptive_threshold, cycles.adaptive_min_samples = True, 32, 0.05, 4


@scene(frames=(3,))
def motion_blur(stage):
    """Motion blur of a fast turn, and a lens out of focus."""
    turned(stage.monkey(), by=4)
    stage.scene.render.use_motion_blur = True
    lens = stage.camera.data.dof
    lens.use_dof, lens.focus_distance, lens.aperture_fstop = True, 4, 0.2


@scene()
def glass_caustics(stage):
    """Glass, an emitting shape, light linking and an environment behind a transparent film."""
    glass = stage.monkey()
    glass.data.materials.append(paint("glass", (1, 1, 1), 0))
    glass.data.materials[0].node_tree.nodes["Principled BSDF"].inputs["Transmission Weight"].default_value = 1
    lamp = stage.cube("lamp", size=0.5, location=(1.5, 0, 1))
    lamp.data.materials.append(paint("lamp", (1, 0.5, 0.2)))
    lamp.data.materials[0].node_tree.nodes["Principled BSDF"].inputs["Emission Strength"].default_value = 5
    only = bpy.data.collections.new("only")
    only.objects.link(glass)
    stage.sun.light_linking.receiver_collection = only
    stage.scene.render.film_transparent = True
    stage.scene.render.image_settings.color_mode = "RGBA"


@scene()
def window_coordinates(stage):
    """A pattern that is projected from the camera's window, and objects that are culled by its view."""
    made = paint("slide", (1, 1, 1))
    tree = made.node_tree
    place, dots = tree.nodes.new("ShaderNodeTexCoord"), tree.nodes.new("ShaderNodeTexChecker")
    dots.inputs["Scale"].default_value = 12
    tree.links.new(place.outputs["Window"], dots.inputs["Vector"])
    tree.links.new(dots.outputs["Color"], tree.nodes["Principled BSDF"].inputs["Base Color"])
    stage.monkey().data.materials.append(made)
    stage.scene.render.use_simplify = stage.scene.cycles.use_camera_cull = True
    for index in range(5):
        stage.cube(f"row{index}", size=0.7, location=(2 * index - 4, 1, 0.4)).cycles.use_camera_cull = True


@scene(warned=("persistent_data",))
def persistent_data(stage):
    """Persistent Data on: left out with a word."""
    stage.monkey()
    stage.scene.render.use_persistent_data = True


@scene()
def simple_driver(stage):
    """A driver that needs no Python."""
    head = stage.monkey()
    head.driver_add("rotation_euler", 2).driver.expression = "sin(frame) * 2"
