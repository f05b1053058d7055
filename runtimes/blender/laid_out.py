"""Inputs as Blender can read them: a scene's folder is read-only here, and Blender opens some of its own files only for writing.

The small `meta` files of simulations that geometry nodes baked to disk are such files. Where they cannot be written Blender says nothing
and shows another picture (measured, 4.5 and 5.0). They are copied, and everything else is linked, into a folder of the session's own.
"""

import os
import re
import shutil

from faults import Fault

INPUTS = "/in/scene"  # where a provider lays inputs out; elsewhere a scene's own folder holds all of them
META = re.compile(r"\d{1,9}_\d{1,9}\.json")
COPIED_BYTES = 256 << 20
FOLDERS_MAX = 100_000


def readable(scene, work):
    """The path under which `scene` is to be opened: its own, or one in a copy of its folder below `work`."""
    root = INPUTS if scene.startswith(INPUTS + "/") else os.path.dirname(scene)
    metas = {folder for folder in folders(root) if os.path.basename(folder) == "meta" and needs_copy(folder)}
    if not metas:
        return scene
    place = os.path.join(work, "scene")
    try:
        shutil.rmtree(place, ignore_errors=True)
        mirror(root, place, metas, [COPIED_BYTES])
    except OSError as error:
        raise Fault("out_of_space", f"The scene's files could not be laid out: {error.strerror}.") from None
    return os.path.join(place, os.path.relpath(scene, root))


def folders(root):
    for count, (folder, _, _) in enumerate(os.walk(root)):
        if count > FOLDERS_MAX:
            raise Fault("too_many_files", f"The scene comes with more than {FOLDERS_MAX} folders; send fewer.")
        yield folder


def needs_copy(folder):
    """Whether the first description in a `meta` folder is there and cannot be opened for writing."""
    for entry in os.scandir(folder):
        if META.fullmatch(entry.name):
            try:
                with open(entry.path, "rb+"):
                    return False
            except OSError:
                return True
    return False


def mirror(source, target, metas, left):
    """Makes `target` show what `source` holds: links, and copies of what lies in `metas`."""
    os.makedirs(target)
    for entry in os.scandir(source):
        place = os.path.join(target, entry.name)
        if entry.is_dir(follow_symlinks=False) and any(meta == entry.path or meta.startswith(entry.path + "/") for meta in metas):
            mirror(entry.path, place, metas, left)
        elif source in metas and META.fullmatch(entry.name):
            left[0] -= entry.stat().st_size
            if left[0] < 0:
                raise Fault("bake_too_large", "The scene's simulations have more than 256 MB of descriptions; bake fewer frames, or into the file (Bake Target: Packed).")
            shutil.copyfile(entry.path, place)
            os.chmod(place, 0o600)
        else:
            os.symlink(entry.path, place)
