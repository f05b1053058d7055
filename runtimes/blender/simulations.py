"""Simulations: which are stored whole, where their files lie, and how its owner bakes one that is not.

A frame that is reached by a jump must be the frame that is reached by stepping, so only stored results are rendered.
Owns the walk over modifiers; the names of cache files are Blender's own (measured, 5.0).
"""

import os
import re
import tempfile

from blender import bpy

from faults import one_line

FRAMES_MAX = 200_000
META_BYTES = 8 << 20
BLOB = re.compile(rb'"name":"([0-9A-Za-z_.-]{1,64}\.(?:blob|vdb))"')
PANELS = {"CLOTH": "Physics Properties > Cloth > Cache", "SOFT_BODY": "Physics Properties > Soft Body > Cache",
          "PARTICLE_SYSTEM": "Particle Properties > Cache", "RIGID": "Scene Properties > Rigid Body World > Cache"}


def faults(scene, objects):
    """Refusals for simulations whose result is not stored, as `[(code, sentence)]`."""
    found = []
    for item in objects:
        for modifier in item.modifiers:
            if modifier.show_render:
                found.extend(fault for fault in simulation(scene, item, modifier) if fault is not None)
    world = scene.rigidbody_world
    if world is not None and world.enabled and world.collection is not None and world.collection.objects and not world.point_cache.is_baked:
        found.append(not_baked("The rigid body simulation", "RIGID"))
    return found


def simulation(scene, item, modifier):
    label = f"{one_line(item.name, 60)}: {one_line(modifier.name, 60)}"
    if modifier.type == "FLUID" and modifier.fluid_type == "DOMAIN":
        yield ("fluid", f"{label} is a fluid simulation, whose own cache cannot be read here; bake it, then use the OpenVDB files in its cache folder as a Volume object, or export its mesh as Alembic.")
    if modifier.type == "DYNAMIC_PAINT" and modifier.canvas_settings is not None:
        yield ("dynamic_paint", f"{label} is dynamic paint, which is not stored in the file; bake it to an image sequence and use that as a texture.")
    if modifier.type == "OCEAN" and modifier.is_cached:
        yield ("ocean_cache", f"{label} is an ocean with a baked cache, which is not sent along; delete the bake in Modifier Properties, the ocean then is computed for each frame.")
    cache = point_cache(modifier)
    if cache is not None and not cache.is_baked:
        yield not_baked(label, modifier.type)
    if modifier.type == "NODES" and modifier.node_group is not None:
        yield from (zone(scene, item, modifier, bake, label) for bake in modifier.bakes)


def point_cache(modifier):
    """The cache that a modifier's simulation keeps its frames in; None where it simulates nothing."""
    if modifier.type in ("CLOTH", "SOFT_BODY"):
        return modifier.point_cache
    if modifier.type == "PARTICLE_SYSTEM":
        system = modifier.particle_system
        if system.settings.type == "EMITTER" and system.settings.physics_type != "NO" or system.use_hair_dynamics:
            return system.point_cache
    return None


def not_baked(label, kind):
    return ("not_baked", f"{label} is a simulation that is not baked; in {PANELS[kind]} press Bake, then save the file again.")


def zone(scene, item, modifier, bake, label):
    """Why the bake of a zone or a bake node in geometry nodes cannot be used; None where it can."""
    simulates = bake.node is not None and bake.node.bl_idname == "GeometryNodeSimulationOutput"
    if on_disk(modifier, bake):
        if not simulates and bake.bake_mode == "STILL":
            return ("still_bake", f"{label} keeps a still bake in a folder; set its Bake Target to Packed, bake again and save the file.")
        return None  # its files are listed, and missing ones named
    if simulates and packed(item, modifier, bake) < len(bake_frames(scene, bake)):
        return ("not_baked", f"{label} has a simulation zone that is not baked for all frames; in Physics Properties > Simulation Nodes press the Bake button, then save the file again.")
    return None


def on_disk(modifier, bake):
    return (modifier.bake_target if bake.bake_target == "INHERIT" else bake.bake_target) == "DISK"


