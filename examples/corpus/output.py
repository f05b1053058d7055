"""Scenes about what leaves the renderer: layers, passes, denoising, the compositor, eyes, panoramas, colour."""

import math

import bpy
from stage import medium, paint, scene, turned

EQUIRECTANGULAR = {"kind": "equirectangular", "full": True, "stereo": None}


def multilayer(stage):
    image = stage.scene.render.image_settings
    medium(image, "MULTI_LAYER_IMAGE")
    image.file_format, image.color_depth = "OPEN_EXR_MULTILAYER", "32"


def compositor(stage):
    """An empty compositor with its output; `(tree, render layers, output)`."""
    if bpy.app.version < (5, 0):
        stage.scene.use_nodes = True
        tree, last = stage.scene.node_tree, "CompositorNodeComposite"
        tree.nodes.clear()
    else:
        tree, last = bpy.data.node_groups.new("comp", "CompositorNodeTree"), "NodeGroupOutput"
        tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
        stage.scene.compositing_node_group = tree
    layers, out = tree.nodes.new("CompositorNodeRLayers"), tree.nodes.new(last)
    layers.scene = stage.scene
    stage.scene.render.use_compositing = True
    return tree, layers, out


def two_layers(stage):
    """A second view layer that holds a cube alone."""
    stage.monkey(location=(-1, 0, 1))
    box = stage.cube(location=(1.2, 0, 0.8))
    box.data.materials.append(paint("box", (0.1, 0.4, 0.8)))
    group = bpy.data.collections.new("front")
    stage.scene.collection.children.link(group)
    group.objects.link(box)
    stage.scene.collection.objects.unlink(box)
    stage.scene.view_layers[0].layer_collection.children["front"].exclude = True
    front = stage.scene.view_layers.new("Front")
    front.layer_collection.children["front"].exclude = False
    return front


@scene(report={"channels": 42})
def passes(stage):
    """Render passes and a multilayer EXR: depth, normals, vectors, light, Cryptomatte, an AOV."""
    turned(stage.monkey())
    multilayer(stage)
    layer = stage.scene.view_layers[0]
    for name in ("z", "mist", "normal", "vector", "uv", "diffuse_color", "glossy_direct", "ambient_occlusion", "object_index", "cryptomatte_object"):
        setattr(layer, f"use_pass_{name}", True)
    layer.aovs.add().name = "mask"


@scene(report={"channels": 8})
def view_layers(stage):
    """Two view layers into one multilayer EXR; the picture is the first's."""
    two_layers(stage)
    multilayer(stage)


@scene(report={"denoise": True, "channels": 11})
def denoised(stage):
    """OpenImageDenoise, as Blender's factory settings have it."""
    stage.monkey()
    stage.scene.cycles.use_denoising = True


@scene(report={"denoise": True})
def denoised_fast(stage):
    """Denoising with other settings, adaptive sampling, and a transparent film."""
    stage.monkey()
    stage.floor.hide_render = True
    cycles = stage.scene.cycles
    cycles.use_denoising, cycles.denoising_prefilter, cycles.denoising_quality = True, "FAST", "BALANCED"
    cycles.denoising_input_passes = "RGB_ALBEDO"
    cycles.use_adaptive_sampling, cycles.samples, cycles.adaptive_min_samples = True, 24, 4
    stage.scene.render.film_transparent = True
    stage.scene.render.image_settings.color_mode = "RGBA"


@scene(report={"compositor": True})
def composited(stage):
    """The compositor: mist by depth, glare, a tint that is keyed."""
    turned(stage.monkey())
    stage.scene.view_layers[0].use_pass_mist = True
    tree, layers, out = compositor(stage)
    blur, mix = tree.nodes.new("CompositorNodeBlur"), tree.nodes.new("ShaderNodeMix")
    mix.data_type = "RGBA"
    blur.inputs["Size"].default_value = (6, 6)
    sockets = {socket.name: socket for socket in mix.inputs if socket.enabled}
    tree.links.new(layers.outputs["Image"], blur.inputs["Image"])
    tree.links.new(layers.outputs["Mist"], sockets["Factor"])
    tree.links.new(layers.outputs["Image"], sockets["A"])
    tree.links.new(blur.outputs["Image"], sockets["B"])
    shift = tree.nodes.new("CompositorNodeExposure")
    shift.inputs["Exposure"].default_value = 0.5
    shift.inputs["Exposure"].keyframe_insert("default_value", frame=1)
    tree.links.new([socket for socket in mix.outputs if socket.enabled][0], shift.inputs["Image"])
    tree.links.new(shift.outputs["Image"], out.inputs[0])


@scene(report={"compositor": True, "denoise": True})
def composited_layers(stage):
    """Two denoised view layers put together in the compositor, one of them through a group."""
    front = two_layers(stage)
    stage.scene.cycles.use_denoising = True
    stage.scene.render.film_transparent = True
    front.cycles.use_denoising = False
    tree, layers, out = compositor(stage)
    layers.layer = "ViewLayer"
    other, over = tree.nodes.new("CompositorNodeRLayers"), tree.nodes.new("CompositorNodeAlphaOver")
    other.scene, other.layer = stage.scene, "Front"
    tree.links.new(layers.outputs["Image"], over.inputs[0])
    tree.links.new(other.outputs["Image"], over.inputs[1])
    tree.links.new(over.outputs["Image"], out.inputs[0])


