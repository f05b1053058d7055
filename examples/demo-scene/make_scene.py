"""Builds Tatau's demo scene: `make_scene.py OUT_DIR`, run with the Python of the environment `blender-5.0`.

Writes `scene.blend`, `textures/*.png` and `library/props.blend` (linked by the scene, with a texture of its own). Every
number is fixed, so that two runs give the same picture: a still life that the camera circles in 24 frames.
"""

import math
import os
import sys

import bpy
import numpy as np

FRAMES = 24
WIDTH, HEIGHT = 480, 270
SAMPLES = 16
SEED = 2018


def write_png(file, pixels):
    """Writes float pixels [height, width, 3] in 0…1 as an 8-bit sRGB PNG."""
    height, width, _ = pixels.shape
    image = bpy.data.images.new(os.path.basename(file), width, height, alpha=False)
    rgba = np.ones((height, width, 4), np.float32)
    rgba[..., :3] = pixels
    image.pixels.foreach_set(rgba[::-1].ravel())
    image.filepath_raw, image.file_format = file, "PNG"
    image.save()
    bpy.data.images.remove(image)


def noise(rng, size, octaves=5):
    """Tileable value noise in 0…1, `size` × `size`."""
    total = np.zeros((size, size))
    for octave in range(octaves):
        cells = 4 << octave
        grid = rng.random((cells, cells))
        at = np.arange(size) * cells / size
        low = at.astype(int)
        part = at - low
        part = part * part * (3 - 2 * part)
        rows = grid[low % cells] * (1 - part)[:, None] + grid[(low + 1) % cells] * part[:, None]
        total += (rows[:, low % cells] * (1 - part) + rows[:, (low + 1) % cells] * part) / (1 << octave)
    return (total - total.min()) / (total.max() - total.min())


def textures(folder):
    """The three pictures of the scene: wooden planks, a woven cloth, a painted globe."""
    rng = np.random.default_rng(SEED)
    size = 512
    y, x = np.mgrid[0:size, 0:size] / size
    planks = 6
    board = np.floor(y * planks)
    shade = rng.random(planks)[board.astype(int)]
    grain = noise(rng, size)
    rings = 0.5 + 0.5 * np.sin((y * planks * 9 + grain * 5 + shade * 17 + np.sin(x * 6.28) * 0.7) * 2.2)
    seam = np.minimum(y * planks - board, board + 1 - y * planks) < 0.02
    light = 0.55 + 0.22 * rings * (0.6 + 0.4 * grain) + 0.18 * shade
    wood = light[..., None] * np.array([0.78, 0.47, 0.25])
    wood[seam] *= 0.25
    write_png(os.path.join(folder, "planks.png"), np.clip(wood, 0, 1))

    threads = 48
    weave = (np.floor(x * threads) + np.floor(y * threads)) % 2
    round_x, round_y = np.abs(np.sin(x * threads * math.pi)), np.abs(np.sin(y * threads * math.pi))
    cloth = np.where(weave > 0, round_x, round_y)[..., None] * 0.45 + 0.55
    stripe = ((x * 8) % 1 < 0.22) | ((y * 8) % 1 < 0.22)
    cloth = cloth * np.where(stripe[..., None], [0.86, 0.80, 0.66], [0.12, 0.30, 0.34])
    write_png(os.path.join(folder, "cloth.png"), np.clip(cloth, 0, 1))

    land = noise(rng, size, 6)
    shore = np.clip((land - 0.52) * 14, 0, 1)[..., None]
    sea = np.array([0.03, 0.16, 0.36]) + 0.25 * land[..., None] * np.array([0.1, 0.5, 0.7])
    soil = np.array([0.86, 0.62, 0.22]) * (0.6 + 0.6 * land[..., None])
    write_png(os.path.join(folder, "globe.png"), np.clip(sea * (1 - shore) + soil * shore, 0, 1))


