"""What differs between the versions of Blender that environments bring: 4.5 and 5.0. Everything else sees one Blender."""

from blender import bpy

NEWEST = bpy.app.version[:2]
OWN_TREES = NEWEST < (5, 0)  # a scene's compositor is part of the scene, not a node group that it names
TREE_OUTPUT = "CompositorNodeComposite" if OWN_TREES else "NodeGroupOutput"


def compositor_tree(scene):
    """The scene's compositor, or None."""
    if OWN_TREES:
        return scene.node_tree if scene.use_nodes else None
    return scene.compositing_node_group


def set_medium(image_settings, layered):
    """Chooses between one image and many layers, which later versions want to know before the file format."""
    if hasattr(image_settings, "media_type"):
        image_settings.media_type = "MULTI_LAYER_IMAGE" if layered else "IMAGE"


def set_one_part(image_settings):
    """Layers in one part, which the strict reader takes; before 5.0 there was nothing else."""
    if hasattr(image_settings, "use_exr_interleave"):
        image_settings.use_exr_interleave = True


def set_denoise(node, quality, prefilter):
    """Sets up a denoising node; `quality` and `prefilter` as Cycles names them."""
    if OWN_TREES:
        node.use_hdr, node.quality, node.prefilter = True, quality, prefilter
        return
    node.inputs["HDR"].default_value = True
    node.inputs["Quality"].default_value = quality.title()
    node.inputs["Prefilter"].default_value = prefilter.title()


def biased_volumes(cycles):
    """Whether volumes are rendered in steps, pixel by pixel; older versions know nothing else."""
    return getattr(cycles, "volume_biased", True)


class Compositor:
    """A scene whose compositor may be changed while it is entered: `scene` is the one to render, `tree` its compositor or None.

    The scene that was given stays as it is.
    """

    def __init__(self, scene):
        self.given = scene

    def __enter__(self):
        if OWN_TREES:
            self.scene = self.given.copy()
            self.scene.use_nodes = True
        else:
            self.scene = self.given
            self.kept = self.given.compositing_node_group, self.given.render.use_compositing
        return self

    def __exit__(self, *_):
        if OWN_TREES:
            bpy.data.scenes.remove(self.scene)
        else:
            self.given.compositing_node_group, self.given.render.use_compositing = self.kept
