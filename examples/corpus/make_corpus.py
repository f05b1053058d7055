"""Makes the corpus: `make_corpus.py OUT [--local] [NAME…]`.

Writes OUT/NAME/scene.blend with its outside files, and with `--local` Blender's own pictures OUT/NAME/local_0002.png of the
scene's frames, rendered the way its artist would. OUT/corpus.json lists what is expected of each.
"""

import json
import os
import sys

import bpy

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import files  # noqa: E402, F401
import motion  # noqa: E402, F401
import output  # noqa: E402, F401
import refused  # noqa: E402, F401
import surfaces  # noqa: E402, F401
from stage import ROWS, Stage, medium  # noqa: E402


def make(row, folder):
    stage = Stage(folder)
    row.build(stage)
    stage.finish()
    return stage.file


def render_at_home(row, file):
    """Blender's own pictures: the file as it is, PNG with 8 bits, and no setting changed that would change a pixel."""
    bpy.ops.wm.open_mainfile(filepath=file)
    scene = bpy.context.scene
    if row.local is not None:
        row.local(file)
    image = scene.render.image_settings
    modes = (image.color_mode, image.views_format, image.stereo_3d_format.display_mode)
    medium(image, "IMAGE")
    image.file_format, image.color_depth = "PNG", "8"
    image.color_mode = modes[0] if modes[0] in ("RGB", "RGBA") else "RGB"
    if scene.render.use_multiview:  # one file: what is delivered
        image.views_format = "STEREO_3D"
        image.stereo_3d_format.display_mode = modes[2] if modes[1] == "STEREO_3D" else "TOPBOTTOM"
    for frame in range(min(scene.frame_start, *row.frames), max(row.frames) + 1):
        scene.frame_set(frame)  # step by step, as an animation is rendered
        if frame not in row.frames:
            continue
        scene.render.filepath = os.path.join(os.path.dirname(file), f"local_{frame:04d}.png")
        bpy.ops.render.render(write_still=True)


def main(arguments):
    local = "--local" in arguments
    out, *names = [argument for argument in arguments if argument != "--local"]
    listed = []
    for row in ROWS.values():
        if names and row.name not in names or bpy.app.version < row.since:
            continue
        file = make(row, os.path.join(out, row.name))
        if local and not row.refused and not row.missing:
            render_at_home(row, file)
        listed.append({key: value for key, value in vars(row).items() if not callable(value)} | {"scene": file, "about": row.build.__doc__})
    with open(os.path.join(out, "corpus.json"), "w", encoding="utf-8") as stream:
        json.dump(listed, stream, indent=1)
    print(f"{len(listed)} scenes in {out}")


if __name__ == "__main__":
    main([os.path.abspath(sys.argv[1]), *sys.argv[2:]])
