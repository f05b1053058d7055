"""Pages: what a thousand open ones cost the server, what each weighs, how soon a new provider has its first accepted task."""

import glob
import json
import os
import selectors
import shutil
import socket
import subprocess
import time
import urllib.request

import proc
from house import House

OPEN_PAGES = 1_000
WATCHED_SECONDS = 30
LIVELY_FRAMES = 40  # more than are done while it is watched


class Browser:
    """A signed-in session without a browser: the cookie of a one-time link."""

    def __init__(self, house, name):
        link = house.ask(name, "open", "--print").strip()
        opener = urllib.request.build_opener(NoRedirect)
        answer = opener.open(link)
        self.cookie = answer.headers["set-cookie"].split(";")[0]


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """The redirect is the answer: its cookie is what is wanted."""

    def http_error_303(self, request, answer, code, message, headers):
        return answer


def live(house, scene):
    """A thousand pages that follow one running job: the server's memory and CPU beyond the same job without them."""
    for name in ("validator-1", "validator-2"):
        house.validate(name)
    house.provide("provider", 1, stake=50)
    house.until_measured()
    job = house.render(scene, LIVELY_FRAMES)
    server = house.running["server"].pid
    cookie = Browser(house, "buyer").cookie
    base = watched(server, [], WATCHED_SECONDS)
    sockets = [follow(house.server, job, cookie) for _ in range(OPEN_PAGES)]
    crowd = watched(server, sockets, WATCHED_SECONDS)
    for one in sockets:
        one.close()
    if crowd["streams"] < OPEN_PAGES:
        raise SystemExit(f"only {crowd['streams']} of {OPEN_PAGES} live pages were served")
    return {
        "bench": "live-pages", "n": OPEN_PAGES, "seconds": WATCHED_SECONDS, "resident_mib": round(crowd["resident"], 1),
        "more_mib": round(crowd["resident"] - base["resident"], 1), "cpu_percent": round(crowd["cpu"], 1),
        "cpu_percent_without": round(base["cpu"], 1), "changes": crowd["changes"], "bytes_a_page": crowd["bytes"] // OPEN_PAGES,
    }


def follow(server, job, cookie):
    host, port = server.removeprefix("http://").split(":")
    one = socket.create_connection((host, int(port)))
    number = str(job).removeprefix("job-")
    one.sendall(f"GET /jobs/job-{number}/live HTTP/1.1\r\nHost: {host}:{port}\r\nCookie: {cookie}\r\nAccept: text/event-stream\r\n\r\n".encode())
    one.setblocking(False)
    return one


def watched(pid, sockets, seconds):
    """Reads what arrives for a while."""
    selector = selectors.DefaultSelector()
    for one in sockets:
        selector.register(one, selectors.EVENT_READ)
    served, taken, changes = set(), 0, 0
    begun, cpu, resident = time.monotonic(), proc.own_cpu(pid), 0.0
    looked = 0.0
    while time.monotonic() - begun < seconds:
        for key, _ in selector.select(0.2) if sockets else time.sleep(0.2) or ():
            data = key.fileobj.recv(1 << 16)
            if not data:
                raise SystemExit("the server closed a live page")
            if key.fileobj not in served:
                if b" 200 " not in data[:20]:
                    raise SystemExit(f"a live page was refused: {data[:200]!r}")
                served.add(key.fileobj)
            taken += len(data)
            changes += data.count(b"data:") > 0 and key.fileobj is sockets[0]
        if time.monotonic() - looked > 0.5:
            looked, resident = time.monotonic(), max(resident, proc.resident_mib(pid))
    selector.close()
    used = proc.own_cpu(pid) - cpu
    return {"resident": resident, "cpu": 100 * used / (time.monotonic() - begun), "streams": len(served), "bytes": taken, "changes": changes}


def first_task():
    """From the start of a provider that was never here before to its first accepted task, environment cached."""
    with House() as house:
        for name in ("validator-1", "validator-2"):
            house.validate(name)
        begun = time.monotonic()
        house.provide("provider", 1)
        house.until(lambda: house.rows("SELECT id FROM attempts WHERE state = 'accepted'"), "the first accepted task", 300, 0.1)
        return {"bench": "first-task", "n": 1, "seconds": round(time.monotonic() - begun, 1)}


def weights(house, paths):
    """Bytes, requests and time to first paint of each page in Chromium, nothing cached."""
    envs = sorted(glob.glob(os.path.join(os.environ["TATAU_CACHE"], "browser-tests-*", "bin", "python")))
    if not envs or not (shutil.which("chromium") or shutil.which("google-chrome")):
        return []
    link = house.ask("buyer", "open", "--print").strip()
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "weigh.py")
    done = subprocess.run([envs[-1], script, link, *[house.server + path for path in paths]], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"pages could not be weighed: {done.stderr.strip()[-500:]}")
    return [{"bench": "page", "n": 3, **line, "page": line["page"].removeprefix(house.server)} for line in map(json.loads, done.stdout.splitlines())]
