"""Scenes that refer to outside files of every kind."""

import math
import os
import shutil
import struct
import wave

import bpy
from stage import paint, scene, textured, turned, with_nodes

PATTERN = [(0.8, 0.2, 0.1), (0.1, 0.7, 0.2), (0.2, 0.3, 0.9), (0.9, 0.8, 0.1), (0.6, 0.1, 0.7), (0.1, 0.8, 0.8)]


@scene(files={"image": 2})
def udim(stage):
    """UDIM tiles: one name, one file a tile."""
    for number, colour in ((1001, PATTERN[0]), (1002, PATTERN[2])):
        stage.picture(stage.path("tiles", f"skin.{number}.png"), colour)
    image = bpy.data.images.load(stage.path("tiles", "skin.1001.png"))
    image.source = "TILED"
    image.filepath = stage.path("tiles", "skin.<UDIM>.png")
    if not any(tile.number == 1002 for tile in image.tiles):
        image.tiles.new(1002)
    box = stage.cube()
    for loop in box.data.uv_layers[0].data:
        loop.uv[0] *= 2
    textured(box, image)


@scene(files={"library": 2, "image": 1})
def nested_libraries(stage):
    """A library that uses a library that uses a texture."""
    prop = stage.cube("prop")
    textured(prop, bpy.data.images.load(stage.picture(stage.path("lib", "deep", "bark.png"), PATTERN[1])))
    inner, outer = stage.path("lib", "deep", "prop.blend"), stage.path("lib", "set.blend")
    bpy.data.libraries.write(inner, {prop}, path_remap="RELATIVE_ALL")
    bpy.data.objects.remove(prop)
    stage.save()
    with bpy.data.libraries.load(inner, link=True) as (_, into):
        into.objects = ["prop"]
    group = bpy.data.collections.new("set")
    group.objects.link(into.objects[0])
    bpy.data.libraries.write(outer, {group}, path_remap="RELATIVE_ALL")
    bpy.ops.wm.open_mainfile(filepath=stage.file)
    stage.scene = bpy.context.scene
    with bpy.data.libraries.load(outer, link=True, relative=True) as (_, into):
        into.collections = ["set"]
    made = bpy.data.objects.new("set", None)
    made.instance_type, made.instance_collection = "COLLECTION", into.collections[0]
    stage.scene.collection.objects.link(made)


@scene(files={"library": 1}, warned=("lost_link",))
def renamed_in_library(stage):
    """A linked object that its library no longer has: left out, with a word."""
    stage.monkey()
    box, place = stage.cube("part"), stage.path("lib", "parts.blend")
    bpy.data.libraries.write(place, {box})
    bpy.data.objects.remove(box)
    stage.save()
    with bpy.data.libraries.load(place, link=True) as (_, into):
        into.objects = ["part"]
    stage.scene.collection.objects.link(into.objects[0])
    stage.after = lambda _: bpy.data.libraries.write(place, {bpy.data.meshes["monkey"]})


@scene(frames=(2, 5), files={"sequence": 4})
def image_sequence(stage):
    """A texture that is a sequence of images, with an offset, repeated."""
    for number in range(11, 15):
        stage.picture(stage.path("water", f"w_{number:04d}.png"), PATTERN[number - 11])
    image = bpy.data.images.load(stage.path("water", "w_0011.png"))
    image.source = "SEQUENCE"
    user = textured(stage.cube(), image).image_user
    user.frame_duration, user.frame_offset, user.use_cyclic, user.use_auto_refresh = 4, 10, True, True


@scene(frames=(2,), files={"movie": 1})
def movie_texture(stage):
    """A texture that is a movie."""
    import av
    import numpy as np

    place = stage.path("clips", "screen.mp4")
    with av.open(place, "w") as box:
        stream = box.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt, stream.options = 64, 64, "yuv420p", {"threads": "1"}
        for index in range(6):
            shade = np.full((64, 64, 3), 40 * index, np.uint8)
            shade[:, : 10 * index] = (200, 60, 30)
            for packet in stream.encode(av.VideoFrame.from_ndarray(shade, format="rgb24")):
                box.mux(packet)
        for packet in stream.encode():
            box.mux(packet)
    user = textured(stage.cube(), bpy.data.images.load(place)).image_user
    user.frame_duration, user.use_auto_refresh = 6, True


@scene()
def references(stage):
    """Pictures that only the artist looks at, and that are gone: no render shows them, so nobody is asked for them."""
    head, lost = stage.monkey(), stage.picture(stage.path("refs", "side.png"), PATTERN[0])
    image = bpy.data.images.load(lost)
    board = bpy.data.objects.new("board", None)
    board.empty_display_type, board.data = "IMAGE", image
    stage.scene.collection.objects.link(board)
    stage.camera.data.background_images.new().image = image
    stage.lost.append(lost)
    head.data.materials.append(paint("clay", PATTERN[0]))


@scene(files={"font": 1})
def fonts(stage):
    """A text with a font of its own."""
    source = os.path.join(bpy.utils.system_resource("DATAFILES"), "fonts", "DejaVuSansMono.woff2")
    made = bpy.data.curves.new("words", "FONT")
    made.body, made.size, made.align_x, made.extrude = "Tatau 360", 1.3, "CENTER", 0.05
    made.font = bpy.data.fonts.load(shutil.copy(source, stage.path("fonts", "mono.woff2")))
    words = bpy.data.objects.new("words", made)
    words.location, words.rotation_euler = (0, 0, 0.5), (math.pi / 2, 0, 0)
    stage.scene.collection.objects.link(words)


