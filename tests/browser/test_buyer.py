"""A buyer: drops a scene, pays, sees frames, downloads them; and everything that can go wrong on the way."""

import io
import re
import zipfile

import pytest
from conftest import DESKTOP, PATIENCE, PHONE, accessible, expect, fits, screens, until


@pytest.fixture(scope="module")
def market(house):
    """One staked provider whose card is measured."""
    house.ask("provider", "wallet", "stake", "40")
    house.start("provider", "provide", "--headless", "--ask", "500", "--slots", "1", "--threads", "1", "--memory-mib", "2500", "--name", "provider")
    return house


def drop(page, *paths):
    """As if chosen in the file dialog; a folder goes through the folder's own field."""
    page.locator("#files").set_input_files([str(path) for path in paths])


def inspected(page):
    """The order page with its price, checked by others."""
    page.wait_for_url(re.compile(r"/orders/job-\d+"), timeout=PATIENCE * 1000)
    expect(page.locator("#pay")).to_be_visible(timeout=PATIENCE * 1000)
    expect(page.locator("#pay")).to_be_enabled(timeout=PATIENCE * 1000)


def finished(page):
    expect(page.locator("#job-status .tag").first).to_have_text(re.compile("finished|done", re.I), timeout=PATIENCE * 1000)


def test_a_scene_is_dropped_paid_and_downloaded_with_three_clicks(market, scenes, looker):
    person = looker()
    page = person.page(market.link("buyer"))
    page.wait_for_url(re.compile("/jobs$"))
    screens(page, "jobs-empty")
    clicks = 0

    page.get_by_role("link", name="Render a scene").first.click()
    clicks += 1
    screens(page, "new")
    drop(page, scenes / "plain.blend")  # dropping is no click
    page.wait_for_url(re.compile(r"/orders/job-\d+"), timeout=PATIENCE * 1000)
    inspected(page)
    page.locator("#device").select_option("optix")
    expect(page.get_by_text("None of the graphics cards by OptiX is on offer")).to_be_visible()
    page.locator("#device").select_option("cpu")
    expect(page.locator("#pay")).to_be_enabled()
    screens(page, "order")
    page.locator("#pay").click()
    clicks += 1
    page.wait_for_url(re.compile(r"/jobs/job-\d+"), timeout=PATIENCE * 1000)
    # Frames come by themselves; nobody reloads.
    expect(page.locator("#film img").first).to_be_visible(timeout=PATIENCE * 1000)
    finished(page)
    expect(page.locator("#film img")).to_have_count(3, timeout=PATIENCE * 1000)
    expect(page.locator(".terms")).to_be_hidden()
    screens(page, "job")
    with page.expect_download() as waiting:
        page.get_by_role("link", name="All pictures").click()
        clicks += 1
    names = zipfile.ZipFile(io.BytesIO(waiting.value.path().read_bytes())).namelist()
    assert sorted(name.split("/")[-1] for name in names) == [f"frame_{n:04}.png" for n in (1, 2, 3)], names
    assert clicks == 3

    # A frame at full size, by mouse and by keys, and what happened to it.
    page.locator("#film a").first.click()
    viewer = page.locator("#viewer")
    expect(viewer).to_be_visible()
    expect(page.locator("#viewer-story")).to_contain_text("accepted")
    width = page.locator("#viewer-picture").evaluate("image => image.decode().then(() => image.naturalWidth)")
    assert width == 96
    page.keyboard.press("ArrowRight")
    expect(page.locator("#viewer-title")).to_have_text("Frame 2")
    accessible(page)
    page.keyboard.press("Escape")
    expect(viewer).to_be_hidden()

    page.goto(f"{market.url}/account/statement")
    expect(page.get_by_text("was accepted").first).to_be_visible()
    screens(page, "statement")
    page.goto(f"{market.url}/jobs")
    screens(page, "jobs")


def test_what_is_missing_is_named_and_can_be_dropped_there(market, scenes, looker):
    person = looker()
    page = person.page(market.link("buyer"))
    page.goto(f"{market.url}/new")
    drop(page, scenes / "textured" / "textured.blend")
    page.wait_for_url(re.compile(r"/orders/job-\d+"), timeout=PATIENCE * 1000)
    expect(page.locator("#missing")).to_contain_text("wood.png", timeout=PATIENCE * 1000)
    screens(page, "order-missing")
    drop(page, scenes / "textured" / "textures" / "wood.png")
    expect(page.locator("#order")).to_be_visible(timeout=PATIENCE * 1000)
    expect(page.locator("#missing")).to_have_count(0)