def material(name, colour=(0.8, 0.8, 0.8), texture=None, scale=1.0, **inputs):
    """A principled material; `texture` (a path) replaces the colour, `scale` repeats it over the UV square."""
    made = bpy.data.materials.new(name)
    made.use_nodes = True
    nodes, links = made.node_tree.nodes, made.node_tree.links
    shader = nodes["Principled BSDF"]
    shader.inputs["Base Color"].default_value = (*colour, 1)
    for key, value in inputs.items():
        shader.inputs[key.replace("_", " ")].default_value = value
    if texture is not None:
        picture = nodes.new("ShaderNodeTexImage")
        picture.image = bpy.data.images.load(texture, check_existing=True)
        places, mapping = nodes.new("ShaderNodeTexCoord"), nodes.new("ShaderNodeMapping")
        mapping.inputs["Scale"].default_value = (scale, scale, scale)
        links.new(places.outputs["UV"], mapping.inputs["Vector"])
        links.new(mapping.outputs["Vector"], picture.inputs["Vector"])
        links.new(picture.outputs["Color"], shader.inputs["Base Color"])
    return made


def place(name, made, location=(0, 0, 0), smooth=True, levels=0):
    """Names the object just added, gives it a material and a finish."""
    item = bpy.context.object
    item.name, item.location = name, location
    item.data.materials.append(made)
    if smooth:
        item.data.shade_smooth()
    if levels:
        item.modifiers.new("smooth", "SUBSURF").render_levels = levels
    return item


def turned(name, made, profile, location=(0, 0, 0), steps=64):
    """A body of revolution from `[(radius, height), …]`."""
    vertices, faces = [], []
    for radius, height in profile:
        for step in range(steps):
            angle = 2 * math.pi * step / steps
            vertices.append((radius * math.cos(angle), radius * math.sin(angle), height))
    for row in range(len(profile) - 1):
        for step in range(steps):
            after = (step + 1) % steps
            faces.append((row * steps + step, row * steps + after, (row + 1) * steps + after, (row + 1) * steps + step))
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(vertices, [], faces)
    item = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(item)
    item.location = location
    mesh.materials.append(made)
    mesh.shade_smooth()
    return item


