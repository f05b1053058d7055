"""Market, sign-in, machines and the operator's page; and a studio account that buys and provides."""

import json
import re
import urllib.request

from conftest import DESKTOP, PATIENCE, PHONE, accessible, expect, fits, screens

PASSWORD = "four words that fit"


def test_public_pages_need_nobody(house, looker):
    person = looker()
    page = person.page(house.url)
    expect(page.get_by_role("heading", level=1)).to_contain_text("supercomputer")
    screens(page, "home")
    page.goto(f"{house.url}/market")
    screens(page, "market")
    page.goto(f"{house.url}/jobs")
    expect(page).to_have_url(re.compile(r"/sign-in\?next=/jobs"))
    screens(page, "sign-in")
    page.get_by_label("Name").fill("nobody")
    page.get_by_label("Password").fill("wrong")
    person.tolerant = True  # a refusal is an answer of 401, which Chromium notes
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_text(re.compile("do not fit|wrong|not match", re.I))).to_be_visible()
    fits(page)


def test_a_studio_signs_up_adds_a_machine_and_is_a_buyer_too(house, scenes, looker):
    person = looker()
    page = person.page(f"{house.url}/sign-up")
    screens(page, "sign-up")
    page.get_by_label("Name").fill("studio")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Make the account").click()
    # The key is offered once, as a file that the command line reads.
    with page.expect_download() as waiting:
        page.get_by_role("button", name=re.compile("key", re.I)).or_(page.get_by_role("link", name=re.compile("owner.key|key", re.I))).first.click()
    key = house.dir / "studio" / "owner.key"
    key.parent.mkdir(exist_ok=True)
    key.write_bytes(waiting.value.path().read_bytes())
    key.chmod(0o600)
    wallet = json.loads(house.ask("studio", "wallet", "--json"))
    assert wallet["total"] > 0, wallet

    page.goto(f"{house.url}/fleet")
    screens(page, "fleet-empty")
    page.get_by_role("button", name="Make the line").click()
    line = page.locator("#line").inner_text().strip()
    assert re.fullmatch(r"tatau provide --server \S+ --join \S+", line), line
    house.start("rig", "provide", "--headless", "--slots", "1", "--threads", "1", "--memory-mib", "2500", "--name", "rig <b>7</b>", "--join", line.split()[-1])
    # The machine appears by itself; its name is text.
    expect(page.locator("#machines")).to_contain_text("rig <b>7</b>", timeout=PATIENCE * 1000)
    screens(page, "fleet")
    expect(page.get_by_text("100.00 TATAU").first).to_be_visible()

    # Bulk: it finishes and takes no more; then works again.
    page.locator("#machines input[type=checkbox]").first.check()
    page.get_by_role("button", name="Finish and pause").click()
    expect(page.locator("#machines")).to_contain_text(re.compile("paus|drain", re.I), timeout=30_000)
    page.locator("#machines input[type=checkbox]").first.check()
    page.get_by_role("button", name="Take work again").click()
    expect(page.locator("#machines")).not_to_contain_text(re.compile("paused|draining", re.I), timeout=30_000)

    # Signed out and in again by password; the same account buys.
    page.goto(f"{house.url}/account")
    screens(page, "account")
    page.get_by_role("button", name="Sign out").first.click()
    page.goto(f"{house.url}/sign-in?next=/new")
    page.get_by_label("Name").fill("studio")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page).to_have_url(f"{house.url}/new")
    # Its own rig renders its own scene: nobody else sees it, and nothing is paid.
    page.get_by_label("My own machines only").check()
    page.locator("#files").set_input_files([str(scenes / "plain.blend")])
    page.wait_for_url(re.compile(r"/orders/job-\d+"), timeout=PATIENCE * 1000)
    expect(page.locator("#pay")).to_be_enabled(timeout=PATIENCE * 1000)
    expect(page.locator("#order")).to_contain_text("nothing is paid")
    page.locator("#frames").fill("7")
    page.get_by_role("button", name="Render", exact=True).click()
    page.wait_for_url(re.compile(r"/jobs/job-\d+"), timeout=PATIENCE * 1000)
    expect(page.locator("#film img")).to_have_count(1, timeout=PATIENCE * 1000)
    assert json.loads(house.ask("studio", "wallet", "--json"))["total"] == wallet["total"]

    # Whom it trusts with scenes: a list of accounts.
    page.goto(f"{house.url}/account")
    friend = json.loads(house.ask("validator-1", "wallet", "--json"))["owner"]
    page.get_by_label("An account's address").fill("somebody")
    person.tolerant = True  # a refusal, which Chromium notes
    page.get_by_role("button", name="Trust", exact=True).click()
    expect(page.get_by_text("that is no account")).to_be_visible()
    person.tolerant = False
    page.get_by_label("An account's address").fill(friend)
    page.get_by_role("button", name="Trust", exact=True).click()
    expect(page.get_by_text(friend)).to_be_visible()
    assert json.loads(house.ask("studio", "account", "trusted", "--json")) == [friend]
    accessible(page)
    page.get_by_role("button", name=re.compile("Take back the trust")).click()
    expect(page.get_by_text(friend)).to_have_count(0)
    house.stop("rig")


def test_the_operator_sees_alarms_and_audits_the_books(house, looker):
    person = looker(DESKTOP)
    page = person.page(house.link("server", "--operator"))
    page.wait_for_url(re.compile("/operator$"))
    screens(page, "operator")
    page.get_by_role("button", name="Audit the books now").click()
    expect(page.get_by_text(re.compile("sound|balance", re.I)).first).to_be_visible(timeout=30_000)
    token = (house.dir / "server" / "operator.token").read_text().strip()
    asked = urllib.request.Request(f"{house.url}/metrics", headers={"Authorization": f"Bearer {token}"})
    text = urllib.request.urlopen(asked, timeout=10).read().decode()
    assert re.search(r"^tatau_\w+(\{.*\})? [0-9.e+-]+$", text, re.M), text[:500]


def test_phones_fit_everywhere(house, looker):
    person = looker(PHONE, is_mobile=True, has_touch=True)
    page = person.page(house.link("visitor"))
    for path in ("/", "/market", "/fleet", "/account", "/jobs", "/new"):
        page.goto(house.url + path)
        fits(page)
        accessible(page)
