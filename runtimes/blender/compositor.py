"""The scene's compositor, run after the render on a verified layered frame instead of inside it.

The nodes that stand for the render are replaced by the frame's layers, denoised where the scene says so. Blender then
composites without rendering. Owns which compositors can be run this way; the tree of the scene itself is never changed.
"""

import os

from blender import bpy

import passes
import scenes
from exr import split_views
from faults import Fault, one_line

LAYERS = "CompositorNodeRLayers"
MATTE = "CompositorNodeCryptomatteV2"
WRITERS = ("CompositorNodeOutputFile",)
IDLE = (LAYERS, "CompositorNodeViewer", "NodeGroupOutput", "NodeGroupInput", "NodeFrame", "NodeReroute")
DEPTH = 16
QUALITY = {"HIGH": "High", "BALANCED": "Balanced", "FAST": "Fast"}
PREFILTER = {"NONE": "None", "FAST": "Fast", "ACCURATE": "Accurate"}


def active(scene):
    """Whether the compositor changes the picture: beyond handing the first layer through."""
    tree = scene.compositing_node_group
    if not scene.render.use_compositing or tree is None or not outputs(tree):
        return False
    nodes = [node for node in walk(tree) if not node.mute]
    first = passes.layers(scene)[0].name if passes.layers(scene) else ""
    return any(node.bl_idname not in IDLE + WRITERS or node.bl_idname == LAYERS and (node.layer != first or node.scene != scene) for node in nodes)


def outputs(tree):
    """The links into the output of a tree."""
    return [link for node in tree.nodes if node.bl_idname == "NodeGroupOutput" for socket in node.inputs for link in socket.links]


def walk(tree, depth=0):
    """Every node of a tree and of the groups in it."""
    for node in tree.nodes:
        yield node
        inner = getattr(node, "node_tree", None)
        if inner is not None and depth < DEPTH:
            yield from walk(inner, depth + 1)


def faults(scene):
    """Refusals that follow from the compositor, as `[(code, sentence)]`."""
    if not active(scene):
        return []
    found, known = [], [layer.name for layer in passes.layers(scene)]
    for node in walk(scene.compositing_node_group):
        if node.mute or node.bl_idname not in (LAYERS, MATTE) or node.bl_idname == MATTE and node.source != "RENDER":
            continue
        label = one_line(node.name, 60)
        if node.scene is not None and node.scene != scene:
            found.append(("compositor_scene", f"The compositor's node {label} takes the picture of another scene; render that scene for itself and use its images."))
        elif node.bl_idname == LAYERS and node.layer not in known:
            found.append(("compositor_layer", f"The compositor's node {label} takes a view layer that is not rendered; switch on its Use for Rendering, or remove the node."))
    return found


def warnings(scene):
    tree = scene.compositing_node_group
    writes = active(scene) and any(node.bl_idname in WRITERS and not node.mute for node in walk(tree))
    return [("file_output", "The compositor's File Output nodes write nothing here; the picture of the compositor's own output is delivered.")] if writes else []


