"""What a package says of the files that were read for it."""

from __future__ import annotations

import json
from pathlib import Path

import pystac
import pytest

from cvlarray.errors import ItemError
from cvlarray.pipeline.dossiers import _scene_reference
from cvlarray.pipeline.latency import published_at
from cvlarray.sensors import read_item


def real_items(external_data: Path) -> list[pystac.Item]:
    """Return the recorded Items of real catalogues."""
    paths = sorted((external_data / "stac_fixtures").rglob("*.json"))
    values = [json.loads(path.read_text()) for path in paths]
    return [
        pystac.Item.from_dict(each, migrate=False)
        for each in values
        if each.get("type") == "Feature"
    ]


def test_checksums_of_the_catalogue_go_with_the_files(external_data):
    n_checked = 0
    for item in real_items(external_data):
        try:
            scene = read_item(item)
        except ItemError:
            continue
        told = _scene_reference(scene, item).detail
        given = {
            asset.href: asset.extra_fields["file:checksum"]
            for asset in item.assets.values()
            if "file:checksum" in asset.extra_fields
        }
        for band, asset in scene.assets.items():
            assert told[f"href_{band}"] == asset.href
            assert told.get(f"checksum_{band}") == given.get(asset.href)
            n_checked += asset.href in given
    assert n_checked > 10


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({"published": "2024-11-07T13:29:12.724905Z", "created": "2024-11-07T13:19:40Z"}, "13:29"),
        ({"created": "2023-10-09T01:25:21.658Z"}, "01:25"),
        ({"published": "soon", "created": "2023-10-09T01:25:21"}, "01:25"),
        ({}, None),
    ],
)
def test_when_an_item_was_published(properties, expected):
    item = pystac.Item("i", None, None, pystac.utils.now_in_utc(), properties)
    found = published_at(item)
    assert (None if found is None else found.strftime("%H:%M")) == expected


def test_real_catalogues_publish_after_the_acquisition(external_data):
    hours = [
        (published_at(item) - item.datetime).total_seconds() / 3600
        for item in real_items(external_data)
        if published_at(item) and item.datetime and item.datetime.year >= 2025
    ]
    assert len(hours) >= 5
    assert all(each > 0 for each in hours)
