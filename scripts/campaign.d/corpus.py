#!/usr/bin/env python3
"""The whole corpus through the real farm: `corpus.py [NAME…]`. Every picture must be Blender's own, or the order refused.

A real server, two providers, two validators, one buyer a scene. One line a scene, a summary at the end, exit status 1 where
anything differs from what examples/corpus expects.
"""

import concurrent.futures
import json
import os
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "scripts", "bench.d"))
sys.dont_write_bytecode = True

from house import TATAU, House  # noqa: E402

AT_ONCE = 3  # orders
PATIENCE = 900  # seconds of one order
COMPARE = """
import json, sys
sys.path.insert(0, sys.argv[1])
import decoded
for line in sys.stdin:
    a, b = json.loads(line)
    print(json.dumps(decoded.compare_images(None, {"a": a, "b": b}, None)))
"""


def corpus(python, folder, names):
    """Makes the scenes and Blender's own pictures; the rows of what is expected."""
    program = os.path.join(ROOT, "examples", "corpus", "make_corpus.py")
    subprocess.run([python, "-sE", program, folder, "--local", *names], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with open(os.path.join(folder, "corpus.json"), encoding="utf-8") as stream:
        return json.load(stream)


def order(house, row, out):
    """One buyer's order; what it said and how it ended."""
    frames = ",".join(str(frame) for frame in row["frames"])
    command = [TATAU, "render", row["scene"], "--frames", frames, "--out", out, "--yes", "--no-video"]
    begun = time.monotonic()
    done = subprocess.run(command, env=house.environment(f"buyer-{row['name']}"), capture_output=True, text=True, timeout=PATIENCE, check=False)
    return done.returncode, done.stdout + done.stderr, time.monotonic() - begun


def compare(python, pairs):
    lines = "".join(json.dumps(pair) + "\n" for pair in pairs)
    done = subprocess.run([python, "-sE", "-c", COMPARE, os.path.join(ROOT, "runtimes", "blender")], input=lines, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def judge(python, folder, row, out, ended):
    """`(good, words)` about one scene."""
    code, said, seconds = ended
    if row["refused"] or row["missing"]:
        word = row["missing"][0].rpartition("/")[2] if row["missing"] else row["words"]
        return code != 0 and word in " ".join(said.split()), f"refused in {seconds:.0f} s"
    if code != 0:
        return False, " ".join(said.split())[-300:]
    pairs = [
        (os.path.join(out, "frames", f"frame_{frame:04d}.png"), os.path.join(folder, row["name"], f"local_{frame:04d}.png")) for frame in row["frames"]
    ]
    found = compare(python, pairs)
    good = all(answer["ok"] and answer["equal"] >= row["equal"] and answer["max_diff"] <= row["most"] for answer in found)
    shares = ", ".join(f"{100 * answer['equal']:.2f}%" if answer["ok"] else answer["sentence"] for answer in found)
    return good, f"{shares} of the pixels equal, in {seconds:.0f} s"


def main(names):
    python = subprocess.run(
        [TATAU, "provide", "environment", "blender-5.0", "--print-python"], capture_output=True, text=True, check=True, env=os.environ
    ).stdout.strip()
    bad = frames = 0
    with tempfile.TemporaryDirectory(prefix="tatau-corpus-") as folder, House(earn_in_accepted=0, earn_in_stake=1) as house:
        rows = corpus(python, folder, names)
        for index in (1, 2):
            house.validate(f"validator-{index}")
            house.provide(f"provider-{index}", 1, stake=50)
        house.until_measured()
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            outs = [os.path.join(folder, row["name"], "farm") for row in rows]
            for row, out, ended in zip(rows, outs, pool.map(lambda pair: order(house, *pair), zip(rows, outs))):
                good, words = judge(python, folder, row, out, ended)
                bad, frames = bad + (not good), frames + (good and not row["refused"] and not row["missing"]) * len(row["frames"])
                print(f"{'ok ' if good else 'BAD'} {row['name']}: {words}", flush=True)
        failed = house.rows("SELECT count(*) FROM audits WHERE json_extract(body, '$.verdict') = 'fail'")[0][0]
    print(f"corpus: {len(rows)} scenes, {frames} pictures equal to Blender's own, {bad} scenes not as expected, {failed} audits failed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