class Swapped:
    """While it is entered the scene's compositor works on the layered frame `exr`; afterwards all is as before.

    `folder` takes the parts of a frame with two eyes: the image node of Blender shows the left one to both.
    """

    def __init__(self, scene, opened, exr, folder):
        self.scene, self.made, self.images = scene, [], {}
        self.eyes = {None: exr}
        if scene.render.use_multiview:
            self.eyes = {eye: os.path.join(folder, f"{eye}.exr") for eye in ("left", "right")}
            split_views(opened, self.eyes)

    def __enter__(self):
        scene = self.scene
        self.kept = scene.compositing_node_group, scene.render.use_compositing
        try:
            for eye, file in self.eyes.items():
                self.images[eye] = bpy.data.images.load(file, check_existing=False)
            tree = self.copy(scene.compositing_node_group) if active(scene) else self.plain()
        except RuntimeError as error:
            self.__exit__()
            raise Fault("bad_file", f"Blender cannot read the image ({scenes.words(error)}).") from None
        except BaseException:
            self.__exit__()
            raise
        scene.compositing_node_group, scene.render.use_compositing = tree, True
        return self

    def __exit__(self, *_):
        self.scene.compositing_node_group, self.scene.render.use_compositing = self.kept
        for tree in reversed(self.made):
            bpy.data.node_groups.remove(tree)
        for image in self.images.values():
            bpy.data.images.remove(image)
        for eye, file in self.eyes.items():
            if eye is not None:
                os.unlink(file)

    def plain(self):
        """A compositor that hands the first layer through, denoised where it is."""
        tree = bpy.data.node_groups.new("finish", "CompositorNodeTree")
        self.made.append(tree)
        tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
        out = tree.nodes.new("NodeGroupOutput")
        self.link(tree, passes.layers(self.scene)[0].name, {"Image": [out.inputs[0]]})
        return tree

    def copy(self, tree, depth=0):
        """A copy of `tree` and of its groups in which the frame's layers stand for the render."""
        made = tree.copy()
        self.made.append(made)
        for node in list(made.nodes):
            inner = getattr(node, "node_tree", None)
            if node.bl_idname in WRITERS + ("CompositorNodeViewer",):
                made.nodes.remove(node)
            elif node.bl_idname == LAYERS:
                self.replace(made, node)
            elif node.bl_idname == MATTE and node.source == "RENDER":
                node.source, node.image = "IMAGE", next(iter(self.images.values()))
            elif inner is not None and depth < DEPTH:
                node.node_tree = self.copy(inner, depth + 1)
        return made

    def replace(self, tree, node):
        targets = {socket.name: [link.to_socket for link in socket.links] for socket in node.outputs if socket.links}
        if targets and not node.mute:
            self.link(tree, node.layer, targets)
        tree.nodes.remove(node)

    def link(self, tree, layer, targets):
        """Links the sockets of `layer`, by the names that a render layers node gives them, to their `targets`."""
        source = Source(tree, layer, self.images)
        for name, sockets in targets.items():
            smooth = name == "Image" and layer in [smooth.name for smooth in passes.denoised(self.scene)]
            origin = self.denoise(tree, source) if smooth else source.socket(name)
            for socket in sockets:
                tree.links.new(origin, socket)

    def denoise(self, tree, source):
        """OpenImageDenoise with the settings that the scene gives Cycles; the same filter (CALIBRATION.md)."""
        cycles, node = self.scene.cycles, tree.nodes.new("CompositorNodeDenoise")
        node.inputs["HDR"].default_value = True
        node.inputs["Quality"].default_value = QUALITY.get(cycles.denoising_quality, "High")
        node.inputs["Prefilter"].default_value = PREFILTER.get(cycles.denoising_prefilter, "Accurate")
        tree.links.new(source.socket("Image"), node.inputs["Image"])
        for name in {"RGB": (), "RGB_ALBEDO": ("Albedo",)}.get(cycles.denoising_input_passes, ("Albedo", "Normal")):
            tree.links.new(source.socket(f"Denoising {name}"), node.inputs[name])
        return node.outputs[0]


class Source:
    """The nodes that bring one layer of the frame, each eye its own."""

    def __init__(self, tree, layer, images):
        self.tree, self.eyes = tree, {}
        for eye, image in images.items():
            node = tree.nodes.new("CompositorNodeImage")
            node.image = image
            if node.has_layers and node.layer != layer:
                node.layer = layer
            found = {socket.name: socket for socket in node.outputs if socket.enabled}
            found.setdefault("Image", found.get("Combined"))  # a plain frame's is called Image from the start
            found["Noisy Image"] = found["Image"]
            self.eyes[eye] = found

    def socket(self, name):
        """What a render layers node gives out as `name`; never denoised."""
        if any(found.get(name) is None for found in self.eyes.values()):
            raise Fault("render_failed", f"The compositor asks for the pass {one_line(name, 60)}, which the frame does not hold.")
        if None in self.eyes:
            return self.eyes[None][name]
        node = self.tree.nodes.new("CompositorNodeSwitchView")
        for eye, found in self.eyes.items():
            self.tree.links.new(found[name], node.inputs[eye])
        return node.outputs[0]
