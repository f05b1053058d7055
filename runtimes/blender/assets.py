"""The outside files that a scene refers to: what is named, from where, where it has to lie, whether it is there.

Owns the walk over Blender's data; says nothing about whether a missing file matters.
"""

import os
import re

from blender import bpy

import blind
import compositor
import refusals
import scenes
import simulations
from faults import one_line

FILES_MAX = 4096
PATH_CHARS = 1024
FRAMES_MAX = 200_000
USD = (".usd", ".usda", ".usdc", ".usdz")
UNSEEN = ("BRUSH", "CAMERA", "PALETTE", "SCENE", "SCREEN", "WINDOWMANAGER", "WORKSPACE")
DIGITS = re.compile(r"^(.*?)(\d+)(\D*)$", re.DOTALL)


class Listing:
    """Collects entries without doubles, at most `FILES_MAX` of them, and counts the rest."""

    def __init__(self):
        self.root = os.path.dirname(bpy.data.filepath)
        self.entries = {}
        self.total = 0
        self.warnings = []

    def add(self, kind, stored, library=None, source=None, from_scene=False):
        """Notes the file `stored`, as written in `library` (None: the scene); `source` names a file of a set.

        A path that starts with // counts from the folder of the library that it is written in, or
        `from_scene`: Blender keeps the paths of libraries themselves relative to the scene, at any depth.
        Returns where the file has to lie on this disk, None where that cannot be said.
        """
        base = None if from_scene else library
        stored, source = stored or "", source or stored or ""
        if not source or source.startswith("<builtin>"):
            return None
        absolute = scenes.is_absolute(source)
        if absolute:
            place = scenes.placed(self.root, source)
            if source.startswith(self.root + os.sep):  # already found beside the scene
                place, absolute = source, os.path.relpath(source, self.root).startswith(scenes.ABSOLUTE + os.sep)
        else:
            place = bpy.path.abspath(source.replace("\\", "/"), library=base)
        if "\\" in source and not absolute:
            self.warn("windows_path", f"{one_line(source, 120)} is written with backslashes; it is taken as a path with slashes.")
        if len(place) > PATH_CHARS or not place.isprintable():
            self.warn("odd_path", f"A file name is too long or has control characters: {one_line(place, 120)}.")
            return None
        place = os.path.normpath(os.path.join(self.root, place))
        entry = {
            "kind": kind, "path": one_line(scenes.MOVED.get(stored, stored), PATH_CHARS), "absolute": absolute,
            "resolved": os.path.relpath(place, self.root).replace(os.sep, "/"),
            "from": None if library is None else self.where(library),
        }
        try:
            found = os.path.isfile(place)
            entry |= {"found": found, "bytes": os.path.getsize(place) if found else None}
        except OSError:
            entry |= {"found": False, "bytes": None}
        key = (kind, entry["resolved"], entry["from"])
        if key not in self.entries:
            self.total += 1
            if len(self.entries) < FILES_MAX:
                self.entries[key] = entry
        return place

    def where(self, library):
        place = bpy.path.abspath(library.filepath.replace("\\", "/"))
        return os.path.relpath(os.path.normpath(os.path.join(self.root, place)), self.root).replace(os.sep, "/")

    def warn(self, code, sentence):
        if len(self.warnings) < 64 and (code, sentence) not in self.warnings:
            self.warnings.append((code, sentence))

    def sorted(self):
        return sorted(self.entries.values(), key=lambda entry: (entry["kind"], entry["resolved"], entry["from"] or ""))


def listing(scene):
    """Every outside file of the open scene and of the libraries that it could open."""
    found = Listing()
    for library in bpy.data.libraries:
        if library.packed_file is None:
            found.add("library", library.filepath, library.parent, from_scene=True)
    for image in shown(scene):
        add_image(found, scene, image)
    for font in bpy.data.fonts:
        if font.packed_file is None and used(font):
            found.add("font", font.filepath, font.library)
    for clip in bpy.data.movieclips:
        if used(clip):
            add_numbered(found, "movie", clip.filepath, clip.library, clip_numbers(scene, clip) if clip.source == "SEQUENCE" else None)
    for cache in bpy.data.cache_files:
        if used(cache):
            add_numbered(found, "cache", cache.filepath, cache.library, frames(scene) if cache.is_sequence else None)
            if cache.filepath.lower().endswith(USD):
                name = one_line(os.path.basename(cache.filepath), 60)
                found.warn("usd_alone", f"{name} is sent as one file; other files that it refers to are not, so save it flattened.")
    for volume in bpy.data.volumes:
        if volume.packed_file is None and used(volume):
            add_volume(found, scene, volume)
    for tree, library in node_trees():
        for node in tree.nodes:
            if node.bl_idname == "ShaderNodeTexIES" and node.mode == "EXTERNAL":
                found.add("ies", node.filepath, library)
            elif node.bl_idname == "ShaderNodeScript" and node.mode == "EXTERNAL":
                found.add("other", node.filepath, library)
    for path, library in blind.read_files():
        found.add("other", path, library)
    for item in bpy.data.objects:
        for modifier in item.modifiers:
            if modifier.type == "MESH_CACHE" and modifier.show_render:
                found.add("cache", modifier.filepath, item.library)
    simulations.files(scene, refusals.scene_objects(scene), found)
    add_sounds(found)
    add_lost(found)
    return found


def add_sounds(found):
    """Sounds are no part of a picture: they are not wanted, but their owner should know."""
    names = sorted(one_line(os.path.basename(sound.filepath.replace("\\", "/")) or sound.name, 60) for sound in bpy.data.sounds if used(sound))
    if names:
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        found.warn("sound", f"The scene has sound ({names[0]}{more}); pictures and video come without it, so add it afterwards.")


