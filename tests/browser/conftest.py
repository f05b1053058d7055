"""A real market on this machine, and a real browser that looks at it.

One market serves the whole run: a local server, validators, and the programs of `target/debug`. Pages are opened in Chromium as
Debian ships it. Nothing here waits for luck: every wait names what it waits for and gives up.
"""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright

ROOT = pathlib.Path(__file__).resolve().parents[2]
TATAU = ROOT / "target" / "debug" / "tatau"
CACHE = pathlib.Path(os.environ.get("TATAU_CACHE", ROOT / ".cache"))
SCREENS = ROOT / "docs" / "screens"
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 360, "height": 740}
# Everything that a two-core machine does for one small job happens within this, s.
PATIENCE = 240


def until(what, check, seconds=PATIENCE):
    """Asks `check` until it answers something true; that answer."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = check()
        if found:
            return found
        time.sleep(0.2)
    raise AssertionError(f"not within {seconds} s: {what}")


class House:
    """Folders, programs, and what they print."""

    def __init__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="tatau-browser-"))
        self.url = None
        self.children = {}

    def arguments(self, name, *arguments):
        server = ["--server", self.url] if self.url else []
        return [str(TATAU), *map(str, arguments), "--data", str(self.dir / name), "--cache", str(CACHE), *server]

    def environment(self):
        kept = {k: v for k, v in os.environ.items() if not k.startswith("TATAU_") and k not in ("DISPLAY", "WAYLAND_DISPLAY")}
        return {**kept, "XDG_CONFIG_HOME": str(self.dir / "config"), "HOME": str(self.dir / "home")}

    def ask(self, name, *arguments):
        """Runs a verb to its end; what it printed."""
        ran = subprocess.run(
            self.arguments(name, *arguments), env=self.environment(), capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        assert ran.returncode == 0, f"tatau {arguments}: {ran.stdout}\n{ran.stderr}"
        return ran.stdout

    def start(self, name, *arguments):
        """Starts a role; its words go to a log."""
        with open(self.log(name), "ab") as log:
            self.children[name] = subprocess.Popen(
                self.arguments(name, *arguments), env=self.environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        return self.children[name]

    def log(self, name):
        return self.dir / f"{name}.log"

    def told(self, name):
        return self.log(name).read_text(errors="replace")

    def stop(self, name, how=signal.SIGTERM):
        child = self.children.pop(name)
        child.send_signal(how)
        try:
            child.wait(30)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def close(self):
        for name in list(self.children):
            self.stop(name)
        shutil.rmtree(self.dir, ignore_errors=True)

    def serve(self, listen="127.0.0.1:0"):
        """Starts the server, or starts it again at the same address."""
        ready = self.dir / "server" / "server.json"
        self.url, known = None, self.url
        self.start("server", "serve", "--local", "--listen", listen if known is None else known.removeprefix("http://"))
        self.url = until("the server answers", lambda: self._ready(ready))

    def _ready(self, ready):
        assert self.children["server"].poll() is None, self.told("server")
        try:
            url = json.loads(ready.read_text())["url"]
            urllib.request.urlopen(f"{url}/healthz", timeout=5).read()
        except (OSError, ValueError, KeyError):
            return None
        return url

    def validator(self, name):
        self.ask(name, "wallet", "stake", "40")
        self.start(name, "validate", "--ask", "50", "--slots", "1", "--threads", "1", "--memory-mib", "2500", "--name", name)

    def link(self, name, *more):
        """A one-time link that signs a browser in."""
        return self.ask(name, "open", "--print", *more).strip()

    def books_balance(self):
        books = json.loads(self.ask("server", "admin", "audit-books", "--json"))
        assert books["balanced"] and books["sum"] == 0, books


@pytest.fixture(scope="session")
def house():
    house = House()
    try:
        house.serve()
        for name in ("validator-1", "validator-2"):
            house.validator(name)
        yield house
        house.books_balance()
    except BaseException:
        for log in sorted(house.dir.glob("*.log")):
            print(f"--- {log.name}\n{log.read_text(errors='replace')[-3000:]}")
        raise
    finally:
        house.close()


@pytest.fixture(scope="session")
def python():
    """Blender's environment."""
    told = subprocess.run(
        [str(TATAU), "provide", "environment", "blender-5.0", "--print-python", "--cache", str(CACHE)],
        capture_output=True, text=True, check=True,
    )
    return told.stdout.strip()


@pytest.fixture(scope="session")
def scenes(python, tmp_path_factory):
    """Small scenes: `plain.blend`, and `textured/` with a picture beside it."""
    folder = tmp_path_factory.mktemp("scenes")
    subprocess.run([python, str(ROOT / "tests" / "browser" / "scenes.py"), str(folder)], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="session")
def chromium():
    with sync_playwright() as playwright:
        path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        assert path, "no Chromium is installed; scripts/setup-browser installs it"
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader"])
        yield browser
        browser.close()


class Looker:
    """A person before a browser. Whatever a page writes to the console as an error fails the test."""

    def __init__(self, chromium, size, **more):
        self.context = chromium.new_context(viewport=size, locale="en-GB", timezone_id="UTC", accept_downloads=True, **more)
        self.context.set_default_timeout(20_000)
        self.errors = []
        # While the server is away on purpose, failing requests are what is tested.
        self.tolerant = False

    def page(self, url):
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._console)
        page.goto(url)
        return page

    def _console(self, message):
        if message.type == "error" and not self.tolerant:
            self.errors.append(f"{message.text} ({message.location.get('url', '')})")

    def close(self):
        self.context.close()
        assert not self.errors, self.errors


@pytest.fixture
def looker(chromium):
    made = []

    def make(size=DESKTOP, **more):
        made.append(Looker(chromium, size, **more))
        return made[-1]

    yield make
    for one in made:
        one.close()


def fits(page):
    """Nothing is wider than the window."""
    wide = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert wide[0] <= wide[1], f"{page.url} is {wide[0]} px wide in a window of {wide[1]}"


def accessible(page):
    """axe finds nothing serious."""
    found = Axe().run(page).response["violations"]
    serious = [(v["id"], [n["target"] for n in v["nodes"]]) for v in found if v["impact"] in ("serious", "critical")]
    assert not serious, (page.url, serious)


def screens(page, name):
    """Looks at the page as it is, at both widths and in the dark: it fits, axe is content, a picture is kept where TATAU_SCREENS is set."""
    page.emulate_media(color_scheme="dark")
    accessible(page)
    if os.environ.get("TATAU_SCREENS_DARK"):
        page.screenshot(path=pathlib.Path(os.environ["TATAU_SCREENS_DARK"]) / f"{name}.png", full_page=True)
    page.emulate_media(color_scheme="light")
    for label, size in (("desktop", DESKTOP), ("phone", PHONE)):
        page.set_viewport_size(size)
        fits(page)
        accessible(page)
        if os.environ.get("TATAU_SCREENS"):
            SCREENS.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=SCREENS / f"{name}-{label}.png", full_page=True)
    page.set_viewport_size(DESKTOP)


__all__ = ["DESKTOP", "PATIENCE", "PHONE", "accessible", "expect", "fits", "screens", "until"]
