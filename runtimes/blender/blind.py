"""What a scene must not see: whether it is being rendered whole or audited, and files that are none of its own.

An audit renders small parts, with a render region. A scene that reads the region (by a driver, by an attribute of the view
layer), or a file that tells of the audit, could look different then, and honest work would look wrong. Measured: it can.
"""

import re

from blender import bpy

import frozen
from faults import one_line

PAID = frozenset(("resolution_x", "resolution_y", "resolution_percentage", "samples"))  # the same for a frame and its audit
FROZEN = frozenset((*frozen.CHANGED, "threads", "threads_mode", "device")) - PAID - {"seed"}
QUOTED = re.compile(r'\["(?:[^"\\]|\\.)*"\]')
WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
READERS = "GeometryNodeImport"


def blocks():
    """Every data block of the file that a render can depend on."""
    for field in bpy.data.bl_rna.properties:
        if field.type == "COLLECTION" and field.identifier not in ("libraries", "screens", "window_managers", "workspaces"):
            yield from getattr(bpy.data, field.identifier)


def drivers():
    """`(block, driven curve)` for every driver."""
    for block in blocks():
        for data in (block, getattr(block, "node_tree", None)):
            animation = getattr(data, "animation_data", None)
            for curve in animation.drivers if animation is not None else ():
                yield block, curve


def trees():
    """`(owner, node tree)` for every node tree."""
    for block in blocks():
        tree = block if isinstance(block, bpy.types.NodeTree) else getattr(block, "node_tree", None)
        if tree is not None:
            yield block, tree


def faults(scene):
    """Refusals, as `[(code, sentence)]`."""
    return reading_drivers() + reading_attributes() + moved_settings(scene) + dynamic_files()


def looks(path):
    """The frozen setting that an RNA path names; None where it names none."""
    return next((word for word in WORD.findall(QUOTED.sub("", path)) if word in FROZEN), None)


def reading_drivers():
    found = []
    for block, curve in drivers():
        for variable in curve.driver.variables:
            seen = next((looks(target.data_path) for target in variable.targets if looks(target.data_path)), None)
            if seen is not None:
                found.append(("reads_render", f"A driver of {one_line(block.name, 60)} reads the render setting {seen}, which is another when a part of the frame is checked; use another input."))
    return found


def reading_attributes():
    found = []
    for owner, tree in trees():
        for node in tree.nodes:
            seen = looks(node.attribute_name) if getattr(node, "attribute_type", "") == "VIEW_LAYER" else None
            if seen is not None:
                found.append(("reads_render", f"{one_line(owner.name, 60)} has an Attribute node that reads the render setting {seen}, which is another when a part of the frame is checked; use another input."))
    return found


def moved_settings(scene):
    """Animated settings that are fixed when the job is paid."""
    found, animation = [], scene.animation_data
    if animation is None:
        return found
    paths = [curve.data_path for curve in animation.drivers]
    if animation.action is not None:
        bags = (bag for layer in animation.action.layers for strip in layer.strips for bag in strip.channelbags)
        paths += [curve.data_path for bag in bags for curve in bag.fcurves]
    for path in dict.fromkeys(paths):
        if path.startswith(("render.", "cycles.", "view_layers")) and any(word in FROZEN | PAID for word in WORD.findall(path)):
            found.append(("animated_settings", f"The render setting {one_line(path, 60)} is animated, but it is fixed when the job is paid; remove its keys, or render each part as a job of its own."))
    return found


def dynamic_files():
    """Import nodes whose file is not written down: nobody could send it along."""
    found = []
    for owner, tree in trees():
        for node in tree.nodes:
            if node.bl_idname.startswith(READERS) and node.inputs["Path"].is_linked:
                found.append(("dynamic_file", f"{one_line(owner.name, 60)} has the node {one_line(node.name, 60)}, whose file name is computed; write the name into the node."))
    return found


def read_files():
    """`(path, library)` of the files that import nodes read."""
    for owner, tree in trees():
        for node in tree.nodes:
            if node.bl_idname.startswith(READERS) and not node.inputs["Path"].is_linked:
                yield node.inputs["Path"].default_value, owner.library
