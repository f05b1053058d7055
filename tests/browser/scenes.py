"""Makes the small scenes of the browser tests: `scenes.py FOLDER`, with Blender's environment."""

import pathlib
import sys

import bpy

folder = pathlib.Path(sys.argv[1])


def small(frames=3):
    """A lit cube that turns, 96 x 54 pixels."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.samples = 4
    scene.cycles.use_denoising = False
    scene.cycles.use_adaptive_sampling = False
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = 96, 54, 100
    scene.frame_start, scene.frame_end = 1, frames
    bpy.ops.mesh.primitive_cube_add()
    cube = bpy.context.object
    for frame, turn in ((1, 0.0), (frames, 1.0)):
        cube.rotation_euler[2] = turn
        cube.keyframe_insert("rotation_euler", frame=frame)
    bpy.ops.object.light_add(type="SUN", location=(2, -3, 5))
    bpy.ops.object.camera_add(location=(4, -4, 3), rotation=(1.1, 0, 0.785))
    scene.camera = bpy.context.object
    scene.world = bpy.data.worlds.new("World")
    return scene, cube


small()
bpy.ops.wm.save_as_mainfile(filepath=str(folder / "plain.blend"))

(folder / "textured" / "textures").mkdir(parents=True)
scene, cube = small(2)
image = bpy.data.images.new("wood", 8, 8)
image.filepath_raw = str(folder / "textured" / "textures" / "wood.png")
image.file_format = "PNG"
image.save()
material = bpy.data.materials.new("wood")
material.use_nodes = True
texture = material.node_tree.nodes.new("ShaderNodeTexImage")
texture.image = image
material.node_tree.links.new(texture.outputs[0], material.node_tree.nodes["Principled BSDF"].inputs[0])
cube.data.materials.append(material)
scene.name = "<script>alert(1)</script>"
bpy.ops.wm.save_as_mainfile(filepath=str(folder / "textured" / "textured.blend"))
bpy.ops.file.make_paths_relative()
bpy.ops.wm.save_mainfile()

scene, _ = small(1)
scene.render.resolution_x, scene.render.resolution_y = 128, 64
scene.camera.data.type = "PANO"
scene.camera.data.panorama_type = "EQUIRECTANGULAR"
bpy.ops.wm.save_as_mainfile(filepath=str(folder / "panorama.blend"))

(folder / "broken.blend").write_bytes(b"BLENDER-v500" + b"\0" * 5000)
(folder / "holiday.jpg").write_bytes(b"\xff\xd8\xff\xe0 no scene")
