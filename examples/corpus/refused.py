"""Scenes that cannot be rendered and checked: other engines, code, what depends on the machine, damaged or newer files."""

import bpy
from stage import scene


@scene(refused="wrong_engine", words="graphics driver")
def eevee(stage):
    """EEVEE, the factory engine."""
    stage.scene.render.engine = "BLENDER_EEVEE"


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
    made = bpy.data.materials.new("odd")
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
    assert b"v0500" in data[:24]
    data[:24] = bytes(data[:24]).replace(b"v0500", b"v0503")
    open(file, "wb").write(data)


@scene(refused="newer_blend", words="5.3", opens=False)
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
