"""A provider: starts with one click, sees cards and money, changes settings, stops."""

import json
import re
import subprocess

from conftest import PATIENCE, PHONE, accessible, expect, fits, screens, until


def page_link(house, name):
    """What `tatau provide page --print` says once the page is there."""

    def asked():
        ran = subprocess.run(
            house.arguments(name, "provide", "page", "--print"), env=house.environment(), capture_output=True, text=True, timeout=60, check=False
        )
        return ran.stdout.strip() if ran.returncode == 0 else None

    return until("the provider's page has a link", asked, 60)


def test_one_click_and_money_arrives(house, scenes, looker):
    # As at a desktop: nothing works before the button is pressed.
    house.start("gamer", "provide", "--page", "127.0.0.1:0", "--no-open", "--slots", "1", "--threads", "1", "--memory-mib", "2500", "--name", "gamer")
    person = looker()
    page = person.page(page_link(house, "gamer"))
    button = page.locator("#the-button")
    expect(button).to_be_visible()
    if "stop" not in (button.get_attribute("class") or ""):
        button.click()
    expect(page.locator("#the-button.stop")).to_be_visible(timeout=PATIENCE * 1000)
    expect(page.locator("[sse-swap=cards] article")).to_have_count(1, timeout=PATIENCE * 1000)
    # Its first task is the platform's own test of the card; then somebody's scene pays.
    expect(page.get_by_text("known after its first test")).to_have_count(0, timeout=PATIENCE * 1000)
    house.start("client", "render", scenes / "plain.blend", "--frames", "1-2", "--out", house.dir / "client-frames", "--yes", "--no-video")

    def earned():
        lines = json.loads(house.ask("gamer", "wallet", "--json"))
        return lines if any(line["account"].endswith("/pending") or line["account"].endswith("/stake-free") for line in lines["balances"]) else None

    until("pay is on its way", earned)
    expect(page.locator("[sse-swap=money]")).to_contain_text("You are new here")
    today = page.locator("[sse-swap=money] .card", has=page.get_by_text("Today")).locator(".figure")
    expect(today).not_to_have_text(re.compile(r"^(–|0\.00)$"), timeout=60_000)
    screens(page, "provider")

    page.goto(re.sub(r"/[^/]*$", "/settings", page.url.split("?")[0].rstrip("/") + "/x"))
    screens(page, "provider-settings")
    page.locator("#price").get_by_role("radio").nth(1).check()
    page.locator("#price").get_by_role("button", name="Save").click()
    expect(page.locator("#price output")).not_to_have_text("")
    person.tolerant = True  # a refusal is an answer of 422, which Chromium notes; and the page ends with its provider
    page.locator("#power").get_by_label("A kilowatt-hour costs").fill("cheap")
    page.locator("#power").get_by_role("button", name="Save").click()
    expect(page.locator("#power output")).to_contain_text(re.compile("number|amount|write", re.I))
    fits(page)

    page.set_viewport_size(PHONE)
    page.get_by_role("link", name="This computer").click()
    accessible(page)
    page.locator("#the-button.stop").click()
    expect(page.locator("#the-button:not(.stop)")).to_be_visible(timeout=60_000)
    house.stop("gamer")
    house.children.pop("client", None)


def test_the_page_is_for_the_holder_of_the_link(house, looker):
    house.start("careful", "provide", "--page", "127.0.0.1:0", "--no-open", "--slots", "1", "--name", "careful")
    link = page_link(house, "careful")
    origin = re.match(r"http://[^/]+", link).group(0)
    person = looker()
    person.tolerant = True
    page = person.page(origin + "/")
    expect(page.get_by_text("does not know the page's secret")).to_be_visible()
    assert page.locator("#the-button").count() == 0
    house.stop("careful")
