"""A market in a temporary folder: the real server, providers and validators, each a process with keys of its own."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TATAU = os.path.join(ROOT, "target", "debug", "tatau")
PATIENCE = 300  # seconds that anything may take that is not measured


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


class House:
    """`with House(rules) as house`: a server runs; on the way out everything that was started here is stopped."""

    def __init__(self, public=None, **rules):
        """`public`: another address that the server is dialled at; requests are signed for the address that was dialled."""
        self.rules, self.running, self.server, self.public = rules, {}, None, public

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="tatau-bench-")
        self.home = self.folder.name
        rules = os.path.join(self.home, "rules.json")
        with open(rules, "w", encoding="ascii") as stream:
            json.dump(self.rules, stream)
        try:
            listen, known = "127.0.0.1:0", []
            if self.public is not None:
                # The first address is the one that the server tells of itself.
                listen = f"127.0.0.1:{free_port()}"
                known = ["--public-url", f"http://{listen}", "--public-url", self.public]
            self.start("server", ["serve", "--local", "--listen", listen, "--rules", rules, *known])
            ready = os.path.join(self.home, "server", "server.json")
            self.until(lambda: os.path.exists(ready), "the server to start")
            with open(ready, encoding="utf-8") as stream:
                self.server = json.load(stream)["url"]
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *_):
        for name in reversed(list(self.running)):
            self.stop(name)
        self.folder.cleanup()

    def environment(self, name):
        values = {key: value for key, value in os.environ.items() if not key.startswith("TATAU_")}
        values |= {"TATAU_DATA": os.path.join(self.home, name), "TATAU_CACHE": os.environ["TATAU_CACHE"]}
        if self.server is not None:
            values["TATAU_SERVER"] = self.server
        return values

    def start(self, name, arguments, server=None):
        """Starts `tatau` for a party; its words go to a log."""
        environment = self.environment(name)
        if server is not None:
            environment["TATAU_SERVER"] = server
        with open(self.log(name), "ab") as log:
            self.running[name] = subprocess.Popen(
                [TATAU, *arguments], env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        return self.running[name]

    def stop(self, name):
        """Asks a party to stop, twice if need be, then kills it."""
        process = self.running.pop(name)
        for word in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
            if process.poll() is not None:
                return
            process.send_signal(word)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                continue

    def ask(self, name, *arguments):
        done = subprocess.run([TATAU, *arguments], env=self.environment(name), capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"`tatau {' '.join(arguments)}` failed: {done.stderr.strip()[-400:]}")
        return done.stdout

    def provide(self, name, threads, stake=None, server=None):
        if stake is not None:
            self.ask(name, "wallet", "stake", str(stake))
        self.start(name, ["provide", "--headless", "--slots", "1", "--threads", str(threads), "--memory-mib", "4000", "--ask", "100", "--name", name], server)

    def validate(self, name, threads=1, stake=40):
        if stake is not None:
            self.ask(name, "wallet", "stake", str(stake))
        self.start(name, ["validate", "--slots", "1", "--threads", str(threads), "--memory-mib", "3000", "--name", name])

    def log(self, name):
        return os.path.join(self.home, name + ".log")

    def rows(self, query, *values):
        """Reads the server's database."""
        file = os.path.join(self.home, "server", "market.sqlite")
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=10) as connection:
            return connection.execute(query, values).fetchall()

    def until(self, found, what, patience=PATIENCE, every=0.2):
        """Waits for a true answer; fails when it takes too long or a party has ended."""
        end = time.monotonic() + patience
        while True:
            answer = found()
            if answer:
                return answer
            for name, process in self.running.items():
                if process.poll() not in (None, 0):  # a buyer whose job is over ends with 0
                    raise SystemExit(f"{name} ended while the benchmark waited for {what}: {self.last_words(name)}")
            if time.monotonic() > end:
                words = "; ".join(f"{name}: {self.last_words(name)}" for name in self.running)
                raise SystemExit(f"the benchmark waited {patience} s for {what}; {words}")
            time.sleep(every)

    def last_words(self, name):
        with open(self.log(name), "rb") as stream:
            lines = stream.read()[-4096:].decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"

    def until_measured(self):
        """Every provider's card has its verified score."""

        def measured():
            nodes = [json.loads(body) for (body,) in self.rows("SELECT body FROM nodes")]
            cards = [card for node in nodes if node["offer"]["provides"] for card in node["cards"]]
            return cards and all(card["score_milli"] is not None for card in cards)

        self.until(measured, "a verified benchmark of every card")

    def render(self, scene, frames):
        """Starts the buyer; returns the number of the render job once it is paid for."""
        out = os.path.join(self.home, "frames")
        self.start("buyer", ["render", scene, "--frames", f"1-{frames}", "--out", out, "--yes", "--no-video", "--fresh"])

        def submitted():
            jobs = [(number, json.loads(body)) for number, body in self.rows("SELECT id, body FROM jobs")]
            return next((number for number, job in jobs if "render" in json.dumps(job["kind"]).lower()), None)

        return self.until(submitted, "the inspection and the order", every=0.1)

    def attempts(self, job):
        """Attempts at the job's frames that have a receipt, the first receipt first."""
        found = []
        for state, body, work in self.rows(
            "SELECT attempts.state, attempts.body, tasks.body FROM attempts JOIN tasks ON tasks.id = attempts.task WHERE attempts.job = ?", job
        ):
            attempt = json.loads(body)
            if json.loads(work)["work"] == "render" and attempt["committed"] is not None:
                found.append({**attempt, "state": state})
        return sorted(found, key=lambda attempt: attempt["committed"])

    def until_rendered(self, job, frames, every=0.1):
        return self.until(lambda: (found := self.attempts(job)) if len(self.attempts(job)) >= frames else None, f"{frames} frames", 900, every)
