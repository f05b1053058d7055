"""The stage on which every scene of the corpus is built, and the register of the scenes.

A scene is one small function. It finds an empty stage (Cycles, 160×90, few samples, a camera, a sun, a floor), changes it, and
puts outside files below `stage.folder`. What is expected of it stands in its `@scene(…)` line.
"""

import os
from dataclasses import dataclass, field

import bpy

SIZE = (160, 90)
SAMPLES = 8


def medium(image, kind):
    """Chooses one image or many layers, where this Blender wants to know it."""
    if hasattr(image, "media_type"):
        image.media_type = kind


def with_nodes(block):
    """A material or world whose nodes are on; since 5.0 there is nothing else."""
    if bpy.app.version < (5, 0):
        block.use_nodes = True
    return block


@dataclass
class Row:
    """A scene and what must become of it."""

    name: str
    build: object
    frames: tuple = (1,)
    refused: str = ""  # code of the refusal; empty: it renders
    words: str = ""  # a part of the sentence that its owner reads
    missing: tuple = ()  # files that it asks for and nobody has
    warned: tuple = ()  # codes of the warnings
    files: dict = field(default_factory=dict)  # kind → number of outside files
    report: dict = field(default_factory=dict)  # keys of the report and their values
    equal: float = 0.999  # least share of pixels of the picture that equal Blender's own
    most: int = 1  # largest difference of a pixel, of 255
    since: tuple = (4, 5)  # the first Blender that can make it
    opens: bool = True  # whether Blender opens it at all
    local: object = None  # what the artist's own computer does differently, before it renders


ROWS = {}


def scene(**expected):
    """Registers a function as a scene; its name and its first line of words are the scene's."""

    def register(build):
        ROWS[build.__name__] = Row(build.__name__, build, **expected)
        return build

    return register


class Stage:
    """What a scene's function gets: the open scene, its folder, and short ways to fill both."""

    def __init__(self, folder):
        os.makedirs(folder, exist_ok=True)
        self.folder, self.relative = folder, True
        self.lost, self.cleanup, self.after = [], lambda: None, lambda file: None
        self.file = os.path.join(folder, "scene.blend")
        bpy.ops.wm.read_factory_settings(use_empty=True)
        bpy.context.preferences.filepaths.save_version = 0
        self.scene = bpy.context.scene
        self.world, self.camera, self.sun, self.floor = furnish(self.scene)

    def path(self, *parts):
        """The path of an outside file; its folder is made."""
        made = os.path.join(self.folder, *parts)
        os.makedirs(os.path.dirname(made), exist_ok=True)
        return made

    def save(self):
        """Saves the scene, so that paths can be relative to it and simulations find their folder."""
        bpy.ops.wm.save_as_mainfile(filepath=self.file, check_existing=False, compress=False, relative_remap=self.relative)

    def finish(self):
        self.save()
        if self.relative:
            bpy.ops.file.make_paths_relative()
            self.save()
        self.cleanup()
        self.after(self.file)
        for place in self.lost:
            os.unlink(place)

    def cube(self, name="cube", **more):
        bpy.ops.mesh.primitive_cube_add(**{"size": 1.6, "location": (0, 0, 0.8), **more})
        return self.named(name)

    def monkey(self, name="monkey", **more):
        bpy.ops.mesh.primitive_monkey_add(**{"size": 1.8, "location": (0, 0, 1), **more})
        return self.named(name)

    def named(self, name):
        made = bpy.context.object
        made.name = made.data.name = name
        return made

    def picture(self, place, colour, size=16):
        """A PNG with a checker of `colour` at the absolute path `place`."""
        made = bpy.data.images.new(os.path.basename(place), size, size)
        dots = [(*colour, 1.0) if (x // 4 + y // 4) % 2 else (0.05, 0.05, 0.05, 1.0) for y in range(size) for x in range(size)]
        made.pixels = [value for dot in dots for value in dot]
        made.filepath_raw, made.file_format = place, "PNG"
        made.save()
        bpy.data.images.remove(made)
        return place


def furnish(scene):
    scene.render.engine = "CYCLES"
    scene.cycles.use_denoising = scene.cycles.use_adaptive_sampling = False
    scene.cycles.samples = SAMPLES
    scene.render.resolution_x, scene.render.resolution_y = SIZE
    scene.render.image_settings.color_mode = "RGB"
    scene.frame_end = 6
    world = with_nodes(bpy.data.worlds.new("world"))
    world.node_tree.nodes["Background"].inputs["Color"].default_value = (0.25, 0.35, 0.5, 1)
    scene.world = world
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.location, camera.rotation_euler = (0, -6.5, 3), (1.2, 0, 0)
    sun = bpy.data.objects.new("sun", bpy.data.lights.new("sun", "SUN"))
    sun.data.energy, sun.rotation_euler = 3, (0.7, 0.3, 0)
    for item in (camera, sun):
        scene.collection.objects.link(item)
    scene.camera = camera
    bpy.ops.mesh.primitive_plane_add(size=14)
    floor = bpy.context.object
    floor.name = "floor"
    floor.data.materials.append(paint("floor", (0.5, 0.45, 0.4)))
    return world, camera, sun, floor


def paint(name, colour, roughness=0.5):
    """A new material of one colour."""
    made = with_nodes(bpy.data.materials.new(name))
    made.node_tree.nodes["Principled BSDF"].inputs["Base Color"].default_value = (*colour, 1)
    made.node_tree.nodes["Principled BSDF"].inputs["Roughness"].default_value = roughness
    return made


def textured(item, image, name="textured"):
    """Gives `item` a material that shows `image`; returns the image node."""
    made = paint(name, (1, 1, 1))
    tree = made.node_tree
    node = tree.nodes.new("ShaderNodeTexImage")
    node.image = image
    tree.links.new(node.outputs["Color"], tree.nodes["Principled BSDF"].inputs["Base Color"])
    item.data.materials.clear()
    item.data.materials.append(made)
    return node


def turned(item, start=1, end=6, by=1.2):
    """Lets `item` turn from the first frame to the last."""
    item.keyframe_insert("rotation_euler", frame=start)
    item.rotation_euler[2] += by
    item.keyframe_insert("rotation_euler", frame=end)
    return item
