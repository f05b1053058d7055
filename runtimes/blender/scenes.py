"""Opens a stranger's .blend and holds it ready: no scripts, no preferences of its own, fixed threads, found files.

Owns the checks before Blender sees the file and the words for what Blender says about it.
"""

import ctypes
import os
import re
import sys
import tempfile
import zlib

from blender import bpy

from faults import Fault, one_line
from versions import NEWEST

HEAD_BYTES = 64 << 10
ABSOLUTE = "_absolute"  # beside the scene: where files go whose stored path was absolute on the buyer's machine
LIBRARIES_MAX = 256
MOVED = {}  # where a path was pointed to → what the scene stores
HEARD_BYTES = 1 << 20
LACKING_MAX = 8
ENGINE = re.compile(r"Engine '(.{1,80}?)' not available for scene")
COLOUR = re.compile(r"(?:color_management\s*\| WARNING|Color management:) ((?:scene view|scene look|Display) .{1,120} not found)")
DRIVE = re.compile(r"^[A-Za-z]:[\\/]")


def clean_preferences():
    """Makes this process refuse to run Python from files, whatever the preferences on this machine say."""
    preferences = bpy.context.preferences
    preferences.filepaths.use_scripts_auto_execute = False
    preferences.filepaths.use_load_ui = False
    preferences.filepaths.save_version = 0
    preferences.edit.undo_steps = 0
    preferences.edit.use_global_undo = False
    preferences.system.use_online_access = False


def head(file):
    """The first uncompressed bytes of a .blend, which may be gzip or zstd compressed."""
    try:
        with open(file, "rb") as stream:
            data = stream.read(HEAD_BYTES)
    except OSError as error:
        raise Fault("not_blend", f"The scene cannot be read: {error.strerror}.") from None
    try:
        if data[:2] == b"\x1f\x8b":
            return zlib.decompressobj(31).decompress(data, 64)
        if data[:4] == b"\x28\xb5\x2f\xfd":
            import zstandard

            with zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(data) as reader:
                return reader.read(64)
    except Exception:  # a compressed file whose first block is damaged is no readable .blend, whatever the library says
        return b""
    return data[:64]


def saved_by(first):
    """`(major, minor)` of the Blender that wrote a file with these first bytes; `None` where they are no .blend's."""
    match = re.match(rb"BLENDER(?:[_-][vV](\d)(\d\d)|\d\d-\d\d[vV](\d\d)(\d\d))", first)
    if match is None:
        return None
    major, minor = (match[1], match[2]) if match[1] else (match[3], match[4])
    return int(major), int(minor)


def check_head(file):
    first = head(file)
    version = saved_by(first)
    name = os.path.basename(file)
    if version is None:
        raise Fault("not_blend", f"{name} is not a Blender file; choose a .blend that Blender can open.")
    if version > NEWEST:
        raise Fault(
            "newer_blend",
            f"{name} was saved by Blender {version[0]}.{version[1]}; save it with Blender {NEWEST[0]}.{NEWEST[1]} or older.",
        )


def open_scene(file):
    """Opens `file` as the process's scene; what Blender lacks for it, as `[(code, sentence)]`.

    Raises a `Fault` that says what is wrong with it.
    """
    check_head(file)
    clean_preferences()
    MOVED.clear()
    try:
        with Overheard() as overheard:
            outcome = bpy.ops.wm.open_mainfile(filepath=file, load_ui=False, use_scripts=False, display_file_selector=False)
    except RuntimeError as error:
        raise Fault("corrupt_blend", f"Blender cannot open the scene ({words(error)}); save it again and retry.") from None
    if "FINISHED" not in outcome or os.path.abspath(bpy.data.filepath) != file:
        raise Fault("corrupt_blend", "Blender cannot open the scene: its contents are damaged; save it again and retry.")
    if not bpy.data.scenes or bpy.context.scene is None:
        raise Fault("corrupt_blend", "The file holds no scene; save it again with one.")
    clean_preferences()  # a file may carry settings of the program
    find_moved_files(os.path.dirname(file))
    return lacking(overheard.text)