@scene(report={"compositor": True, "denoise": True}, equal=0.99, most=2)
def matted(stage):
    """A Cryptomatte key and motion vectors in the compositor, on a denoised frame with a shadow catcher."""
    head = turned(stage.monkey())
    stage.floor.is_shadow_catcher = True
    stage.scene.cycles.use_denoising = stage.scene.render.film_transparent = True
    layer = stage.scene.view_layers[0]
    layer.use_pass_cryptomatte_object = layer.use_pass_vector = layer.use_pass_z = True
    tree, layers, out = compositor(stage)
    matte, blur, over = (tree.nodes.new(name) for name in ("CompositorNodeCryptomatteV2", "CompositorNodeVecBlur", "CompositorNodeAlphaOver"))
    matte.scene, matte.matte_id = stage.scene, head.name
    tree.links.new(layers.outputs["Image"], matte.inputs["Image"])
    tree.links.new(matte.outputs["Image"], blur.inputs["Image"])
    tree.links.new(layers.outputs["Vector"], blur.inputs["Speed"])
    tree.links.new(layers.outputs["Depth"], blur.inputs["Z"])
    tree.links.new(layers.outputs["Image"], over.inputs[0])
    tree.links.new(blur.outputs["Image"], over.inputs[1])
    tree.links.new(over.outputs["Image"], out.inputs[0])


@scene(report={"channels": 8, "picture": {"width": 160, "height": 180}, "stereo": "top_bottom"})
def stereo(stage):
    """Two eyes, one above the other."""
    stage.monkey()
    render = stage.scene.render
    render.use_multiview = True
    render.image_settings.views_format = "STEREO_3D"
    render.image_settings.stereo_3d_format.display_mode = "TOPBOTTOM"


def panorama(stage):
    """A camera in the middle that sees everything around it."""
    stage.scene.render.resolution_x, stage.scene.render.resolution_y = 192, 96
    camera = stage.camera
    camera.location, camera.rotation_euler = (0, 0, 1.6), (math.pi / 2, 0, 0)
    camera.data.type, camera.data.panorama_type = "PANO", "EQUIRECTANGULAR"
    for index in range(6):
        angle = index * math.pi / 3
        stage.cube(f"stone{index}", size=1, location=(3 * math.cos(angle), 3 * math.sin(angle), 0.5 + 0.3 * index))


@scene(report={"panorama": EQUIRECTANGULAR})
def panorama_mono(stage):
    """A full equirectangular panorama."""
    panorama(stage)


@scene(report={"panorama": {**EQUIRECTANGULAR, "stereo": "top_bottom"}, "denoise": True, "channels": 22})
def panorama_stereo(stage):
    """A full panorama for two eyes, denoised: what a headset plays."""
    panorama(stage)
    render = stage.scene.render
    render.use_multiview = True
    stage.camera.data.stereo.use_spherical_stereo = True
    stage.scene.cycles.use_denoising = True
    render.image_settings.views_format = "INDIVIDUAL"


@scene(report={"panorama": {"kind": "fisheye_equisolid", "full": False, "stereo": None}})
def fisheye(stage):
    """A fisheye lens for a dome."""
    panorama(stage)
    stage.camera.data.panorama_type = "FISHEYE_EQUISOLID"


@scene()
def view_transform(stage):
    """Another view transform, look, exposure, gamma and curves of OpenColorIO."""
    stage.monkey()
    view = stage.scene.view_settings
    view.view_transform, view.look = "Filmic", "High Contrast"
    view.exposure, view.gamma, view.use_curve_mapping = 0.4, 1.1, True
    view.curve_mapping.curves[3].points.new(0.4, 0.6)
    view.curve_mapping.update()


@scene(report={"denoise": True, "compositor": False}, since=(5, 0))
def wide_gamut(stage):
    """A wide working space, another display, a look of its own, 16 bits asked for: the picture has 8."""
    stage.monkey().data.materials.append(paint("green", (0.0, 0.9, 0.1)))
    bpy.ops.wm.set_working_color_space(working_space="Linear Rec.2020", convert_colors=True)
    scene_ = stage.scene
    scene_.display_settings.display_device = "Display P3"
    scene_.view_settings.view_transform = "AgX"
    scene_.view_settings.look = "AgX - Punchy"
    scene_.cycles.use_denoising = True
    scene_.render.image_settings.file_format, scene_.render.image_settings.color_depth = "PNG", "16"


@scene(refused="compositor_scene", words="other scene")
def other_scene(stage):
    """A compositor that wants another scene's picture."""
    tree, layers, out = compositor(stage)
    layers.scene = bpy.data.scenes.new("other")
    tree.links.new(layers.outputs["Image"], out.inputs[0])


@scene(warned=("file_output",), report={"compositor": True})
def file_output(stage):
    """A compositor that also writes files of its own: left out with a word."""
    stage.monkey()
    tree, layers, out = compositor(stage)
    tint = tree.nodes.new("CompositorNodeExposure")
    tint.inputs["Exposure"].default_value = 0.3
    tree.links.new(layers.outputs["Image"], tint.inputs["Image"])
    tree.links.new(tint.outputs["Image"], out.inputs[0])
    writer = tree.nodes.new("CompositorNodeOutputFile")
    setattr(writer, "directory" if hasattr(writer, "directory") else "base_path", stage.path("elsewhere") + "/")


@scene(refused="sequencer", words="Sequencer")
def edited(stage):
    """A cut in the video sequencer."""
    strips = stage.scene.sequence_editor_create().strips
    strips.new_effect("red", "COLOR", 1, 1, **({"frame_end": 6} if bpy.app.version < (5, 0) else {"length": 5}))
