"""The page of how a run went, in a real browser."""

import datetime as dt

import numpy as np
import pytest

from cvlarray.report.run_page import (
    DONE,
    MISSING,
    PARTIAL,
    UNOBSERVED,
    Failure,
    LedgerPicture,
    RunPage,
    SlowTile,
    throughput,
    write_run_page,
)
from cvlarray.store import StageSummary

NOON = dt.datetime(2025, 3, 1, 12, tzinfo=dt.UTC)
EVIL = "<script>document.title='ran'</script>"


def make_page(**changes):
    states = np.full((4, 36), DONE, np.uint8)
    states[0, 3:6], states[1, 7], states[3, 30:] = UNOBSERVED, PARTIAL, MISSING
    months = [f"{2013 + n // 12}-{n % 12 + 1:02d}" for n in range(36)]
    values = {
        "region_name": "madre de dios",
        "software": "cvlarray 0.1.0",
        "written": NOON,
        "stages": [StageSummary("ingest", 90, 1, NOON, 910.0, 300.0, 5_000_000, 2_000_000)],
        "unit_times": [NOON + dt.timedelta(seconds=n) for n in range(91)],
        "failures": [Failure(NOON, "ingest", "r000c001/2013-01-05", f"disk full {EVIL}")],
        "slowest": [SlowTile("r000c001", 30, 400.0, 2.5), SlowTile("r000c000", 30, 160.0, 1.0)],
        "n_retried": 5,
        "n_unread": 3,
        "picture": LedgerPicture([f"r000c00{n}" for n in range(4)], months, states),
    }
    return RunPage(**values | changes)


@pytest.fixture
def open_page(browser, tmp_path):
    pages, trouble = [], []

    def opened(page, width=1280):
        view = browser.new_page(viewport={"width": width, "height": 900})
        pages.append(view)
        view.on("console", lambda message: trouble.append(message.text))
        view.on("pageerror", lambda error: trouble.append(str(error)))
        view.on("request", lambda request: trouble.append(request.url)
                if not request.url.startswith(("file://", "data:")) else None)  # fmt: skip
        view.goto(write_run_page(page, tmp_path / "report" / "run.html").as_uri())
        return view

    yield opened
    for view in pages:
        view.close()
    assert trouble == []


@pytest.mark.chromium
def test_the_picture_has_a_pixel_a_tile_and_month_in_its_state(open_page):
    view = open_page(make_page())
    size = view.eval_on_selector(".ledger img", "i => [i.naturalWidth, i.naturalHeight]")
    assert size == [36, 4]
    script = """(i) => {
      const canvas = document.createElement('canvas');
      [canvas.width, canvas.height] = [i.naturalWidth, i.naturalHeight];
      const drawing = canvas.getContext('2d', {willReadFrequently: true});
      drawing.drawImage(i, 0, 0);
      return [[0, 0], [4, 0], [7, 1], [35, 3]].map(([x, y]) =>
        'rgb(' + [...drawing.getImageData(x, y, 1, 1).data].slice(0, 3).join(', ') + ')');
    }"""
    seen = view.eval_on_selector(".ledger img", script)
    legend = view.eval_on_selector_all(
        ".swatch", "all => all.map(one => getComputedStyle(one).backgroundColor)"
    )
    assert seen == legend  # done, never clear, unread, missing
    assert view.locator(".years span").all_text_contents() == ["2013", "2014", "2015"]
    text = " ".join(view.locator("figcaption").inner_text().split())
    assert "done: 134 never clear: 3 assets unread: 1 missing: 6" in text


@pytest.mark.chromium
def test_failures_and_slow_tiles_are_told_and_nothing_runs(open_page):
    view = open_page(make_page(), width=390)
    assert view.title().startswith("Run of madre de dios: 90 units done, 1 to be tried again, ")
    assert EVIL in view.locator(".failures tbody").inner_text()
    assert view.locator(".slowest tbody tr").first.inner_text().split() == [
        "r000c001", "30", "6", "min", "40", "s", "2.50"
    ]  # fmt: skip
    assert view.evaluate("document.documentElement.scrollWidth") <= 390
    calm = open_page(make_page(failures=[]))
    assert "5 were read only at a second or third try." in view.locator("#trouble").inner_text()
    assert "No unit has failed." in calm.locator("#trouble").inner_text()


def test_bars_hold_every_unit_once():
    found = throughput([NOON + dt.timedelta(minutes=n) for n in [0, 0, 0, 0, 24, 48]])
    assert [bar.height for bar in found.bins if bar.height] == [100, 25, 25]
    assert found.units_a_minute == pytest.approx(4)
    assert throughput([NOON]) is None