def test_wrong_files_are_refused_in_one_sentence(market, scenes, looker):
    person = looker()
    page = person.page(market.link("buyer"))
    page.goto(f"{market.url}/new")
    drop(page, scenes / "holiday.jpg")
    expect(page.locator("#problem")).to_contain_text("no .blend file")
    fits(page)
    drop(page, scenes / "broken.blend")
    # It is opened by a machine of the market, which says that it is damaged.
    page.wait_for_url(re.compile(r"/orders/job-\d+"), timeout=PATIENCE * 1000)
    expect(page.get_by_role("heading", name="could not be looked at")).to_be_visible(timeout=PATIENCE * 1000)
    accessible(page)


def test_too_little_money_is_said_before_anything_is_paid(market, scenes, looker):
    person = looker()
    person.tolerant = True  # a refusal is an answer of 402, which Chromium notes
    market.ask("poor", "wallet", "stake", "99")
    page = person.page(market.link("poor"))
    page.goto(f"{market.url}/new")
    drop(page, scenes / "plain.blend")
    page.wait_for_url(re.compile(r"/orders/job-\d+"), timeout=PATIENCE * 1000)
    expect(page.locator("#pay")).to_be_visible(timeout=PATIENCE * 1000)
    page.locator("#frames").fill("1-3000")
    expect(page.locator("#short")).to_be_visible(timeout=20_000)
    expect(page.locator("#short")).to_contain_text("missing")
    expect(page.locator("#pay")).to_be_disabled()
    screens(page, "order-too-little")
    # Not even enough for a look at the scene: said at once, nothing is ordered.
    market.ask("poor", "wallet", "stake", "0.95")
    page.goto(f"{market.url}/new")
    drop(page, scenes / "panorama.blend")
    expect(page.locator("#problem")).to_contain_text("TATAU", timeout=30_000)


def test_a_phone_can_do_it_too(market, scenes, looker):
    person = looker(PHONE, is_mobile=True, has_touch=True)
    page = person.page(market.link("buyer"))
    for path in ("/jobs", "/new", "/account", "/account/statement"):
        page.goto(market.url + path)
        fits(page)
        accessible(page)
    page.goto(f"{market.url}/new")
    drop(page, scenes / "panorama.blend")
    inspected(page)
    fits(page)
    page.locator("#pay").tap()
    page.wait_for_url(re.compile(r"/jobs/job-\d+"), timeout=PATIENCE * 1000)
    expect(page.locator("#film img").first).to_be_visible(timeout=PATIENCE * 1000)
    page.locator("#film a").first.tap()
    page.get_by_role("button", name="View all around").tap()
    around = page.locator("#viewer-around")
    expect(around).to_be_visible()
    before = around.screenshot()
    around.press("ArrowRight")
    until("the panorama turned", lambda: around.screenshot() != before, 10)


def test_two_tabs_and_a_server_that_comes_back(market, scenes, looker):
    person = looker()
    first = person.page(market.link("buyer"))
    first.goto(f"{market.url}/new")
    drop(first, scenes / "plain.blend")
    inspected(first)
    first.locator("#frames").fill("10-12")
    expect(first.locator("#quote")).to_contain_text("3 frames")
    expect(first.locator("#pay")).to_be_enabled(timeout=20_000)
    first.locator("#pay").click()
    first.wait_for_url(re.compile(r"/jobs/job-\d+"), timeout=PATIENCE * 1000)
    # Its terms can be changed while it runs.
    first.get_by_text("Change what it may cost").click()
    first.get_by_label("Priority among my jobs").fill("7")
    first.get_by_role("button", name="Change", exact=True).click()
    expect(first.locator("details[open] #priority")).to_have_count(0, timeout=20_000)
    expect(first.locator("#priority")).to_have_value("7")
    second = person.page(first.url)
    person.tolerant = True
    market.stop("server")
    expect(first.locator("#offline")).to_be_visible(timeout=30_000)
    expect(second.locator("#offline")).to_be_visible(timeout=30_000)
    market.serve()
    for page in (first, second):
        expect(page.locator("#offline")).to_be_hidden(timeout=60_000)
        finished(page)
        expect(page.locator("#film img")).to_have_count(3, timeout=PATIENCE * 1000)


def test_hostile_names_are_only_text(market, scenes, looker, tmp_path):
    """A scene whose name is markup, in a file whose name is markup: nothing of it runs anywhere."""
    name = "<img src=x onerror=document.title='owned'>.blend"
    hostile = tmp_path / name
    hostile.write_bytes((scenes / "plain.blend").read_bytes())
    person = looker(DESKTOP)
    page = person.page(market.link("buyer"))
    page.goto(f"{market.url}/new")
    drop(page, hostile)
    page.wait_for_url(re.compile(r"/orders/job-\d+"), timeout=PATIENCE * 1000)
    expect(page.get_by_text("onerror=").first).to_be_visible(timeout=PATIENCE * 1000)
    assert "owned" != page.title()
    page.goto(f"{market.url}/jobs")
    expect(page.get_by_text("onerror=").first).to_be_visible()
    assert page.locator("img[src=x]").count() == 0
