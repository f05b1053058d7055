"""What is measured in a running market: farm efficiency, the cost of audits, bytes of a second frame, an idle agent."""

import json
import os
import signal
import socket
import threading
import time

import bpyloop
import proc
from house import House

EVERYBODY_KNOWN = {"earn_in_accepted": 0, "earn_in_stake": 1, "rerun_ppm": 0}
EVERYBODY_NEW = {"earn_in_accepted": 1_000_000}


def ordered(house, scene, frames, validators):
    """Measured cards, a paid order, and no validator left: frames are delivered and not judged."""
    house.until_measured()
    job = house.render(scene, frames)
    for name in validators:
        house.stop(name)
    return job


def farm(scene, threads, frames):
    """One provider through the whole system against a bare bpy loop on the same frames.

    They take turns of a frame's length, the other one stopped meanwhile, so that whatever else the machine does falls on both.
    Times of the farm leave out where it was stopped.
    """
    rules = {**EVERYBODY_KNOWN, "node_silence_ms": 3_600_000}
    with House(**rules) as house, bpyloop.Loop(scene, threads) as loop:
        names = ["validator-1", "validator-2"]  # of the card's benchmark and the inspection
        for name in names:
            house.validate(name)
        house.provide("provider", threads, stake=50)
        house.until_measured()
        turn = loop.frame(1)[0] / 1000  # warms it up
        rival, agent = loop.process.pid, house.running["provider"].pid
        freeze([rival])
        job = ordered(house, scene, frames, names)
        stops, alone, alone_cpu, cpu = [], {}, {}, {}
        with proc.Watch(lambda: sum(proc.tree_cpu(p.pid) for p in house.running.values()) + proc.tree_cpu(rival)) as watch:
            while True:
                end = time.monotonic() + turn
                while time.monotonic() < end:
                    time.sleep(0.1)
                    done = house.attempts(job)
                    cpu.setdefault(len(done), proc.tree_cpu(agent))
                if len(done) >= frames and len(alone) >= frames:
                    break
                if len(alone) < frames:
                    roots = [house.running[name].pid for name in house.running]
                    freeze(roots)
                    begun = time.time()
                    thaw([rival])
                    number = len(alone) + 1
                    wall, used = loop.frame(number)
                    alone[number], alone_cpu[number] = wall / 1000, used / 1000
                    turn = wall / 1000
                    freeze([rival])
                    stops.append((begun, time.time()))
                    thaw(roots)
        thaw([rival])
        if any(a["state"] == "accepted" for a in done):
            raise SystemExit("a frame was judged although no validator ran")

    def running(at_ms):
        at = at_ms / 1000
        return at - sum(min(at, end) - begun for begun, end in stops if begun < at)

    ends = [running(attempt["committed"]) for attempt in done]
    steady, whole = ends[-1] - ends[0], ends[-1] - running(done[0]["leased"])
    bare = sum(seconds for frame, seconds in alone.items() if frame > 1)
    bare_cpu = sum(seconds for frame, seconds in alone_cpu.items() if frame > 1)
    return {
        "bench": "farm", "threads": threads, "n": frames - 1, "bare_s": round(bare, 3), "farm_s": round(steady, 3),
        "ratio": round(bare / steady, 4), "ratio_with_start": round(sum(alone.values()) / whole, 4),
        "cpu_ratio": round(bare_cpu / (cpu[frames] - cpu[1]), 4),
        "in_tasks": round(sum(a["receipt"]["claimed_ms"] for a in done[1:]) / (done[-1]["committed"] - done[0]["committed"]), 4),
        "load_ms": round(loop.load_ms), "others": round(watch.others, 3),
    }


def freeze(roots):
    """Stops the processes and all beneath them; again, for those that were born meanwhile."""
    for _ in range(2):
        signal_all(roots, signal.SIGSTOP)


def thaw(roots):
    signal_all(roots, signal.SIGCONT)


def signal_all(roots, word):
    for root in roots:
        for pid in proc.tree(root):
            try:
                os.kill(pid, word)
            except ProcessLookupError:
                continue


