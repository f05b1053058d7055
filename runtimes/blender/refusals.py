"""Why a scene cannot be rendered and audited, in its owner's words: one code and one sentence that says what to do.

Two depths: `settings` looks at the render settings alone and guards every render; `simulations`, `scripts` and the
rest need a walk over the scene and belong to the inspection.
"""

from blender import bpy

ENGINES = {"BLENDER_EEVEE": "EEVEE", "BLENDER_EEVEE_NEXT": "EEVEE", "BLENDER_WORKBENCH": "Workbench"}


def settings(scene):
    """Refusals that follow from the render settings, as `[(code, sentence)]`."""
    render, found = scene.render, []
    if scene.camera is None:
        found.append(("no_camera", "The scene has no camera; add one and make it the active camera."))
    if render.engine != "CYCLES":
        name = ENGINES.get(render.engine, render.engine)
        found.append(("wrong_engine", f"The scene renders with {name}; set Render Properties > Render Engine to Cycles."))
        return found
    cycles = scene.cycles
    if cycles.use_denoising:
        found.append(("denoise_on", "Denoising is on, which cannot be checked pixel by pixel; switch off Render Properties > Sampling > Render > Denoise."))
    if cycles.use_guiding:
        found.append(("path_guiding", "Path guiding is on, which gives other noise in every run; switch off Sampling > Path Guiding."))
    if cycles.time_limit > 0:
        found.append(("time_limit", "The render has a time limit, so its quality would depend on the machine; set Sampling > Time Limit to 0."))
    if cycles.shading_system:
        found.append(("osl", "Open Shading Language is on, which runs code from the scene; switch it off in the render properties."))
    if render.use_compositing and has_compositor(scene):
        found.append(("compositor", "The scene uses the compositor; switch off Post Processing > Compositing, or remove its nodes."))
    if render.use_sequencer and has_strips(scene):
        found.append(("sequencer", "The scene has video sequencer strips; switch off Post Processing > Sequencer, or remove the strips."))
    if render.use_multiview:
        found.append(("multiview", "Stereoscopy is on; switch off Output Properties > Stereoscopy."))
    if render.use_freestyle:
        found.append(("freestyle", "Freestyle lines are on; switch off Render Properties > Freestyle."))
    if render.use_border:
        found.append(("render_region", "A render region is set; switch off Output Properties > Format > Render Region."))
    if sum(layer.use for layer in scene.view_layers) != 1:
        found.append(("view_layers", "The scene renders several view layers or none; enable exactly one view layer."))
    return found


def has_compositor(scene):
    """Whether the compositor would change the image: any node beyond a plain pass-through."""
    tree = scene.compositing_node_group
    return tree is not None and any(
        node.bl_idname not in ("CompositorNodeRLayers", "CompositorNodeViewer", "NodeGroupOutput", "NodeGroupInput", "CompositorNodeComposite", "NodeFrame", "NodeReroute")
        and not node.mute
        for node in tree.nodes
    )


def has_strips(scene):
    editor = scene.sequence_editor
    return editor is not None and len(getattr(editor, "strips", ())) > 0


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


def simulations(scene, objects):
    """Refusals for simulations whose result is not stored: a frame reached by a jump would differ."""
    found = []
    for item in objects:
        for modifier in item.modifiers:
            if modifier.show_render:
                fault = simulation(item, modifier)
                if fault is not None:
                    found.append(fault)
    world = scene.rigidbody_world
    if world is not None and world.enabled and world.collection is not None and world.collection.objects:
        found.extend(cache_fault("The rigid body simulation", world.point_cache))
    return found


def simulation(item, modifier):
    label = f"{item.name}: {modifier.name}"
    if modifier.type == "FLUID" and modifier.fluid_type == "DOMAIN":
        return ("fluid", f"{label} is a fluid simulation, whose cache folder cannot be sent yet; convert it to a volume or mesh sequence.")
    if modifier.type == "DYNAMIC_PAINT" and modifier.canvas_settings is not None:
        return ("dynamic_paint", f"{label} is dynamic paint, which is not stored in the file; bake it to images or remove it.")
    if modifier.type in ("CLOTH", "SOFT_BODY"):
        return next(iter(cache_fault(label, modifier.point_cache)), None)
    if modifier.type == "PARTICLE_SYSTEM":
        system = modifier.particle_system
        moves = system.settings.type == "EMITTER" and system.settings.physics_type != "NO" or system.use_hair_dynamics
        return next(iter(cache_fault(label, system.point_cache)), None) if moves else None
    if modifier.type == "NODES" and modifier.node_group is not None and simulates(modifier.node_group):
        # Blender does not tell Python whether a zone's bake is there and whole, so none is trusted.
        return ("simulation_zone", f"{label} has a simulation zone, which cannot be checked yet; apply it, or export it as Alembic and use that.")
    return None


def simulates(tree, depth=0):
    """Whether a node tree holds a simulation zone, in nested groups too."""
    return depth < 16 and any(
        node.bl_idname == "GeometryNodeSimulationInput"
        or getattr(node, "node_tree", None) is not None and simulates(node.node_tree, depth + 1)
        for node in tree.nodes
    )


def cache_fault(label, cache):
    if not cache.is_baked:
        yield ("not_baked", f"{label} is a simulation that is not baked; bake it to memory and save the file again.")
    elif cache.use_disk_cache or cache.use_external:
        yield ("disk_cache", f"{label} keeps its simulation in a folder on disk; switch off Disk Cache, bake again and save the file.")


def scripts(scene, objects):
    """Refusals for what would need Python from the file: drivers that Blender blocked, scripts that register."""
    found = []
    if bpy.app.autoexec_fail:
        found.append(("scripts", f"The scene needs Python to run ({bpy.app.autoexec_fail_message[:120]}), which is never run from a stranger's file; bake it or replace it with simple expressions."))
    for text in bpy.data.texts:
        if text.use_module:
            found.append(("scripts", f"The text block {text.name} is set to run when the file opens; switch off Text > Register, or remove it."))
    return found + drivers()


def drivers():
    """Scripted drivers whose expression Blender cannot evaluate without Python."""
    found = []
    for name in ("objects", "meshes", "materials", "node_groups", "lights", "cameras", "worlds", "armatures", "shape_keys", "scenes", "curves", "particles", "collections"):
        for block in getattr(bpy.data, name):
            for data in (block, getattr(block, "node_tree", None)):
                animation = getattr(data, "animation_data", None)
                for curve in animation.drivers if animation is not None else ():
                    if curve.driver.type == "SCRIPTED" and not curve.driver.is_simple_expression:
                        found.append(("scripts", f"A driver of {block.name} ({curve.data_path[:60]}) needs Python; bake it or use a simple expression."))
    return found
