"""The demo's own report in a real browser."""

from __future__ import annotations

import geopandas as gpd
import pytest

pytestmark = pytest.mark.chromium


def test_the_demos_report_opens_without_a_complaint(browser, demo_workspace):
    page = browser.new_page(viewport={"width": 1180, "height": 900})
    complaints: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto((demo_workspace / "report" / "index.html").as_uri())
    widths = page.eval_on_selector_all(
        "img, image", "all => all.map(one => one.naturalWidth ?? one.getBBox().width)"
    )
    headline = page.inner_text("header")
    n_cards = page.locator("article").count()
    page.close()
    alerts = gpd.read_parquet(demo_workspace / "alerts" / "alerts.parquet")
    assert complaints == []
    assert [url for url in requests if not url.startswith(("file://", "data:"))] == []
    # The map, and before and after of each alert with a card.
    assert len(widths) >= 1 + 2 * 24
    assert all(width > 0 for width in widths)
    assert str(len(alerts)) in headline
    assert n_cards == min(24, len(alerts))
