"""The page in a real browser."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import expect

from cvlarray.review import ReviewDatabase, read_verdicts

pytestmark = pytest.mark.chromium

FIRST_VIEW_BYTES = 200_000
"""What a phone at 2G can wait for."""
FIRST_VIEW_S = 12.0


@pytest.fixture
def open_page(browser, page):
    """Return a function that enters through a link; nothing may have gone wrong or out."""
    contexts, complaints, requests = [], [], []

    def opened(partner="", language="en-US", width=1280, height=860, **link):
        context = browser.new_context(
            viewport={"width": width, "height": height}, locale=language, reduced_motion="reduce"
        )
        contexts.append(context)
        tab = context.new_page()
        tab.on("console", lambda message: complaints.append(message.text))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on("request", lambda request: requests.append(request.url))
        tab.goto(page.link(partner, **link))
        tab.click("button.primary")
        tab.wait_for_selector("[data-event]")
        return tab

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []
    assert [url for url in requests if not url.startswith((page.url, "data:"))] == []


def choose_first(tab):
    tab.locator("[data-event]").first.click()
    tab.wait_for_selector(".chart")
    return tab.locator("[aria-current=true]").get_attribute("data-event")


def expect_counts(tab, *counts):
    expect(tab.locator("#states b")).to_have_text([str(n) for n in counts])


def log_of(page):
    log = read_verdicts(ReviewDatabase(page.settings.database))
    return list(zip(log["decision"], log["reason"].fillna(""), strict=True))


def test_an_alert_shows_its_pictures_series_and_jurisdiction(open_page):
    tab = open_page()
    expect_counts(tab, 60, 0, 0)
    event = choose_first(tab)
    assert tab.inner_text(".id") == event
    widths = tab.eval_on_selector_all(".stage img", "all => all.map(one => one.naturalWidth)")
    assert widths == [64, 64]
    n_points = tab.locator(".chart circle").count()
    assert n_points == len(range(0, 1247, 16))  # days from 2022-01-01 to before 2025-06-01
    assert "50 % of the alert" in tab.inner_text(".trail")
    assert tab.locator("path.shape").count() == 1


def test_an_attribute_of_a_layer_is_text(open_page):
    tab = open_page()
    choose_first(tab)
    assert "<img src=x" in tab.inner_text(".trail")
    assert tab.title() != "ran"
    assert tab.locator("img[src=x]").count() == 0


def test_one_click_confirms_and_undo_takes_it_back(open_page, page):
    tab = open_page("Tambopata", reviewer="Ana")
    choose_first(tab)
    tab.click(".confirm")
    expect(tab.locator("#status")).to_have_text("Confirmed.")
    expect_counts(tab, 39, 1, 0)
    tab.wait_for_selector(".undo:enabled")
    tab.click(".undo")
    expect(tab.locator("#status")).to_have_text("Taken back.")
    expect_counts(tab, 40, 0, 0)
    assert log_of(page) == [("confirmed", ""), ("undone", "")]


def test_a_double_click_is_one_verdict(open_page, page):
    tab = open_page()
    choose_first(tab)
    tab.dblclick(".confirm")
    expect(tab.locator("#status")).to_have_text("Confirmed.")
    assert log_of(page) == [("confirmed", "")]


def test_the_keyboard_is_enough(open_page, page):
    tab = open_page()
    tab.keyboard.press("j")
    tab.wait_for_selector(".chart")
    first = tab.inner_text(".id")
    tab.keyboard.press("j")
    expect(tab.locator(".id")).not_to_have_text(first)
    tab.keyboard.press("k")
    expect(tab.locator(".id")).to_have_text(first)
    tab.wait_for_selector(".actions")
    tab.keyboard.press("d")
    tab.keyboard.press("2")
    expect(tab.locator("#status")).to_have_text("Dismissed.")
    assert log_of(page) == [("dismissed", "seasonal_water")]
    tab.wait_for_selector(".undo:enabled")
    tab.keyboard.press("u")
    expect(tab.locator("#status")).to_have_text("Taken back.")


def test_typing_a_note_presses_no_keys(open_page, page):
    tab = open_page()
    choose_first(tab)
    tab.fill(".note", "")
    tab.type(".note", "cuddle jack")
    tab.click(".confirm")
    expect(tab.locator("#status")).to_have_text("Confirmed.")
    (note,) = read_verdicts(ReviewDatabase(page.settings.database))["note"]
    assert note == "cuddle jack"


def test_spanish_and_english(open_page):
    tab = open_page(language="es-PE")
    assert "Pendientes" in tab.inner_text("#states")
    choose_first(tab)
    assert tab.inner_text(".confirm") == "Confirmar"
    tab.click("#language")
    expect(tab.locator("html")).to_have_attribute("lang", "en")
    assert "Open" in tab.inner_text("#states")


def test_a_phone_gets_by(open_page):
    tab = open_page(width=360, height=740)
    choose_first(tab)
    overflow = tab.evaluate("document.documentElement.scrollWidth > window.innerWidth")
    assert not overflow
    for selector in (".confirm", ".dismiss", ".undo", "[data-event]"):
        box = tab.locator(selector).first.bounding_box()
        assert box["height"] >= 44, selector  # a thumb


def test_the_first_view_is_small(browser, page):
    context = browser.new_context()
    tab = context.new_page()
    tab.goto(page.link())
    client = context.new_cdp_session(tab)
    client.send("Network.enable")
    received = []
    client.on("Network.loadingFinished", lambda event: received.append(event["encodedDataLength"]))
    tab.click("button.primary")
    tab.wait_for_selector("[data-event]")
    tab.wait_for_load_state("networkidle")
    context.close()
    assert len(received) >= 8
    assert 30_000 < sum(received) <= FIRST_VIEW_BYTES


def test_a_phone_at_2g_gives_a_verdict(browser, page):
    """What browsers' own tools call 2G: 250 kbit/s down, 50 up, 300 ms either way."""
    context = browser.new_context(
        viewport={"width": 360, "height": 640}, has_touch=True, is_mobile=True, locale="es-PE"
    )
    tab = context.new_page()
    tab.goto(page.link("Tambopata"))
    client = context.new_cdp_session(tab)
    client.send("Network.enable")
    slow = {"downloadThroughput": 250_000 / 8, "uploadThroughput": 50_000 / 8}
    client.send("Network.emulateNetworkConditions", {"offline": False, "latency": 300, **slow})
    start = time.monotonic()
    tab.tap("button.primary")
    tab.wait_for_selector("[data-event]")
    first_view_s = time.monotonic() - start
    assert 1.5 < first_view_s < FIRST_VIEW_S  # it was slow, and not too slow
    tab.locator("[data-event]").first.tap()
    tab.locator(".confirm").tap()
    expect(tab.locator("#status")).to_have_text("Confirmada.")
    context.close()
    assert log_of(page) == [("confirmed", "")]


def test_a_lost_server_is_said_and_nothing_pretends(browser, page):
    context = browser.new_context(locale="en-US")
    tab = context.new_page()
    tab.goto(page.link())
    tab.click("button.primary")
    choose_first(tab)
    context.set_offline(True)
    tab.click(".confirm")
    expect(tab.locator("#status")).to_contain_text("Not saved")
    context.set_offline(False)
    assert log_of(page) == []
    tab.click(".confirm")
    expect(tab.locator("#status")).to_have_text("Confirmed.")
    context.close()
    assert log_of(page) == [("confirmed", "")]


@pytest.mark.parametrize("kind", ["forged", "used"])
def test_a_link_that_opens_nothing_says_why(browser, page, kind):
    link = page.link() if kind == "used" else f"{page.url}/link/forged"
    texts = {"forged": "This link is not valid.", "used": "This link was used already."}
    for is_last in (False, True):
        context = browser.new_context(locale="en-US")
        tab = context.new_page()
        tab.goto(link)
        tab.click("button.primary")
        text = tab.inner_text("body")
        context.close()
        if is_last or kind == "forged":
            assert re.search(texts[kind], text)