def add_lost(found):
    """What a linked file that is here no longer holds: Blender leaves it out everywhere."""
    lost = [block for block in bpy.data.user_map() if block.is_missing and block.library is not None]
    for block in sorted(lost, key=lambda block: block.name_full):
        if os.path.isfile(os.path.normpath(os.path.join(found.root, found.where(block.library)))):
            found.warn("lost_link", f"{found.where(block.library)} holds no {one_line(block.name, 60)} any more; it is left out, as in your own Blender.")


def shown(scene):
    """The images that a render can show: not those that only the artist looks at (references, backgrounds, brushes), nor those
    of materials and worlds that are merely kept."""
    mixed, every = compositor.active(scene), list(bpy.data.images)
    users = bpy.data.user_map(subset=every) if every else {}

    def shows(user):
        if user.id_type == "OBJECT":
            return user.type != "EMPTY"
        return used(user) and user.id_type not in UNSEEN and (mixed or getattr(user, "bl_idname", "") != "CompositorNodeTree")

    return [image for image in every if any(shows(user) for user in users.get(image, ()))]


def used(block):
    return block.users > int(block.use_fake_user)


def frames(scene):
    return range(scene.frame_start, scene.frame_end + 1, max(scene.frame_step, 1))[:FRAMES_MAX]


def node_trees():
    """Every node tree with the library it came from: groups, and those inside materials, worlds, lights."""
    for tree in bpy.data.node_groups:
        yield tree, tree.library
    for name in ("materials", "worlds", "lights"):
        for block in getattr(bpy.data, name):
            if block.node_tree is not None:
                yield block.node_tree, block.library


def add_image(found, scene, image):
    if image.source not in ("FILE", "SEQUENCE", "MOVIE", "TILED") or image.packed_files or image.packed_file:
        return
    stored = image.filepath_raw or image.filepath
    if image.source == "TILED":
        for tile in image.tiles:
            column, row = (tile.number - 1001) % 10, (tile.number - 1001) // 10
            name = stored.replace("<UDIM>", str(tile.number)).replace("<UVTILE>", f"u{column + 1}_v{row + 1}")
            found.add("image", stored, image.library, name)
    elif image.source == "SEQUENCE":
        add_numbered(found, "sequence", stored, image.library, sequence_numbers(scene, image))
    else:
        found.add("movie" if image.source == "MOVIE" else "image", stored, image.library)


def add_volume(found, scene, volume):
    if not volume.is_sequence:
        found.add("volume", volume.filepath, volume.library)
        return
    numbers = {user_frame(frame, volume.frame_start, volume.frame_duration, volume.frame_offset, volume.sequence_mode == "REPEAT") for frame in frames(scene)}
    add_numbered(found, "volume", volume.filepath, volume.library, sorted(numbers))


def add_numbered(found, kind, stored, library, numbers):
    """Adds one entry per number; the number is the last group of digits in the file's name."""
    folder, name = os.path.split(stored.replace("\\", "/"))
    stem, dot, suffix = name.rpartition(".")
    match = DIGITS.match(stem if dot else name)
    digits = list(re.finditer(r"\d+", stem if dot else name))
    if numbers is None or match is None or not digits:
        found.add(kind, stored, library)
        return
    base, last = stem if dot else name, digits[-1]
    for number in numbers:
        text = base[: last.start()] + str(number).zfill(len(last.group())) + base[last.end() :]
        slash = "" if not folder or folder.endswith("/") else "/"
        found.add(kind, stored, library, f"{folder}{slash}{text}{dot}{suffix}")


def sequence_numbers(scene, image):
    """The file numbers that an image sequence needs for the scene's frames, over all nodes that use it."""
    numbers = set()
    for user in image_users(image):
        if isinstance(user, bpy.types.GeometryNodeImageTexture):
            socket = user.inputs["Frame"]
            numbers.update(frames(scene) if socket.is_linked else [socket.default_value])
        elif not user.use_auto_refresh and hasattr(user, "frame_current"):
            numbers.add(user.frame_current + user.frame_offset if user.frame_current else user.frame_offset + 1)
        else:
            for frame in frames(scene):
                numbers.add(user_frame(frame, user.frame_start, user.frame_duration, user.frame_offset, user.use_cyclic))
    return sorted(number for number in numbers if number is not None) or None


def image_users(image):
    """What says which frame of an image sequence is shown: image users, or nodes that are their own."""
    for texture in bpy.data.textures:
        if getattr(texture, "image", None) == image:
            yield texture.image_user
    for tree, _ in node_trees():
        for node in tree.nodes:
            if node.bl_idname == "GeometryNodeImageTexture":
                if node.inputs["Image"].default_value == image:
                    yield node
            elif getattr(node, "image", None) == image:
                yield node.image_user if hasattr(node, "image_user") else node


def clip_numbers(scene, clip):
    """The file numbers that a movie clip made of images needs: it counts from the number in its name."""
    digits = re.findall(r"\d+", os.path.basename(clip.filepath))
    if not digits:
        return None
    first = int(digits[-1])
    last = first + max(clip.frame_duration, 1) - 1
    return sorted({min(max(first + frame - clip.frame_start + clip.frame_offset, first), last) for frame in frames(scene)})


def user_frame(frame, start, duration, offset, cyclic):
    """The file number for a scene frame: Blender's rule for image users, counted from 1, held at both ends."""
    if duration <= 0:
        return None
    at = frame - start + 1
    at = (at - 1) % duration + 1 if cyclic else min(max(at, 1), duration)
    return at + offset
