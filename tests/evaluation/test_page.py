"""The page of an evaluation in a real browser, and its JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cvlarray.evaluation.page import write_page
from cvlarray.models import LAND_COVER
from tests.evaluation.conftest import EVIL


@pytest.fixture(scope="module")
def folder(found, tmp_path_factory):
    target = tmp_path_factory.mktemp("evaluation")
    write_page(found, target, "cvlarray evaluate target")
    return target


@pytest.fixture
def page(browser, folder):
    """Open the page; at the end nothing may have gone wrong or out."""
    complaints, requests = [], []
    opened = browser.new_page()
    opened.on("console", lambda message: complaints.append(message.text))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("request", lambda request: requests.append(request.url))
    opened.goto((folder / "index.html").as_uri())
    yield opened
    opened.close()
    assert complaints == []
    assert [url for url in requests if not url.startswith(("file://", "data:"))] == []


@pytest.mark.chromium
def test_every_figure_and_picture_is_there(page, found):
    table = page.locator("table").first
    assert table.locator("tbody tr").count() == len(LAND_COVER) + 1
    last = table.locator("tbody tr").last.locator("td").first.inner_text()
    value, low, high = (
        float(end[-1, 0])
        for end in (
            found.land_cover[0].table.value,
            found.land_cover[0].table.low,
            found.land_cover[0].table.high,
        )
    )
    assert last == f"{value:.3f} ({low:.3f} to {high:.3f})"
    widths = page.eval_on_selector_all("img", "images => images.map(image => image.naturalWidth)")
    assert widths == [32, 32, 32]
    assert "κ 0.79" in page.inner_text("body")


@pytest.mark.chromium
def test_simulated_stands_beside_every_section_of_simulated_figures(page):
    sections = page.locator("h2").all_inner_texts()
    unmarked = {text.strip() for text in sections if "simulated" not in text}
    assert unmarked == {"Annotators", "Real data"}


@pytest.mark.chromium
def test_names_are_text_and_the_page_fits_a_phone(page):
    assert page.title() == "Evaluation of models"
    assert EVIL in page.inner_text("body")
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_json_has_the_same_figures_and_says_that_they_are_simulated(folder, found):
    read = json.loads((folder / "evaluation.json").read_text())
    assert read["simulated"] is True
    np.testing.assert_allclose(read["land_cover"][0]["table"]["low"], found.land_cover[0].table.low)
    assert read["change"][0]["median_date_error_clear_observations"] is None
    assert read["radar_wet_season"][0]["f1_over_rule"]["n_scenes"] == 6
