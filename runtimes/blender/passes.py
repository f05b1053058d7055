"""What a raw frame holds beyond one picture of four channels: view layers, passes, two eyes, what denoising needs.

Such a frame is *layered*: one EXR of Blender's multilayer form, every pass as channels `Layer.Pass.R`. Owns the rule
when a frame is layered, and the settings that make it so.
"""

import compositor
import versions

MULTILAYER = "OPEN_EXR_MULTILAYER"


def layers(scene):
    """The view layers that are rendered."""
    return [layer for layer in scene.view_layers if layer.use]


def denoised(scene):
    """The view layers whose picture is denoised."""
    return [layer for layer in layers(scene) if layer.cycles.use_denoising] if scene.cycles.use_denoising else []


def layered(scene):
    """Whether the raw frame is more than one picture: because of its output, or because its finish needs more."""
    return bool(
        scene.render.image_settings.file_format == MULTILAYER or len(layers(scene)) > 1 or scene.render.use_multiview
        or denoised(scene) or compositor.active(scene)
    )


def faults(scene):
    """Refusals that follow from the view layers, as `[(code, sentence)]`."""
    if not layers(scene):
        return [("view_layers", "No view layer is rendered; switch on View Layer Properties > View Layer > Use for Rendering.")]
    return []


def warnings(scene):
    found = []
    if any(getattr(layer.cycles, "pass_render_time", False) for layer in layers(scene)):
        found.append(("render_time", "The Render Time pass differs in every run; it is left out."))
    if denoised(scene) and scene.cycles.denoiser != "OPENIMAGEDENOISE":
        found.append(("denoiser", "The scene's denoiser needs a graphics card; OpenImageDenoise is used instead."))
    if denoised(scene):
        found.append(("denoised", "The raw EXR is not denoised, so that it can be checked; it brings the denoising passes, and the picture made from it is denoised."))
    return found


def freeze(scene):
    """Sets the output of a frozen scene: float32 scan lines, layered or plain, never denoised."""
    image = scene.render.image_settings
    rich, smooth = layered(scene), denoised(scene)
    for layer in smooth:
        layer.cycles.denoising_store_passes = True
    for layer in layers(scene):
        if hasattr(layer.cycles, "pass_render_time"):
            layer.cycles.pass_render_time = False
    scene.cycles.use_denoising = False
    versions.set_medium(image, rich)
    image.file_format, image.color_mode = MULTILAYER if rich else "OPEN_EXR", "RGBA"
    image.color_depth, image.exr_codec = "32", "ZIP"
    if rich:
        versions.set_one_part(image)
        image.views_format = "MULTIVIEW" if scene.render.use_multiview else "INDIVIDUAL"
    image.color_management, image.use_preview = "FOLLOW_SCENE", False
    return rich
