"""`weigh.py LINK URL…`: signs a browser in and prints bytes, requests and first paint of each page, one JSON line a page."""

import json
import shutil
import statistics
import sys

from playwright.sync_api import sync_playwright

ROUNDS = 3
TIMES = "(() => { const p = performance.getEntriesByName('first-contentful-paint')[0]; return p ? p.startTime : null })()"

with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=shutil.which("chromium") or shutil.which("google-chrome"), args=["--no-sandbox"])
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.new_page().goto(sys.argv[1])
    for url in sys.argv[2:]:
        paints = []
        for _ in range(ROUNDS):
            page = context.new_page()
            session = context.new_cdp_session(page)
            session.send("Network.enable")
            session.send("Network.setCacheDisabled", {"cacheDisabled": True})
            seen = {}
            session.on("Network.responseReceived", lambda event, seen=seen: seen.setdefault(event["requestId"], [event["type"], 0]))
            session.on("Network.loadingFinished", lambda event, seen=seen: event["requestId"] in seen and seen[event["requestId"]].__setitem__(1, event["encodedDataLength"]))
            page.goto(url)
            page.wait_for_load_state("load")
            # Asked again and again from outside: the pages' own policy forbids what would wait inside.
            for _ in range(100):
                paint = page.evaluate(TIMES)
                if paint is not None:
                    break
                page.wait_for_timeout(20)
            if paint is None:
                raise SystemExit(f"{url} painted nothing")
            paints.append(paint)
            page.close()
        bare = sum(size for kind, size in seen.values() if kind not in ("Image", "Media"))
        print(json.dumps({"page": url, "requests": len(seen), "bytes": bare, "paint_ms": round(statistics.median(paints))}))
    browser.close()
