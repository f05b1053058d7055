"""The scene's compositor, run after the render on a verified layered frame instead of inside it.

The nodes that stand for the render are replaced by the frame's layers, denoised where the scene says so. Blender then
composites without rendering. Owns which compositors can be run this way; the tree of the scene itself is never changed.
"""

import os

from blender import bpy

import passes
import scenes
import versions
from exr import split_views
from faults import Fault, one_line

LAYERS = "CompositorNodeRLayers"
MATTE = "CompositorNodeCryptomatteV2"
WRITERS = ("CompositorNodeOutputFile",)
IDLE = (LAYERS, "CompositorNodeViewer", "CompositorNodeComposite", "NodeGroupOutput", "NodeGroupInput", "NodeFrame", "NodeReroute")
DEPTH = 16
QUALITY = ("HIGH", "BALANCED", "FAST")
PREFILTER = ("ACCURATE", "FAST", "NONE")


def active(scene):
    """Whether the compositor changes the picture: beyond handing the first layer through."""
    tree = versions.compositor_tree(scene)
    if not scene.render.use_compositing or tree is None or not outputs(tree):
        return False
    nodes = [node for node in walk(tree) if not node.mute]
    first = passes.layers(scene)[0].name if passes.layers(scene) else ""
    return any(node.bl_idname not in IDLE + WRITERS or node.bl_idname == LAYERS and (node.layer != first or node.scene != scene) for node in nodes)


def outputs(tree):
    """The links into the output of the scene's tree."""
    return [link for node in tree.nodes if node.bl_idname == versions.TREE_OUTPUT for socket in node.inputs for link in socket.links]


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
    for node in walk(versions.compositor_tree(scene)):
        if node.mute or node.bl_idname not in (LAYERS, MATTE) or node.bl_idname == MATTE and node.source != "RENDER":
            continue
        label = one_line(node.name, 60)
        if node.scene is not None and node.scene != scene:
            found.append(("compositor_scene", f"The compositor's node {label} takes the picture of another scene; render that scene for itself and use its images."))
        elif node.bl_idname == LAYERS and node.layer not in known:
            found.append(("compositor_layer", f"The compositor's node {label} takes a view layer that is not rendered; switch on its Use for Rendering, or remove the node."))
    return found


def warnings(scene):
    tree = versions.compositor_tree(scene)
    writes = active(scene) and any(node.bl_idname in WRITERS and not node.mute for node in walk(tree))
    return [("file_output", "The compositor's File Output nodes write nothing here; the picture of the compositor's own output is delivered.")] if writes else []


class Swapped:
    """While it is entered the compositor of the scene that it gives works on the layered frame `exr`; afterwards all is as before.

    `folder` takes the parts of a frame with two eyes: the image node of Blender shows the left one to both.
    """

    def __init__(self, scene, opened, exr, folder):
        self.scene, self.made, self.images = scene, [], {}
        self.changed = versions.Compositor(scene)
        self.eyes = {None: exr}
        if scene.render.use_multiview:
            self.eyes = {eye: os.path.join(folder, f"{eye}.exr") for eye in ("left", "right")}
            split_views(opened, self.eyes)

    def __enter__(self):
        target = self.changed.__enter__().scene
        try:
            for eye, file in self.eyes.items():
                self.images[eye] = bpy.data.images.load(file, check_existing=False)
            self.fill(target, active(self.scene))
        except RuntimeError as error:
            self.__exit__()
            raise Fault("bad_file", f"Blender cannot read the image ({scenes.words(error)}).") from None
        except BaseException:
            self.__exit__()
            raise
        target.render.use_compositing = True
        return target

    def __exit__(self, *_):
        self.changed.__exit__()
        for tree in reversed(self.made):
            bpy.data.node_groups.remove(tree)
        for image in self.images.values():
            bpy.data.images.remove(image)
        for eye, file in self.eyes.items():
            if eye is not None:
                os.unlink(file)

    def fill(self, target, keep):
        """Gives the scene `target` its compositor: its own with the frame's layers, or (not `keep`) the bare layers."""
        if versions.OWN_TREES:
            if keep:
                self.swap(target.node_tree)
            else:
                self.plain(target.node_tree)
        elif keep:
            target.compositing_node_group = self.copy(target.compositing_node_group)
        else:
            tree = bpy.data.node_groups.new("finish", "CompositorNodeTree")
            self.made.append(tree)
            tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
            self.plain(tree)
            target.compositing_node_group = tree

    def plain(self, tree):
        """A compositor that hands the first layer through, denoised where it is."""
        tree.nodes.clear()
        out = tree.nodes.new(versions.TREE_OUTPUT)
        self.link(tree, passes.layers(self.scene)[0].name, {"Image": [out.inputs[0]]})

    def copy(self, tree, depth=0):
        """A copy of `tree` and of its groups in which the frame's layers stand for the render."""
        made = tree.copy()
        self.made.append(made)
        self.swap(made, depth)
        return made

    def swap(self, tree, depth=0):
        """Puts the frame's layers in the place of the render, in `tree` and in copies of its groups."""
        for node in list(tree.nodes):
            inner = getattr(node, "node_tree", None)
            if node.bl_idname in WRITERS + ("CompositorNodeViewer",):
                tree.nodes.remove(node)
            elif node.bl_idname == LAYERS:
                self.replace(tree, node)
            elif node.bl_idname == MATTE and node.source == "RENDER":
                node.source, node.image = "IMAGE", next(iter(self.images.values()))
            elif inner is not None and depth < DEPTH:
                node.node_tree = self.copy(inner, depth + 1)

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
        quality, prefilter = cycles.denoising_quality, cycles.denoising_prefilter
        versions.set_denoise(node, quality if quality in QUALITY else QUALITY[0], prefilter if prefilter in PREFILTER else PREFILTER[0])
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
