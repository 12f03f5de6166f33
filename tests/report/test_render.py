import base64
import dataclasses
import datetime as dt
import hashlib
import re
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox

from cvlarray.alerts import ChipPair
from cvlarray.alerts.latency import Latency
from cvlarray.errors import StoreError
from cvlarray.report import (
    Background,
    Limits,
    Period,
    UnreadAsset,
    render_report,
    write_report,
)
from cvlarray.report.pictures import png_bytes

VOID = {"meta", "link", "img", "br"}
INLINE = {"a", "em", "i", "span", "strong", "time"}
EVIL = "\"><script>alert('x')</script><img src=x onerror=alert(1)>"


class Page(HTMLParser):
    """Elements with their attributes and text; refuses tags that aren't closed in order."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.elements, self.open, self.text = [], [], []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        assert len(dict(attrs)) == len(attrs), f"an attribute twice in <{tag}>"
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes another element"
        if tag not in INLINE:
            self.text.append(" ")

    def handle_data(self, data):
        if not {"script", "style"} & set(self.open):
            self.text.append(data)

    def all(self, tag, **attributes):
        return [
            found
            for name, found in self.elements
            if name == tag and attributes.items() <= found.items()
        ]

    @property
    def said(self):
        """All visible text, with single spaces."""
        return " ".join("".join(self.text).split())


@pytest.fixture(scope="module")
def html(make_inputs):
    return render_report(make_inputs())


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


def test_same_inputs_give_the_same_page(html, make_inputs):
    assert render_report(make_inputs()) == html


def test_nothing_comes_from_outside(page):
    for tag, attributes in page.elements:
        assert "srcset" not in attributes
        if tag == "a":
            assert attributes["href"].startswith(("#", "../alerts/"))
        elif tag == "link":
            assert attributes["href"].startswith("data:")
        if "src" in attributes:
            assert tag == "img"
            assert attributes["src"].startswith("data:image/")


def test_styles_and_scripts_name_no_address(html):
    assert "url(" not in html
    assert "@import" not in html
    assert not re.search(r"https?://", html)


def test_policy_lets_only_the_pages_own_script_run(html, page):
    (policy,) = page.all("meta", **{"http-equiv": "Content-Security-Policy"})
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy["content"]
    assert "default-src 'none'" in policy["content"]
    assert not any(name.startswith("on") for _, found in page.elements for name in found)


def test_head_says_what_was_found_and_from_what(page):
    assert (
        "12 clearings, 2.9 ha in all, first seen between January 2019 and July 2020." in page.said
    )
    for fact in ("2018-09-01 to 2021-01-01", "2015-08-01 to 2018-08-31", "Sentinel-2 L2A", "140"):
        assert fact in page.said
    for fact in ("cvlarray 0.1.0", "9f31c2d0a4b7", "1 min 23 s", "2026-03-02 14:05 UTC"):
        assert fact in page.said


def test_silence_is_said_not_to_be_absence(page):
    assert "Silence is not absence" in page.said
    assert "0.40 ha (0.5 %) was never seen clear at all" in page.said
    assert "the worst of it 854 days" in page.said


def test_every_picture_has_words(page):
    images = page.all("img")
    assert len(images) == 1 + 1 + 2 * 12
    assert all(len(image["alt"]) > 20 for image in images)
    assert all(chart["aria-label"] for chart in page.all("div", role="img"))
    assert len(page.all("div", role="img")) == 1 + 12 + 1 + 2  # legend, series, bars, shares


def test_headings_descend_one_level_at_a_time(page):
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_every_table_has_a_caption_and_scopes(page):
    assert len(page.all("table")) == len(page.all("caption")) == 6
    assert all("scope" in attributes for attributes in page.all("th"))


def test_ids_are_unique_and_every_link_finds_its_place(page):
    ids = [found["id"] for _, found in page.elements if "id" in found]
    assert len(ids) == len(set(ids))
    targets = {a["href"][1:] for a in page.all("a") if a["href"].startswith("#")}
    labels = {found["aria-labelledby"] for _, found in page.elements if "aria-labelledby" in found}
    assert targets | labels <= set(ids)
    assert {f"alert-{n}" for n in range(1, 13)} <= targets


def test_a_card_holds_the_whole_alert(page):
    first = page.said[page.said.index("Alert 1: ") :]
    first = first[: first.index("Back to the map")]
    for fact in (
        "Clearing, 0.49 ± 0.07 ha",
        "49 pixels",
        "19S 400 135 E 8 599 705 N",
        "° S, 69.",
        "event-000",
    ):
        assert fact in first
    assert re.search(r"The change lies between \d{4}-\d\d-\d\d and \d{4}-\d\d-\d\d", first)
    assert re.search(r"Magnitude −\d\.\d σ", first)


def test_run_lists_stages_partial_units_and_unread_assets(page):
    assert re.search(r"ingest 4 1 4\.0.s 7\.0.s 10\.0 MB 99 B", page.said)
    assert re.search(r"All stages 7 1 8\.0.s 14\.0.s 20\.0 MB 198 B", page.said)
    assert "1 asset on 1 date stayed unreadable after the retries." in page.said
    assert "S2B_20191103/nir.tif 404 Not Found" in page.said


def test_hostile_text_stays_text(make_inputs, make_series):
    inputs = make_inputs()
    alerts = inputs.alerts.assign(
        **dict.fromkeys(("class", "sensor", "priority"), EVIL),
        event_id=[f"{EVIL}{i}" for i in range(len(inputs.alerts))],
    )
    series = dataclasses.replace(make_series(f"{EVIL}0", dt.date(2019, 5, 1)), feature=EVIL)
    hostile = make_inputs(
        title=EVIL,
        region_name=EVIL,
        alerts=alerts,
        series={f"{EVIL}0": series},
        provenance=dataclasses.replace(
            inputs.provenance, software=EVIL, config_hash=EVIL, sensors=(EVIL,)
        ),
        config={EVIL: EVIL},
        stages=[dataclasses.replace(inputs.stages[0], stage=EVIL)],
        unread=[UnreadAsset(dt.date(2019, 11, 3), EVIL, EVIL)],
        background=dataclasses.replace(inputs.background, rendering=EVIL),
    )
    html = render_report(hostile)
    page = Page(html)
    assert len(page.all("script")) == 1
    assert not any(image["src"] == "x" for image in page.all("img"))
    assert not any("onerror" in found for _, found in page.elements)
    assert page.said.count("<script>alert('x')</script>") >= 30


def test_no_alerts_is_a_page_that_says_what_was_watched(make_inputs):
    inputs = make_inputs()
    page = Page(render_report(make_inputs(alerts=inputs.alerts.iloc[:0], chips={}, series={})))
    assert "No change was found." in page.said
    assert "No alert was raised between 2018-09-01 and 2021-01-01." in page.said
    assert "It does not say that none happened" in page.said
    assert "Silence is not absence" in page.said
    assert page.all("article") == []


def test_a_run_without_pictures_series_stages_or_background_is_a_page(make_inputs):
    bare = make_inputs(chips={}, series={}, stages=(), unread=(), background=None, config={})
    page = Page(render_report(bare))
    assert "No date was clear enough for a picture." in page.said
    assert page.said.count("no clear picture") == 24
    assert "Every asset was read." in page.said
    assert len(page.all("article")) == 12


def test_pending_alerts_are_counted(make_inputs):
    inputs = make_inputs()
    alerts = inputs.alerts.copy()
    alerts.loc[:2, "confirmed"] = None
    page = Page(render_report(make_inputs(alerts=alerts)))
    assert "3 of 12 not yet confirmed." in page.said
    assert "Confirmed not yet" in page.said


def test_what_does_not_fit_is_said_to_be_elsewhere(make_inputs, make_alerts):
    limits = Limits(cards=3, rows=5, shapes=8)
    page = Page(render_report(make_inputs(alerts=make_alerts(20), limits=limits)))
    assert len(page.all("article")) == 3
    assert "17 more alerts have no card here" in page.said
    assert "The first 5 are listed; all 20 are in alerts/alerts.geojson." in page.said
    assert "8 of 20 alerts are drawn" in page.said
    assert page.all("a", href="../alerts/alerts.geojson")


def test_page_stays_below_five_megabytes(make_inputs, make_alerts):
    rng = np.random.default_rng(5)
    alerts = make_alerts(20_000)
    noise = png_bytes(rng.integers(0, 255, (300, 300, 3), dtype=np.uint8))
    pair = ChipPair(noise, noise, dt.date(2019, 1, 1), dt.date(2019, 2, 1))
    inputs = make_inputs()
    geobox = GeoBox((1500, 1600), Affine(10, 0, 400_000, 0, -10, 8_600_000), "EPSG:32719")
    gaps = rng.integers(0, 500, geobox.shape, dtype=np.uint16)
    crowded = make_inputs(
        alerts=alerts,
        chips=dict.fromkeys(alerts["event_id"], pair),
        series=dict.fromkeys(alerts["event_id"], inputs.series["event-00000"]),
        geobox=geobox,
        detections=inputs.detections.isel(y=[0], x=[0])
        .pad(y=(0, 1499), x=(0, 1599), mode="edge")
        .assign(max_gap_days=(("y", "x"), gaps)),
        background=Background(
            rng.integers(0, 255, (*geobox.shape, 3), dtype=np.uint8),
            geobox,
            dt.date(2020, 1, 1),
            "true colour",
        ),
    )
    assert len(render_report(crowded).encode()) < 5_000_000


def test_report_replaces_the_older_one(tmp_path, make_inputs, html):
    path = tmp_path / "report" / "index.html"
    write_report(make_inputs(title="older"), path)
    assert write_report(make_inputs(), str(path)) == path
    assert path.read_text(encoding="utf-8") == html
    assert [file.name for file in path.parent.iterdir()] == ["index.html"]


def test_a_failed_report_leaves_the_older_one(tmp_path, make_inputs):
    path = tmp_path / "index.html"
    path.write_text("older")
    bad = make_inputs(chips={"event-00002": ChipPair(b"GIF89a", None, None, None)})
    with pytest.raises(ValueError, match=r"event event-00002, chip before: a chip must be a PNG"):
        write_report(bad, path)
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot write"):
        write_report(make_inputs(), tmp_path / "file" / "index.html")
    assert path.read_text() == "older"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            lambda i: {"alerts": i.alerts.drop(columns="sensor")},
            "alerts must have .*missing: sensor",
        ),
        (lambda i: {"alerts": i.alerts.set_crs(None, allow_override=True)}, "need a CRS, got none"),
        (lambda i: {"detections": i.detections.isel(y=slice(9))}, r"shape \(80, 100\), got \(9, 1"),
        (lambda i: {"detections": i.detections[["n_clear"]]}, "missing: max_gap_days"),
        (lambda i: {"clear_share": i.clear_share[["date"]]}, "missing: clear_share"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(make_inputs, changes, message):
    with pytest.raises(ValueError, match=message):
        make_inputs(**changes(make_inputs()))


def test_background_must_fit_its_grid(make_inputs):
    background = make_inputs().background
    with pytest.raises(ValueError, match=r"uint8 of shape \(80, 100, 3\), got uint8 of shape"):
        dataclasses.replace(background, rgb=background.rgb[:10])


def test_period_must_not_be_reversed():
    with pytest.raises(ValueError, match=r"got 2020-01-02\.\.2020-01-01"):
        Period(dt.date(2020, 1, 2), dt.date(2020, 1, 1))


def after(*minutes):
    """Return steps so many minutes after an acquisition."""
    start = dt.datetime(2020, 6, 1, 15, tzinfo=dt.UTC)
    return Latency(start, *(start + dt.timedelta(minutes=m) for m in minutes))


def test_latencies_stand_beside_the_papers(make_inputs):
    latencies = [after(180, 240, 250, 260, 262, 300), after(180, 240, 250, 260, 262, 320)]
    page = Page(render_report(make_inputs(latencies=latencies)))
    assert "processing 2 1 h 10 min 1 h 18 min 33 min 0 s" in page.said
    assert "acquisition to alert 2 5 h 10 min 5 h 18 min 6 h 24 min" in page.said
    assert "waiting 2 1 h 0 min 1 h 0 min –" in page.said


def test_clocks_that_differ_are_named(make_inputs):
    latencies = [after(180, 170, 188, 196, 198, 203), after(180, 240, 250, 260, 262, 300)]
    page = Page(render_report(make_inputs(latencies=latencies)))
    assert "Clocks differ: of 1 alerts, “waiting” ends before it begins" in page.said


def test_history_has_no_latency(make_inputs):
    year = 365 * 24 * 60
    page = Page(render_report(make_inputs(latencies=[after(180, *[year] * 5)])))
    assert "Nothing is said of latency" in page.said
    assert "acquisition to alert" not in page.said
    assert "latency" not in Page(render_report(make_inputs())).said
