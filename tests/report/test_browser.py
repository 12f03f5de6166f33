"""The page in a real browser."""

import re

import pytest

from cvlarray.report import write_report

pytestmark = pytest.mark.chromium

EVIL = "<img src=x onerror=\"document.title='ran'\"><script>document.title='ran'</script>"


@pytest.fixture(scope="module")
def report(make_inputs, tmp_path_factory):
    return write_report(make_inputs(), tmp_path_factory.mktemp("run") / "report" / "index.html")


@pytest.fixture
def open_page(browser, report):
    """Return a function that opens a report; at the end nothing may have gone wrong or out."""
    pages, complaints, requests = [], [], []

    def opened(path=report, width=1280, height=900, scheme="light"):
        page = browser.new_page(
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            reduced_motion="reduce",  # scrolls at once
        )
        pages.append(page)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(path.as_uri())
        return page

    yield opened
    for page in pages:
        page.close()
    assert complaints == []
    assert [url for url in requests if not url.startswith(("file://", "data:"))] == []


@pytest.fixture
def page(open_page):
    return open_page()


def test_every_picture_is_there(page):
    widths = page.eval_on_selector_all("img", "images => images.map(image => image.naturalWidth)")
    assert len(widths) == 1 + 1 + 2 * 12
    assert min(widths) > 0


def in_view(page, selector):
    box = page.locator(selector).bounding_box()
    return 0 <= box["y"] < page.viewport_size["height"]


@pytest.mark.parametrize("selector", [".pin >> nth=6", "svg a[href='#alert-7'] path.alert"])
def test_clicking_an_alert_on_the_map_leads_to_its_card(page, selector):
    assert not in_view(page, "#alert-7")
    page.locator(selector).click()
    page.wait_for_url(re.compile("#alert-7$"))
    assert in_view(page, "#alert-7")


def test_pins_are_reached_and_followed_by_keyboard(page):
    page.locator(".pin").first.focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("#alert-2$"))
    assert in_view(page, "#alert-2")


def column(page, index):
    return page.eval_on_selector_all(
        "table.alerts tbody tr", f"rows => rows.map(row => row.cells[{index}].dataset.value)"
    )


def test_table_sorts_both_ways_by_number_and_by_date(page):
    area, first_detected = 4, 2
    heading = page.locator("table.alerts th", has_text="Area")
    heading.get_by_role("button").click()
    values = [float(value) for value in column(page, area)]
    assert values == sorted(values)
    assert heading.get_attribute("aria-sort") == "ascending"
    heading.get_by_role("button").click()
    assert [float(value) for value in column(page, area)] == sorted(values, reverse=True)
    page.locator("table.alerts th button", has_text="First detected").press("Enter")
    dates = column(page, first_detected)
    assert dates == sorted(dates)
    assert heading.get_attribute("aria-sort") is None


def test_missing_values_stay_last(open_page, make_inputs, tmp_path):
    alerts = make_inputs().alerts.copy()
    alerts.loc[4, "confirmed"] = None
    page = open_page(write_report(make_inputs(alerts=alerts), tmp_path / "index.html"))
    button = page.locator("table.alerts th button", has_text="Confirmed")
    for _ in range(2):
        button.click()
        assert column(page, 3)[-1] == ""


def test_map_zooms_drags_and_follows_with_its_scale(page):
    assert page.locator(".scale").inner_text() == "200 m"
    for _ in range(3):
        page.get_by_role("button", name="Zoom in").click()
    assert page.locator(".scale").inner_text() == "20 m"
    page.evaluate("document.querySelector('.view').scrollIntoView()")
    picture = page.locator(".layers img")
    before, view = picture.bounding_box(), page.locator(".view").bounding_box()
    assert before["width"] == pytest.approx(8 * view["width"], rel=1e-3)
    page.mouse.move(view["x"] + 300, view["y"] + 300)
    page.mouse.down()
    page.mouse.move(view["x"] + 250, view["y"] + 320, steps=3)
    page.mouse.up()
    after = picture.bounding_box()
    assert after["x"] - before["x"] == pytest.approx(-50, abs=1)
    assert after["y"] - before["y"] == pytest.approx(20, abs=1)
    assert "#alert" not in page.url  # the end of a drag is no click
    page.get_by_role("button", name="Show the whole map").click()
    assert picture.bounding_box()["width"] == pytest.approx(view["width"], rel=1e-3)


def test_page_never_scrolls_sideways(page):
    for width in (320, 390, 768, 1280):
        page.set_viewport_size({"width": width, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") == width


def luminance(rgb):
    channels = [int(text) / 255 for text in re.findall(r"\d+", rgb)[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_readable_in_both_schemes(open_page, scheme):
    page = open_page(scheme=scheme)
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (luminance(paper) < 0.2) == (scheme == "dark")
    for selector in (".finding", ".silence", "nav a", "caption", ".priority", "dt", ".y span"):
        ink = page.locator(selector).first.evaluate("e => getComputedStyle(e).color")
        light, dark = sorted((luminance(ink), luminance(paper)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, selector


def test_hostile_attributes_do_not_run(open_page, make_inputs, tmp_path):
    alerts = make_inputs().alerts.assign(**{"class": EVIL, "sensor": EVIL, "priority": EVIL})
    page = open_page(write_report(make_inputs(alerts=alerts, title=EVIL), tmp_path / "index.html"))
    page.locator("table.alerts th button", has_text="Class").click()
    assert page.title().startswith("<img src=x onerror")
    assert page.locator("img[src=x]").count() == 0


def test_policy_stops_a_script_that_slips_in(browser, report, tmp_path):
    slipped = report.read_text().replace("</main>", "<script>document.title='ran'</script></main>")
    (tmp_path / "index.html").write_text(slipped)
    page = browser.new_page()
    page.goto((tmp_path / "index.html").as_uri())
    assert page.title() != "ran"
    page.close()


def test_page_without_alerts_opens(open_page, make_inputs, tmp_path):
    empty = make_inputs(alerts=make_inputs().alerts.iloc[:0], background=None)
    page = open_page(write_report(empty, tmp_path / "index.html"))
    assert page.locator(".finding").inner_text() == "No change was found."