class Overheard:
    """What Blender prints while it is entered; some of what it lacks it tells nowhere else. It still reaches the log."""

    text = ""

    def __enter__(self):
        sys.stdout.flush()
        self.file = tempfile.TemporaryFile()
        self.kept = [os.dup(stream) for stream in (1, 2)]
        for stream in (1, 2):
            os.dup2(self.file.fileno(), stream)
        return self

    def __exit__(self, *_):
        ctypes.CDLL(None).fflush(None)
        for stream, kept in zip((1, 2), self.kept):
            os.dup2(kept, stream)
            os.close(kept)
        self.file.seek(0)
        data = self.file.read(HEARD_BYTES)
        self.file.close()
        os.write(2, data)
        self.text = data.decode(errors="replace")


def lacking(text):
    """Refusals that follow from what Blender said while it opened a file."""
    found = []
    for engine in ENGINE.findall(text):
        found.append((
            "wrong_engine",
            f"The scene renders with {one_line(engine, 60)}, an add-on that this environment does not have; set Render Properties > Render Engine to Cycles.",
        ))
    for said in COLOUR.findall(text):
        found.append((
            "colour_config",
            f"The scene uses a colour configuration of its own, which Blender here does not have ({one_line(said, 120).rstrip('.')}); choose a view and a display of Blender's own in Render Properties > Color Management.",
        ))
    return found[:LACKING_MAX]


def words(error):
    """What Blender says, without the file names that its sentences begin with."""
    return one_line(str(error).replace("Error: ", "").rpartition("': ")[2], 160).rstrip(".")


def placed(root, stored):
    """Where the bytes of an absolute stored path lie beside the scene: `root/_absolute/…`."""
    parts = [part for part in stored.replace("\\", "/").replace(":", "").split("/") if part not in ("", ".", "..")]
    return os.path.join(root, ABSOLUTE, *parts)


def is_absolute(stored):
    return not stored.startswith("//") and (stored.startswith(("/", "\\")) or bool(DRIVE.match(stored)))


def find_moved_files(root):
    """Points absolute paths at the copies beside the scene, and backslashes at slashes, where those files exist."""
    seen = set()
    for _ in range(LIBRARIES_MAX):  # loading one library may reveal more
        moved = [lib for lib in bpy.data.libraries if lib.name_full not in seen]
        if not moved:
            break
        for library in moved:
            seen.add(library.name_full)
            where = moved_path(root, library.filepath, None)  # relative to the scene at any depth
            if where is not None:
                MOVED[where] = library.filepath
                library.filepath = where
                try:
                    library.reload()
                except RuntimeError as error:
                    raise Fault("corrupt_blend", f"A linked library cannot be opened ({words(error)}).") from None
    for collection, key in ((bpy.data.images, "filepath"), (bpy.data.fonts, "filepath"), (bpy.data.sounds, "filepath"),
                            (bpy.data.movieclips, "filepath"), (bpy.data.cache_files, "filepath"), (bpy.data.volumes, "filepath")):
        for item in collection:
            where = moved_path(root, getattr(item, key), item.library)
            if where is not None:
                MOVED[where] = getattr(item, key)
                setattr(item, key, where)


def moved_path(root, stored, library):
    """The path that a stored one must become here, or None where it is right as it is."""
    if not stored or stored.startswith("<"):
        return None
    if is_absolute(stored):
        where = placed(root, stored)
        return where if stored != where and exists(where) else None
    if "\\" in stored:
        where = stored.replace("\\", "/")
        return where if exists(bpy.path.abspath(where, library=library)) else None
    return None


def exists(file):
    """Whether a file, or the first of a set of tiles, lies there."""
    return os.path.exists(file.replace("<UDIM>", "1001").replace("<UVTILE>", "u1_v1"))


def full_size(scene):
    """`(width, height)` of the scene's whole frame in pixels."""
    render = scene.render
    return (render.resolution_x * render.resolution_percentage // 100, render.resolution_y * render.resolution_percentage // 100)