def library(folder, texture_folder):
    """`library/props.blend`: a globe on a brass stand, as the collection `globe`."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    brass = material("brass", (0.87, 0.62, 0.24), Metallic=1.0, Roughness=0.22)
    ball = material("globe", texture=os.path.join(texture_folder, "globe.png"), scale=1, Roughness=0.3, Coat_Weight=1.0, Coat_Roughness=0.05)
    collection = bpy.data.collections.new("globe")
    bpy.context.scene.collection.children.link(collection)
    bpy.ops.mesh.primitive_uv_sphere_add(segments=64, ring_count=32, radius=0.72)
    items = [place("globe ball", ball, (0, 0, 1.22))]
    items[0].rotation_euler = (math.radians(23), 0, 0.6)
    bpy.ops.mesh.primitive_torus_add(major_radius=0.82, minor_radius=0.035, major_segments=96, minor_segments=16, rotation=(math.pi / 2, 0, 0.5))
    items.append(place("meridian", brass, (0, 0, 1.22)))
    profile = [(0.0, 0.0), (0.5, 0.0), (0.5, 0.06), (0.36, 0.1), (0.1, 0.16), (0.06, 0.26), (0.11, 0.32), (0.05, 0.38), (0.0, 0.4)]
    items.append(turned("stand", brass, profile))
    for item in items:
        for owner in list(item.users_collection):
            owner.objects.unlink(item)
        collection.objects.link(item)
    save(os.path.join(folder, "props.blend"))


def lights(scene):
    world = bpy.data.worlds.new("dusk")
    world.use_nodes = True
    nodes, links = world.node_tree.nodes, world.node_tree.links
    ramp, places, split = nodes.new("ShaderNodeValToRGB"), nodes.new("ShaderNodeTexCoord"), nodes.new("ShaderNodeSeparateXYZ")
    ramp.color_ramp.elements[0].color, ramp.color_ramp.elements[1].color = (0.42, 0.24, 0.17, 1), (0.04, 0.13, 0.30, 1)
    ramp.color_ramp.elements[1].position = 0.22
    links.new(places.outputs["Generated"], split.inputs[0])
    links.new(split.outputs["Z"], ramp.inputs[0])
    links.new(ramp.outputs[0], nodes["Background"].inputs[0])
    nodes["Background"].inputs[1].default_value = 0.8
    world.cycles.sampling_method, world.cycles.sample_map_resolution = "MANUAL", 64
    scene.world = world
    for name, colour, power, size, location in (
        ("window", (1.0, 0.86, 0.68), 420, 2.2, (-4.2, -2.6, 4.6)),
        ("sky", (0.5, 0.68, 1.0), 160, 3.5, (4.6, -1.0, 4.2)),
        ("rim", (1.0, 0.5, 0.28), 260, 1.4, (1.2, 4.6, 3.0)),
    ):
        data = bpy.data.lights.new(name, "AREA")
        data.color, data.energy, data.size = colour, power, size
        item = bpy.data.objects.new(name, data)
        item.location = location
        aim(item, (0, 0, 0.7))
        scene.collection.objects.link(item)


def aim(item, target):
    """Turns `item` so that its -Z axis points at `target`."""
    from mathutils import Vector

    item.rotation_euler = (Vector(target) - item.location).to_track_quat("-Z", "Y").to_euler()


def camera(scene):
    """A slow arc around the table, with a lens wide open on the glass sphere."""
    data = bpy.data.cameras.new("camera")
    data.lens, data.dof.use_dof, data.dof.aperture_fstop = 52, True, 2.4
    item = bpy.data.objects.new("camera", data)
    scene.collection.objects.link(item)
    focus = (0.0, -0.5, 0.75)
    for frame in range(1, FRAMES + 1):
        angle = math.radians(-118 + 56 * (frame - 1) / (FRAMES - 1))
        item.location = (7.0 * math.cos(angle), 7.0 * math.sin(angle), 2.5 + 0.35 * math.sin(angle * 2))
        aim(item, (0.0, 0.0, 0.74))
        data.dof.focus_distance = math.dist(item.location, focus)
        item.keyframe_insert("location", frame=frame)
        item.keyframe_insert("rotation_euler", frame=frame)
        data.dof.keyframe_insert("focus_distance", frame=frame)
    scene.camera = item


def table(textures_folder):
    planks = material("planks", texture=os.path.join(textures_folder, "planks.png"), scale=3, Roughness=0.28)
    bpy.ops.mesh.primitive_plane_add(size=18)
    place("table", planks, smooth=False)
    cloth = material("cloth", texture=os.path.join(textures_folder, "cloth.png"), scale=1.4, Roughness=0.9)
    bpy.ops.mesh.primitive_grid_add(x_subdivisions=60, y_subdivisions=60, size=3.7, rotation=(0, 0, 0.35))
    runner = place("cloth", cloth, (0.1, -0.1, 0.03))
    for vertex in runner.data.vertices:
        x, y = vertex.co.x, vertex.co.y
        vertex.co.z += 0.022 * math.sin(3.1 * x + 1.3 * math.sin(2.3 * y)) * math.cos(2.7 * y)


def still_life(scene):
    glass = material("glass", (0.93, 1.0, 0.97), Transmission_Weight=1.0, Roughness=0.0, IOR=1.48)
    bpy.ops.mesh.primitive_uv_sphere_add(segments=64, ring_count=32, radius=0.56)
    place("glass ball", glass, (-0.05, -1.02, 0.62))
    glaze = material("glaze", (0.03, 0.24, 0.26), Roughness=0.12, Coat_Weight=1.0)
    profile = [(0.0, 0.0), (0.30, 0.0), (0.34, 0.05), (0.52, 0.34), (0.60, 0.62), (0.55, 0.90), (0.36, 1.16), (0.22, 1.36), (0.20, 1.50), (0.29, 1.62), (0.26, 1.62), (0.17, 1.50)]
    vase = turned("vase", glaze, profile, (-1.35, 0.25, 0.05))
    vase.modifiers.new("smooth", "SUBSURF").render_levels = 1
    gold = material("gold", (1.0, 0.70, 0.28), Metallic=1.0, Roughness=0.16)
    bpy.ops.mesh.primitive_torus_add(major_radius=0.36, minor_radius=0.11, major_segments=96, minor_segments=32, rotation=(0.0, 0.0, 0))
    place("ring", gold, (-1.18, -1.0, 0.17))
    clay = material("clay", (0.62, 0.13, 0.07), Roughness=0.65)
    bpy.ops.mesh.primitive_monkey_add(size=0.8, rotation=(-0.42, 0.0, 0.45))
    place("figure", clay, (1.22, -1.3, 0.40), levels=2)
    wax = material("wax", (0.95, 0.80, 0.55), Roughness=0.4, Emission_Color=(1.0, 0.45, 0.15, 1), Emission_Strength=0.12)
    flame = material("flame", Emission_Color=(1.0, 0.52, 0.16, 1), Emission_Strength=14.0)
    for glowing in (wax, flame):
        glowing.cycles.emission_sampling = "NONE"  # they glow; lighting the table is the lamps' work, with less noise
    for index, (x, y, height) in enumerate(((0.05, 0.95, 1.15), (-0.42, 1.28, 0.82), (0.42, 1.45, 0.6))):
        bpy.ops.mesh.primitive_cylinder_add(vertices=48, radius=0.17, depth=height)
        candle = place(f"candle {index}", wax, (x, y, 0.04 + height / 2))
        candle.modifiers.new("edge", "BEVEL").width = 0.02
        bpy.ops.mesh.primitive_uv_sphere_add(segments=24, ring_count=16, radius=0.055)
        place(f"flame {index}", flame, (x, y, height + 0.16)).scale = (1, 1, 2.1)
    pearls(scene)


def pearls(scene):
    """A string of small coloured beads in an arc, so that there is fine detail for audits to look at."""
    colours = ((0.85, 0.12, 0.16), (0.95, 0.62, 0.1), (0.1, 0.42, 0.62), (0.92, 0.9, 0.85), (0.3, 0.55, 0.2))
    made = [material(f"bead {index}", colour, Roughness=0.18, Coat_Weight=0.8) for index, colour in enumerate(colours)]
    for index in range(30):
        angle = math.radians(198 + index * 5.4)
        bpy.ops.mesh.primitive_uv_sphere_add(segments=24, ring_count=16, radius=0.075 + 0.012 * (index % 3))
        place(f"pearl {index}", made[index % 5], (0.15 + 1.72 * math.cos(angle), -0.35 + 1.35 * math.sin(angle), 0.125))


def settings(scene):
    render, cycles = scene.render, scene.cycles
    render.engine, cycles.device = "CYCLES", "CPU"
    render.resolution_x, render.resolution_y, render.resolution_percentage = WIDTH, HEIGHT, 100
    scene.frame_start, scene.frame_end, render.fps = 1, FRAMES, 24
    cycles.samples, cycles.seed, cycles.use_animated_seed = SAMPLES, SEED, True
    cycles.use_denoising = cycles.use_adaptive_sampling = False
    cycles.sample_clamp_indirect, cycles.blur_glossy = 1.5, 1.0
    cycles.max_bounces, cycles.diffuse_bounces, cycles.glossy_bounces, cycles.transmission_bounces = 5, 1, 3, 5
    cycles.use_light_tree = False
    cycles.caustics_reflective = cycles.caustics_refractive = False
    scene.view_settings.view_transform, scene.view_settings.look = "AgX", "AgX - Medium High Contrast"
    scene.view_settings.exposure = 0.25


def save(file):
    bpy.context.preferences.filepaths.save_version = 0
    bpy.ops.wm.save_as_mainfile(filepath=file, compress=True, relative_remap=True)
    bpy.ops.file.make_paths_relative()
    bpy.ops.wm.save_mainfile(compress=True)


def main(out):
    out = os.path.abspath(out)
    pictures, linked = os.path.join(out, "textures"), os.path.join(out, "library")
    os.makedirs(pictures, exist_ok=True)
    os.makedirs(linked, exist_ok=True)
    textures(pictures)
    library(linked, pictures)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.name = "Still life"
    settings(scene)
    table(pictures)
    still_life(scene)
    lights(scene)
    camera(scene)
    with bpy.data.libraries.load(os.path.join(linked, "props.blend"), link=True) as (_, wanted):
        wanted.collections = ["globe"]
    globe = bpy.data.objects.new("globe", None)
    globe.instance_type, globe.instance_collection = "COLLECTION", wanted.collections[0]
    globe.location = (1.12, 0.42, 0.05)
    scene.collection.objects.link(globe)
    scene.frame_set(1)
    save(os.path.join(out, "scene.blend"))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Usage: make_scene.py OUT_DIR")
    main(sys.argv[1])
