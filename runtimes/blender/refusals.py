"""Why a scene cannot be rendered and audited, in its owner's words: one code and one sentence that says what to do.

Two depths: `settings` looks at the render settings alone and guards every render; `scripts`, `addons` and the
rest need a walk over the scene and belong to the inspection.
"""

import os

from blender import bpy

import blind
import camera
import compositor
import passes
import scenes
from faults import Fault, one_line

ENGINES = {"BLENDER_EEVEE": "EEVEE", "BLENDER_EEVEE_NEXT": "EEVEE", "BLENDER_WORKBENCH": "Workbench"}


def settings(scene):
    """Refusals that follow from the render settings, as `[(code, sentence)]`."""
    render, found = scene.render, []
    if render.engine != "CYCLES":
        name = ENGINES.get(render.engine, render.engine)
        return camera.faults(scene) + [("wrong_engine", engine_words(name, render.engine in ENGINES))]
    found += camera.faults(scene)
    cycles = scene.cycles
    if cycles.use_guiding:
        found.append(("path_guiding", "Path guiding is on, which gives other noise in every run; switch off Sampling > Path Guiding."))
    if cycles.time_limit > 0:
        found.append(("time_limit", "The render has a time limit, so its quality would depend on the machine; set Sampling > Time Limit to 0."))
    if cycles.shading_system:
        found.append(("osl", "Open Shading Language is on, which runs code from the scene; switch it off in the render properties."))
    if render.use_sequencer and has_strips(scene):
        found.append(("sequencer", "The picture comes from the Video Sequencer, which is not run here; switch off Output Properties > Post Processing > Sequencer, and cut the rendered frames afterwards."))
    if render.use_freestyle:
        found.append(("freestyle", "Freestyle lines are on; switch off Render Properties > Freestyle."))
    if render.use_border:
        found.append(("render_region", "A render region is set; switch off Output Properties > Format > Render Region."))
    return found + passes.faults(scene) + compositor.faults(scene)


def engine_words(name, drawn):
    if drawn:  # measured: CALIBRATION.md
        return f"The scene renders with {name}, whose pictures depend on each machine's graphics driver and so cannot be checked by another; set Render Properties > Render Engine to Cycles."
    return f"The scene renders with {name}, which is an add-on that this environment does not have; set Render Properties > Render Engine to Cycles."


def has_strips(scene):
    """Whether the sequencer makes the picture; a soundtrack alone does not."""
    editor = scene.sequence_editor
    return editor is not None and any(strip.type != "SOUND" and not strip.mute for strip in editor.strips)


def scene_objects(scene):
    """The objects that can take part in the render: of the scene and of every collection that it instances."""
    seen, queue = set(), [scene.collection]
    done = set()
    while queue:
        collection = queue.pop()
        if collection in done or collection.hide_render:
            continue
        done.add(collection)
        queue.extend(collection.children)
        for item in collection.objects:
            if not item.hide_render:
                seen.add(item)
                if item.instance_type == "COLLECTION" and item.instance_collection is not None:
                    queue.append(item.instance_collection)
    return sorted(seen, key=lambda item: item.name_full)


def scripts():
    """Refusals for what would need Python from the file: texts that register, drivers, and what else Blender blocked."""
    found = [
        ("scripts", f"The text block {one_line(text.name, 60)} is set to run when the file opens; switch off Text > Register, or remove it.")
        for text in bpy.data.texts if text.use_module
    ]
    found += drivers()
    if bpy.app.autoexec_fail and not found:
        found.append(("scripts", f"The scene needs Python to run ({one_line(bpy.app.autoexec_fail_message, 120)}), which is never run from a stranger's file; bake it or replace it with simple expressions."))
    return found


def drivers():
    """Scripted drivers whose expression Blender cannot evaluate without Python."""
    return [
        ("scripts", f"A driver of {one_line(block.name, 60)} ({one_line(curve.data_path, 60)}) needs Python, which is never run from a stranger's file; bake it or use a simple expression.")
        for block, curve in blind.drivers() if curve.driver.type == "SCRIPTED" and not curve.driver.is_simple_expression
    ]


def addons():
    """Refusals for nodes of add-ons that are not here: Blender would render something else without a word."""
    found = []
    for owner, tree in blind.trees():
        for node in tree.nodes:
            if node.bl_idname == "NodeUndefined":
                found.append(("addon_missing", f"{one_line(owner.name, 60)} has the node {one_line(node.name, 60)} of an add-on that this environment does not have; replace it, or bake what it makes."))
    return found


def libraries():
    """Refusals for linked files of a newer Blender: what this one does not know in them is lost."""
    found = []
    for library in bpy.data.libraries:
        file = bpy.path.abspath(library.filepath.replace("\\", "/"))
        if library.packed_file is None and os.path.isfile(file):
            try:
                scenes.check_head(file)
            except Fault as fault:
                found.append((fault.code, fault.sentence))
    return found