def bake_frames(scene, bake):
    own = bake.use_custom_simulation_frame_range or bake.node is not None and bake.node.bl_idname == "GeometryNodeBake"
    first, last = (bake.frame_start, bake.frame_end) if own else (scene.frame_start, scene.frame_end)
    return range(first, last + 1)[:FRAMES_MAX]


def packed(item, modifier, bake):
    """How many frames a bake keeps inside the file. Blender tells nobody, so they are laid out in a folder and taken back."""
    kept = bake.use_custom_path, bake.directory, bake.bake_target
    names = {"session_uid": item.session_uid, "modifier_name": modifier.name, "bake_id": bake.bake_id}
    with tempfile.TemporaryDirectory() as folder:
        try:
            bake.use_custom_path, bake.directory = True, folder + os.sep
            if "FINISHED" not in bpy.ops.object.geometry_node_bake_unpack_single(**names, method="WRITE_ORIGINAL"):
                return 0
            count = len(os.listdir(os.path.join(folder, "meta")))
            bpy.ops.object.geometry_node_bake_pack_single(**names)
            return count
        except (RuntimeError, OSError, AttributeError):  # a linked object's bake can neither be laid out nor trusted
            return 0
        finally:
            bake.use_custom_path, bake.directory, bake.bake_target = kept


def files(scene, objects, found):
    """Adds the files of simulations that are baked to disk to the listing `found`."""
    for item in objects:
        for modifier in item.modifiers:
            cache = point_cache(modifier) if modifier.show_render else None
            if cache is not None and cache.is_baked and (cache.use_disk_cache or cache.use_external):
                add_cache(found, item, cache, modifier.type == "PARTICLE_SYSTEM")
            if modifier.type == "NODES" and modifier.show_render and modifier.node_group is not None:
                for bake in modifier.bakes:
                    if on_disk(modifier, bake) and (bake.bake_mode != "STILL" or bake.node.bl_idname == "GeometryNodeSimulationOutput"):
                        add_bake(found, scene, item, modifier, bake)


def add_cache(found, item, cache, particles):
    """A point cache keeps a file a frame: `NAME_FRAME_INDEX.bphys` in `blendcache_SCENE` or a folder of its own."""
    folder = cache.filepath if cache.use_external else f"//blendcache_{stem(item)}"
    name = cache.name or item.name.encode().hex().upper()
    index = f"_{cache.index:02d}" if cache.index >= 0 else ""
    frames = set(range(cache.frame_start, cache.frame_end + 1, max(cache.frame_step, 1))[:FRAMES_MAX])
    if particles:
        frames.add(0)  # what is known of each particle before its first frame
    for frame in sorted(frames):
        found.add("cache", folder, item.library, f"{folder.rstrip('/')}/{name}_{frame:06d}{index}.bphys")


def stem(item):
    file = item.library.filepath if item.library is not None else bpy.data.filepath
    return os.path.splitext(os.path.basename(file.replace("\\", "/")))[0]


def add_bake(found, scene, item, modifier, bake):
    """A bake of geometry nodes keeps `meta/FRAME_00000.json` a frame; those name the files in `blobs/`."""
    folder = bake.directory if bake.use_custom_path else f"{modifier.bake_directory.rstrip('/')}/{bake.bake_id}"
    if not folder.strip("/"):
        folder = f"//blendcache_{stem(item)}/{item.name}_{modifier.name}/{bake.bake_id}"
    folder, blobs = folder.rstrip("/"), set()
    for frame in bake_frames(scene, bake):
        meta = f"{folder}/meta/{frame:05d}_00000.json"
        place = found.add("cache", folder, item.library, meta)
        if place is not None and os.path.isfile(place) and os.path.getsize(place) <= META_BYTES:
            with open(place, "rb") as stream:
                blobs.update(BLOB.findall(stream.read(META_BYTES)))
    for name in sorted(blobs)[:FRAMES_MAX]:
        found.add("cache", folder, item.library, f"{folder}/blobs/{name.decode()}")
