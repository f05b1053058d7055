"""Scenes that cannot be rendered and checked: other engines, code, what depends on the machine, damaged or newer files."""

import re

import bpy
from stage import scene, with_nodes


@scene(refused="wrong_engine", words="graphics driver")
def eevee(stage):
    """EEVEE, the factory engine."""
    stage.scene.render.engine = "BLENDER_EEVEE" if bpy.app.version >= (5, 0) else "BLENDER_EEVEE_NEXT"


@scene(refused="wrong_engine", words="graphics driver")
def workbench(stage):
    """Workbench."""
    stage.scene.render.engine = "BLENDER_WORKBENCH"


@scene(refused="wrong_engine", words="add-on")
def engine_of_an_addon(stage):
    """A renderer that is an add-on, which is not here."""
    class Other(bpy.types.RenderEngine):
        bl_idname, bl_label = "OCTANE_LIKE", "Like Octane"

    bpy.utils.register_class(Other)
    stage.scene.render.engine = "OCTANE_LIKE"
    stage.cleanup = lambda: bpy.utils.unregister_class(Other)


@scene(refused="addon_missing", words="add-on")
def node_of_an_addon(stage):
    """A material with a node of an add-on, which is not here."""
    class Odd(bpy.types.ShaderNodeCustomGroup):
        bl_idname, bl_label = "ShaderNodeOdd", "Odd"

    bpy.utils.register_class(Odd)
    box = stage.cube()
    made = with_nodes(bpy.data.materials.new("odd"))
    made.node_tree.nodes.new("ShaderNodeOdd").name = "Odd"
    box.data.materials.append(made)
    stage.cleanup = lambda: bpy.utils.unregister_class(Odd)


@scene(refused="scripts", words="needs Python")
def python_driver(stage):
    """A driver that needs Python."""
    stage.monkey().driver_add("location", 2).driver.expression = "[frame for _ in (1,)][0]"


@scene(refused="scripts", words="Register")
def python_text(stage):
    """A text block that runs when the file opens."""
    text = bpy.data.texts.new("rig_ui.py")
    text.write("import bpy\n")
    text.use_module = True


@scene(refused="reads_render", words="use_border")
def driver_that_peeps(stage):
    """A driver that reads whether there is a render region: it would see that it is being checked."""
    driver = stage.monkey().driver_add("location", 2).driver
    driver.expression = "seen * 1.5"
    seen = driver.variables.new()
    seen.name, seen.targets[0].id_type = "seen", "SCENE"
    seen.targets[0].id, seen.targets[0].data_path = stage.scene, "render.use_border"


@scene(refused="reads_render", words="border_max_x")
def shader_that_peeps(stage):
    """A material that reads where the render region ends."""
    made = with_nodes(bpy.data.materials.new("peep"))
    tree = made.node_tree
    node = tree.nodes.new("ShaderNodeAttribute")
    node.attribute_type, node.attribute_name = "VIEW_LAYER", "render.border_max_x"
    tree.links.new(node.outputs["Factor" if "Factor" in node.outputs else "Fac"], tree.nodes["Principled BSDF"].inputs["Base Color"])
    stage.monkey().data.materials.append(made)


@scene(refused="animated_settings", words="cycles.samples")
def samples_keyed(stage):
    """Samples that change from frame to frame: they are fixed when the job is paid."""
    stage.monkey()
    stage.scene.cycles.keyframe_insert("samples", frame=1)


def imported(stage, computed):
    """A modifier that reads a mesh file; its tree and the node that reads."""
    tree = bpy.data.node_groups.new("import", "GeometryNodeTree")
    tree.is_modifier = True
    tree.interface.new_socket("Geometry", in_out="OUTPUT", socket_type="NodeSocketGeometry")
    node, out = tree.nodes.new("GeometryNodeImportOBJ"), tree.nodes.new("NodeGroupOutput")
    tree.links.new(node.outputs[0], out.inputs[0])
    node.inputs["Path"].default_value = "//mesh/head.obj"
    if computed:
        text = tree.nodes.new("FunctionNodeInputString")
        text.string = "//mesh/head.obj"
        tree.links.new(text.outputs[0], node.inputs["Path"])
    stage.cube().modifiers.new("import", "NODES").node_group = tree


@scene(refused="dynamic_file", words="computed")
def file_name_computed(stage):
    """Geometry nodes that read a file whose name is computed."""
    imported(stage, True)


@scene(files={"other": 1})
def file_by_nodes(stage):
    """Geometry nodes that read a mesh file."""
    head = stage.monkey()
    bpy.ops.object.select_all(action="DESELECT")
    head.select_set(True)
    bpy.ops.wm.obj_export(filepath=stage.path("mesh", "head.obj"), export_selected_objects=True, export_materials=False)
    bpy.data.objects.remove(head)
    stage.save()
    imported(stage, False)


@scene(refused="osl", words="Open Shading Language")
def shading_language(stage):
    """Open Shading Language."""
    stage.scene.cycles.shading_system = True


@scene(refused="path_guiding", words="Path Guiding")
def guided(stage):
    """Path guiding."""
    stage.scene.cycles.use_guiding = True


@scene(refused="time_limit", words="Time Limit")
def time_limit(stage):
    """A render that stops by the clock."""
    stage.scene.cycles.time_limit = 5


@scene(refused="render_region", words="Render Region")
def region(stage):
    """A render region."""
    stage.scene.render.use_border = True


@scene(refused="freestyle", words="Freestyle")
def freestyle(stage):
    """Freestyle lines."""
    stage.scene.render.use_freestyle = True


@scene(refused="no_camera", words="no camera")
def no_camera(stage):
    """No camera."""
    bpy.data.objects.remove(stage.camera)


def other_colours(file):
    with open(file, "r+b") as stream:
        data = stream.read()
        assert data.count(b"AgX\0") == 1
        stream.seek(data.index(b"AgX\0"))
        stream.write(b"Xyz\0")


@scene(refused="colour_config", words="colour configuration")
def own_colours(stage):
    """A view transform of a colour configuration that only the studio has."""
    stage.after = other_colours


def newer(file):
    data = bytearray(open(file, "rb").read())
    data[:24], found = re.subn(rb"v(\d+)\d", rb"v\g<1>9", bytes(data[:24]))
    assert found == 1
    open(file, "wb").write(data)


@scene(refused="newer_blend", words="was saved by Blender", opens=False)
def newer_blender(stage):
    """A file of a Blender that is not out yet."""
    stage.after = newer


@scene(refused="newer_blend", words="parts.blend", files={"library": 1})
def newer_library(stage):
    """A library of a Blender that is not out yet."""
    box, place = stage.cube("part"), stage.path("lib", "parts.blend")
    bpy.data.libraries.write(place, {box})
    bpy.data.objects.remove(box)
    stage.save()
    with bpy.data.libraries.load(place, link=True) as (_, into):
        into.objects = ["part"]
    stage.scene.collection.objects.link(into.objects[0])
    stage.after = lambda _: newer(place)
