"""Scenes with simulations: baked ones in the file and on disk, and ones that are not baked."""

import bpy
from stage import paint, scene, textured, turned

END = 6


def bake(stage, cache, item=None):
    cache.frame_end = END
    with bpy.context.temp_override(scene=stage.scene, active_object=item, object=item, point_cache=cache):
        bpy.ops.ptcache.bake(bake=True)


def sheet(stage):
    bpy.ops.mesh.primitive_grid_add(x_subdivisions=10, y_subdivisions=10, size=2.5, location=(0, 0, 1.2))
    made = stage.named("sheet")
    made.vertex_groups.new(name="pin").add(list(range(11)), 1.0, "REPLACE")
    cloth = made.modifiers.new("cloth", "CLOTH")
    cloth.settings.vertex_group_mass = "pin"
    made.data.materials.append(paint("linen", (0.8, 0.1, 0.1)))
    return made, cloth.point_cache


def sparks(stage):
    source = stage.cube("source", size=0.8)
    shape = stage.cube("spark", size=0.12, location=(0, 0, -5))
    system = source.modifiers.new("sparks", "PARTICLE_SYSTEM").particle_system
    settings = system.settings
    settings.count, settings.frame_end, settings.lifetime = 60, END, 50
    settings.render_type, settings.instance_object, settings.particle_size = "OBJECT", shape, 1.0
    return source, system.point_cache


@scene(frames=(5,))
def cloth_in_file(stage):
    """Cloth, baked to memory."""
    item, cache = sheet(stage)
    bake(stage, cache, item)


@scene(frames=(5,), files={"cache": 6})
def cloth_on_disk(stage):
    """Cloth, baked to a folder: its files are assets."""
    item, cache = sheet(stage)
    stage.save()
    cache.use_disk_cache = True
    bake(stage, cache, item)


@scene(frames=(4,), files={"cache": 7})
def particles_on_disk(stage):
    """Particles, baked to a folder under a name of their own."""
    item, cache = sparks(stage)
    stage.save()
    cache.name, cache.use_disk_cache = "sparks", True
    bake(stage, cache, item)


@scene(frames=(6,))
def rigid_bodies(stage):
    """Falling boxes, baked to memory."""
    bpy.ops.rigidbody.world_add()
    for index in range(3):
        stage.cube(f"box{index}", size=0.8, location=(index - 1, 0, 1.5 + index))
        bpy.ops.rigidbody.object_add()
    bake(stage, stage.scene.rigidbody_world.point_cache)


def zone(stage, target):
    """A simulation zone that drags its shape along, a step a frame; returns its object and its bake."""
    item = stage.monkey()
    tree = bpy.data.node_groups.new("drag", "GeometryNodeTree")
    tree.interface.new_socket("Geometry", in_out="INPUT", socket_type="NodeSocketGeometry")
    tree.interface.new_socket("Geometry", in_out="OUTPUT", socket_type="NodeSocketGeometry")
    first, last, enter, leave, move = (tree.nodes.new(name) for name in (
        "NodeGroupInput", "NodeGroupOutput", "GeometryNodeSimulationInput", "GeometryNodeSimulationOutput", "GeometryNodeSetPosition"))
    enter.pair_with_output(leave)
    move.inputs["Offset"].default_value = (0.15, 0, 0)
    for a, b in ((first.outputs[0], enter.inputs["Geometry"]), (enter.outputs["Geometry"], move.inputs[0]),
                 (move.outputs[0], leave.inputs["Geometry"]), (leave.outputs["Geometry"], last.inputs[0])):
        tree.links.new(a, b)
    modifier = item.modifiers.new("drag", "NODES")
    modifier.node_group, modifier.bake_target = tree, target
    return item, modifier.bakes[0]


def bake_zone(item, zone_bake):
    bpy.ops.object.geometry_node_bake_single(session_uid=item.session_uid, modifier_name="drag", bake_id=zone_bake.bake_id)


@scene(frames=(6,))
def zone_in_file(stage):
    """A simulation zone, baked into the file."""
    item, made = zone(stage, "PACKED")
    stage.save()
    bake_zone(item, made)


@scene(frames=(6,), files={"cache": 12})
def zone_on_disk(stage):
    """A simulation zone, baked to a folder: its files are assets."""
    item, made = zone(stage, "DISK")
    stage.save()
    bake_zone(item, made)


@scene(refused="not_baked", words="press Bake")
def cloth_not_baked(stage):
    """Cloth that nobody baked."""
    sheet(stage)


@scene(refused="not_baked", words="press Bake")
def particles_not_baked(stage):
    """Particles that nobody baked."""
    sparks(stage)


@scene(refused="not_baked", words="Rigid Body World")
def rigid_not_baked(stage):
    """Falling boxes that nobody baked."""
    bpy.ops.rigidbody.world_add()
    stage.cube()
    bpy.ops.rigidbody.object_add()


@scene(refused="not_baked", words="press the Bake button")
def zone_not_baked(stage):
    """A simulation zone that nobody baked."""
    zone(stage, "PACKED")


@scene(refused="fluid", words="OpenVDB")
def smoke(stage):
    """Smoke, whose own cache Blender as a module cannot read."""
    domain = stage.cube("domain", size=4, location=(0, 0, 2)).modifiers.new("fluid", "FLUID")
    domain.show_viewport = False
    domain.fluid_type = "DOMAIN"
    domain.domain_settings.cache_directory = "//smoke"


@scene(refused="dynamic_paint", words="image sequence")
def wet_paint(stage):
    """A canvas of dynamic paint."""
    canvas = stage.floor.modifiers.new("paint", "DYNAMIC_PAINT")
    with bpy.context.temp_override(scene=stage.scene, object=stage.floor, active_object=stage.floor):
        bpy.ops.dpaint.type_toggle(type="CANVAS")
    assert canvas.canvas_settings is not None


@scene(frames=(2, 6), report={"cameras": ["camera", "other"]})
def camera_cut(stage):
    """Two cameras bound to markers: the picture changes sides in the middle."""
    turned(stage.monkey())
    other = bpy.data.objects.new("other", bpy.data.cameras.new("other"))
    other.location, other.rotation_euler = (5, -1, 2), (1.3, 0, 1.4)
    stage.scene.collection.objects.link(other)
    for frame, camera in ((1, stage.camera), (4, other)):
        stage.scene.timeline_markers.new(camera.name, frame=frame).camera = camera


@scene(missing=("tex/lost.png",), files={"image": 1})
def texture_lost(stage):
    """A texture that nobody has: no refusal, but a set that is not closed."""
    image = bpy.data.images.load(stage.picture(stage.path("tex", "lost.png"), (1, 0, 0)))
    textured(stage.cube(), image)
    stage.lost.append(stage.path("tex", "lost.png"))
