"""Inspects, renders, cuts and finishes every scene of the corpus, in one process with the runtime's own functions.

`corpus_runner.py CORPUS`: for each row of CORPUS/corpus.json one JSON line on standard output. A scene is opened by a
fresh session like an agent's; only the processes of `up.py` and `run.py` are left out, which other tests go through.
"""

import json
import os
import shutil
import sys
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import daemon  # noqa: E402
import pixels  # noqa: E402
from exr import Exr, read_exr  # noqa: E402
from faults import Fault  # noqa: E402

ROUNDS = 8
CROPS = [(0.35, 0.3, 0.25, 0.35), (0, 0, 0.1, 0.2), (0.9, 0.75, 0.1, 0.25)]  # shares of the frame: x, y, w, h


class Quiet(daemon.Session):
    def tell(self, message):
        pass


def crops_of(width, height):
    return [{"x": int(x * width), "y": int(y * height), "w": int(w * width), "h": int(h * height)} for x, y, w, h in CROPS]


def perform(session, folder, **request):
    """The request's result, or the code and sentence of its refusal."""
    try:
        daemon.perform(session, {**request, "out": folder})
    except Fault as fault:
        return {"fault": fault.code, "sentence": fault.sentence}
    with open(os.path.join(folder, "result.json"), "rb") as stream:
        return json.load(stream)


def frame(session, folder, number, local, twice):
    made = perform(session, folder, kind="render", frame=number)
    if "fault" in made:
        return made
    exr = os.path.join(folder, made["exr"])
    size = made["width"], made["height"]
    cut = perform(session, folder, kind="crops", frame=number, crops=crops_of(*size))
    compared = perform(
        session, folder, kind="compare", claim=exr, tiles=os.path.join(folder, made["tiles"]), width=size[0], height=size[1],
        channels=len(made["channels"]),
        crops=[{**{key: crop[key] for key in "xywh"}, "file": os.path.join(folder, crop["file"])} for crop in cut["crops"]],
    )
    finished = perform(session, folder, kind="finish", frame=number, exr=exr)
    picture = os.path.join(folder, finished.get("png", "none"))
    return {
        "channels": made["channels"], "crops": compared, "finish": finished,
        "local": perform(session, folder, kind="compare_images", a=picture, b=local), "std": spread(exr),
        "again": perform(session, folder, kind="finish", frame=number, exr=exr).get("sha256") if twice else None,
    }


def spread(exr):
    """How much the picture in a frame varies: 0 would be an empty one."""
    image, names = read_exr(exr)
    first = [index for index, name in enumerate(names) if name.rpartition(".")[2] == "R"]
    return float(image[..., first[0]].std()) if first else 0.0


def close(row, corpus):
    """The scene alone in a folder, then what its inspection misses, until nothing is missing: how a buyer's files go up."""
    home = os.path.join(corpus, row["name"])
    away = os.path.join(home, "away")
    os.makedirs(away)
    shutil.copy(row["scene"], away)
    for rounds in range(1, ROUNDS + 1):
        session = daemon.prepare(os.path.join(away, "scene.blend"))
        session.__class__ = Quiet
        files = perform(session, os.path.join(home, "runtime"), kind="inspect")["files"]
        missing = [entry["resolved"] for entry in files if not entry["found"] and os.path.isfile(os.path.join(home, entry["resolved"]))]
        if not missing:
            break
        for name in missing:
            os.makedirs(os.path.dirname(os.path.join(away, name)), exist_ok=True)
            shutil.copy(os.path.join(home, name), os.path.join(away, name))
    return {"rounds": rounds, "files": files}


def run(row, corpus):
    folder = os.path.join(corpus, row["name"], "runtime")
    os.makedirs(folder, exist_ok=True)
    try:
        session = daemon.prepare(row["scene"])
    except Fault as fault:
        return {"name": row["name"], "opened": {"fault": fault.code, "sentence": fault.sentence}}
    session.__class__ = Quiet
    deep = "channels" in row["report"]  # a probe and a second finish cost seconds
    told = {"name": row["name"], "report": perform(session, folder, kind="inspect", probe=deep, frames=[row["frames"][-1]])}
    told["frames"] = [
        frame(session, folder, number, os.path.join(corpus, row["name"], f"local_{number:04d}.png"), deep)
        for number in row["frames"] if not (row["refused"] or row["missing"])
    ]
    if row["files"] and not row["refused"]:
        told["closed"] = close(row, corpus)
    return told


def main(corpus):
    with open(os.path.join(corpus, "corpus.json"), encoding="utf-8") as stream:
        rows = json.load(stream)
    answers, out = [], os.dup(1)
    os.dup2(2, 1)  # Blender prints
    for row in rows:
        try:
            answers.append(run(row, corpus))
        except Exception:  # one scene that breaks must not hide the others
            answers.append({"name": row["name"], "broken": traceback.format_exc()[-2000:]})
    with os.fdopen(out, "w") as stream:
        for answer in answers:
            stream.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main(os.path.abspath(sys.argv[1]))