def audits(scene, threads, frames, newcomer, what):
    """CPU of whole validator processes ÷ CPU of the whole provider, for frames alone; validators start afterwards."""
    rules = EVERYBODY_NEW if newcomer else EVERYBODY_KNOWN
    names = ["validator-1", "validator-2"]  # the first task of an account is always checked by two
    relay = Relay()
    with House(public=relay.url, **rules) as house:
        relay.open(house.server)
        for name in names:
            house.validate(name)
        house.provide("provider", threads, stake=None if newcomer else 50, server=relay.url)
        house.until_measured()
        agent = house.running["provider"].pid
        job = ordered(house, scene, frames, names)
        cpu = proc.tree_cpu(agent)
        house.until(lambda: any(a["state"] == "delivered" for a in house.attempts(job)), "the first frame's delivery", 900, 0.05)
        down = relay.down  # the next frame's lease came before, the scene's bytes as well
        house.until_rendered(job, frames, every=0.1)
        house.until(lambda: all(a["state"] == "delivered" for a in house.attempts(job)), "all deliveries")
        down = relay.down - down
        render = proc.tree_cpu(agent) - cpu
        house.stop("provider")  # pictures would follow, and are not what is measured
        server = house.running["server"].pid
        judged = proc.tree_cpu(server)
        names = names if newcomer else names[:1]
        for name in names:
            house.validate(name, stake=None)
        pids = [house.running[name].pid for name in names]
        seen = {}

        def over():
            for pid in pids:
                seen[pid] = proc.tree_cpu(pid)
            return all(a["state"] in ("accepted", "rejected") for a in house.attempts(job))

        house.until(over, "the verdicts", 600)
        judged = proc.tree_cpu(server) - judged
        passed = sum(a["state"] == "accepted" for a in house.attempts(job))
        size = sum(os.path.getsize(os.path.join(at, name)) for at, _, names_ in os.walk(os.path.dirname(scene)) for name in names_ if not name.endswith(".json"))
        relay.close()
    if passed != frames:
        raise SystemExit(f"{frames - passed} honest frames of {frames} were not accepted")
    return [
        {
            "bench": "audits", "scene": what, "newcomer": newcomer, "n": frames, "render_cpu_s": round(render, 2),
            "audit_cpu_s": round(sum(seen.values()), 2), "share": round(sum(seen.values()) / render, 4),
            "comparator_share": round(judged / render, 4),
        },
        {"bench": "second-frame", "n": frames - 1, "bytes_a_frame": round(down / max(frames - 1, 1)), "scene_bytes": size},
    ]


def first_frame(scene, threads):
    """From the command to the first frame in the folder: inspection, its audits, payment, render, audit, sync; a provider with
    `threads` threads and two validators are there, on the same machine."""
    with House(**EVERYBODY_KNOWN) as house:
        for name in ("validator-1", "validator-2"):
            house.validate(name)
        house.provide("provider", threads, stake=50)
        house.until_measured()
        begun = time.monotonic()
        house.render(scene, 4)
        folder = os.path.join(house.home, "frames", "frames")
        house.until(lambda: os.path.isdir(folder) and any(name.endswith(".exr") for name in os.listdir(folder)), "the first frame", every=0.05)
        return {"bench": "first-frame", "n": 1, "threads": threads, "seconds": round(time.monotonic() - begun, 1)}


def pair(scene, frames):
    """Frames a second of two providers with a thread each, over those of one. Audits aside: validators are gone meanwhile."""
    rates = []
    for providers in (1, 2):
        with House(**EVERYBODY_KNOWN) as house:
            names = ["validator-1", "validator-2"]
            for name in names:
                house.validate(name)
            for index in range(providers):
                house.provide(f"provider-{index + 1}", 1, stake=50)
            house.until_measured()
            job = ordered(house, scene, frames * providers, names)
            done = house.until_rendered(job, frames * providers)
        # The first frame of each has the scene's opening in it.
        steady = (done[-1]["committed"] - done[providers - 1]["committed"]) / 1000
        rates.append((len(done) - providers) / steady)
    return {"bench": "pair", "n": frames, "one": round(rates[0], 4), "two": round(rates[1], 4), "ratio": round(rates[1] / rates[0], 3)}


class Idle:
    """A provider whose work is over; `figures` waits until its sessions are closed and looks at it for `seconds`."""

    def __init__(self, house, pid):
        self.house, self.pid, self.since = house, pid, time.monotonic()

    def figures(self, seconds):
        self.house.until(lambda: len(proc.tree(self.pid)) == 1, "the idle sessions to close", 400, 1)
        at, cpu, most = time.monotonic(), proc.own_cpu(self.pid), 0.0
        while time.monotonic() - at < seconds:
            time.sleep(1)
            most = max(most, proc.resident_mib(self.pid))
        used = (proc.own_cpu(self.pid) - cpu) / (time.monotonic() - at)
        return {"bench": "idle", "n": seconds, "resident_mib": round(most, 1), "anonymous_mib": round(proc.resident_mib(self.pid, "RssAnon"), 1), "cpu_percent": round(100 * used, 3)}


class Relay:
    """Counts the bytes between one party and the server: listens on a port of its own and hands everything on."""

    def __init__(self):
        self.target, self.down, self.up = None, 0, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def open(self, server):
        host, port = server.removeprefix("http://").split(":")
        self.target = (host, int(port))
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
                far = socket.create_connection(self.target)
            except OSError:
                return
            for source, sink, way in ((near, far, "up"), (far, near, "down")):
                threading.Thread(target=self.hand_on, args=(source, sink, way), daemon=True).start()

    def hand_on(self, source, sink, way):
        try:
            while data := source.recv(1 << 18):
                setattr(self, way, getattr(self, way) + len(data))
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.listener.close()


def told(line):
    return json.dumps(line, separators=(",", ":"))