@scene(warned=("sound",))
def sounds(stage):
    """A speaker and a soundtrack in the sequencer: no part of a picture."""
    place = stage.path("sound", "beat.wav")
    with wave.open(place, "wb") as out:
        out.setparams((1, 2, 8000, 0, "NONE", ""))
        out.writeframes(b"".join(struct.pack("<h", int(9000 * math.sin(i / 5))) for i in range(4000)))
    stage.monkey()
    speaker = bpy.data.speakers.new("speaker")
    speaker.sound = bpy.data.sounds.load(place)
    stage.scene.collection.objects.link(bpy.data.objects.new("speaker", speaker))
    stage.scene.sequence_editor_create().strips.new_sound("beat", place, 1, 1)


def cloud(stage, place):
    """Writes an OpenVDB file: Blender has no exporter, but bakes volumes of geometry nodes as such."""
    stage.save()
    item = stage.cube("cloud")
    tree = bpy.data.node_groups.new("cloud", "GeometryNodeTree")
    tree.interface.new_socket("Geometry", in_out="OUTPUT", socket_type="NodeSocketGeometry")
    volume, bake, out = (tree.nodes.new(name) for name in ("GeometryNodeVolumeCube", "GeometryNodeBake", "NodeGroupOutput"))
    bake.bake_items.new("GEOMETRY", "Geometry")
    for axis in ("X", "Y", "Z"):
        volume.inputs[f"Resolution {axis}"].default_value = 12
    tree.links.new(volume.outputs[0], bake.inputs[0])
    tree.links.new(bake.outputs[0], out.inputs[0])
    modifier = item.modifiers.new("cloud", "NODES")
    modifier.node_group, modifier.bake_target = tree, "DISK"
    tree.is_modifier = True
    bake = modifier.bakes[0]
    bake.use_custom_path, bake.directory = True, stage.path("bake") + os.sep
    bpy.ops.object.geometry_node_bake_single(session_uid=item.session_uid, modifier_name="cloud", bake_id=bake.bake_id)
    found = [os.path.join(top, name) for top, _, names in os.walk(stage.path("bake")) for name in names if name.endswith(".vdb")]
    shutil.copy(found[0], place)
    shutil.rmtree(stage.path("bake"))
    bpy.data.objects.remove(item)
    bpy.data.node_groups.remove(tree)


@scene(files={"volume": 1})
def openvdb(stage):
    """A volume object with an OpenVDB file."""
    place = stage.path("vdb", "cloud.vdb")
    cloud(stage, place)
    data = bpy.data.volumes.new("cloud")
    data.filepath = place
    item = bpy.data.objects.new("cloud", data)
    item.location, item.scale = (0, 0, 1.3), (1.2, 1.2, 1.2)
    stage.scene.collection.objects.link(item)
    made = with_nodes(bpy.data.materials.new("cloud"))
    tree = made.node_tree
    tree.nodes.remove(tree.nodes["Principled BSDF"])
    shader = tree.nodes.new("ShaderNodeVolumePrincipled")
    shader.inputs["Density"].default_value = 4
    tree.links.new(shader.outputs[0], tree.nodes["Material Output"].inputs["Volume"])
    data.materials.append(made)
    stage.scene.cycles.volume_biased = True  # the unbiased way takes seconds a picture here; `volume_fog` has it


def moving_monkey(stage):
    head = stage.monkey()
    wave_ = head.modifiers.new("wave", "WAVE")
    wave_.height, wave_.speed = 0.4, 0.5
    turned(head)
    head.data.materials.append(paint("clay", PATTERN[0]))
    bpy.ops.object.select_all(action="DESELECT")
    head.select_set(True)
    return head


@scene(frames=(2, 5), files={"cache": 1})
def alembic(stage):
    """A mesh that deforms and turns from an Alembic cache."""
    head, place = moving_monkey(stage), stage.path("cache", "head.abc")
    bpy.ops.wm.alembic_export(filepath=place, start=1, end=6, selected=True)
    bpy.data.objects.remove(head)
    bpy.ops.wm.alembic_import(filepath=place, as_background_job=False)


@scene(frames=(2, 5), files={"cache": 1}, warned=("usd_alone",))
def usd(stage):
    """A mesh that deforms and turns from a USD cache."""
    head, place = moving_monkey(stage), stage.path("cache", "head.usdc")
    bpy.ops.wm.usd_export(filepath=place, selected_objects_only=True, export_animation=True, export_materials=False)
    bpy.data.objects.remove(head)
    bpy.ops.wm.usd_import(filepath=place, create_world_material=False)


WINDOWS = {
    "C:\\textures\\wood.png": ("_absolute", "C", "textures", "wood.png"),
    "\\\\server\\share\\stone.png": ("_absolute", "server", "share", "stone.png"),
    "//tex\\cloth\\linen.png": ("tex", "cloth", "linen.png"),
}


def at_home(file):
    """What the artist's own Windows would find; here Blender turns the backslashes of what it opens."""
    places = {stored.replace("\\", "/").lstrip("/"): place for stored, place in WINDOWS.items()}
    for image in bpy.data.images:
        place = places.get(image.filepath.replace("\\", "/").lstrip("/"))
        if place is not None:
            image.filepath = os.path.join(os.path.dirname(file), *place)


@scene(files={"image": 3}, local=at_home)
def windows_paths(stage):
    """Paths as Windows writes them: a drive, a server's share, backslashes in a relative path."""
    stage.relative = False
    for index, (stored, place) in enumerate(WINDOWS.items()):
        image = bpy.data.images.load(stage.picture(stage.path(*place), PATTERN[index]))
        textured(stage.cube(f"box{index}", size=1.2, location=(1.6 * index - 1.6, 0, 0.6)), image, f"m{index}")
        image.filepath = stored
