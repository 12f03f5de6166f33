from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from enum import Enum
from typing import Any

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox

from cvlarray.store.fingerprint import differences, input_hash


@dataclass(frozen=True)
class Point:
    x: float
    y: float


@dataclass(frozen=True)
class Pixel:
    x: float
    y: float


class Sensor(Enum):
    OPTICAL = "optical"


DISTINCT: list[Any] = [
    None,
    True,
    1,
    1.0,
    "1",
    b"1",
    [1],
    {1},
    {1: 1},
    {"1": 1},
    [[1]],
    float("nan"),
    -0.0,
    0.0,
    "None",
    ["list", 1],
    ["float", "1.0"],
    date(2020, 1, 1),
    datetime(2020, 1, 1),
    datetime(2020, 1, 1, tzinfo=UTC),
    "2020-01-01",
    timedelta(days=1),
    np.datetime64("2020-01-01"),
    np.timedelta64(1, "D"),
    Sensor.OPTICAL,
    "optical",
    Point(1.0, 2.0),
    Pixel(1.0, 2.0),
    {"x": 1.0, "y": 2.0},
    slice(0, 1),
    [0, 1, None],
    np.array([1, 2], "int16"),
    np.array([1, 2], "int32"),
    np.array([[1, 2]], "int16"),
    np.array(["ndvi"], dtype=object),
    shapely.Point(1, 2),
    GeoBox((3, 4), Affine(10, 0, 0, 0, -10, 0), "EPSG:32719"),
    GeoBox((3, 4), Affine(10, 0, 0, 0, -10, 0), "EPSG:32718"),
]


def test_different_values_have_different_hashes() -> None:
    assert len({input_hash(value) for value in DISTINCT}) == len(DISTINCT)


@pytest.mark.parametrize(
    ("one", "same"),
    [
        ({"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"d": 3, "c": 2}, "a": 1}),
        ({"b02", "b03", "scl"}, frozenset(["scl", "b03", "b02"])),
        ((1, 2), [1, 2]),
        (np.float64(0.1), 0.1),
        (np.int16(-32768), -32768),
        (np.True_, True),
        (np.datetime64("2020-01-01", "ns"), np.datetime64("2020-01-01", "D")),
        (
            datetime(2020, 1, 1, 12, tzinfo=UTC),
            datetime(2020, 1, 1, 7, tzinfo=timezone(-timedelta(hours=5))),
        ),
        (np.array([1, 2], ">i2"), np.array([1, 2], "<i2")),
        (np.arange(6).reshape(2, 3).T, np.ascontiguousarray(np.arange(6).reshape(2, 3).T)),
        (Point(1.0, 2.0), Point(y=2.0, x=1.0)),
    ],
)
def test_equal_values_have_one_hash(one: object, same: object) -> None:
    assert input_hash(one) == input_hash(same)


# Few different leaves, so that equal values are drawn often.
json_values = st.recursive(
    st.sampled_from([None, True, 1, 1.0, "1", "list", "mapping", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab"), inner, max_size=3),
    max_leaves=6,
)


@given(json_values, json_values)
def test_hashes_are_equal_exactly_where_values_are(one: Any, other: Any) -> None:
    assert (input_hash(one) == input_hash(other)) == (_ordered(one) == _ordered(other))


def _ordered(value: Any) -> str:
    """Return a text that doesn't depend on the order of mappings."""
    if isinstance(value, dict):
        return repr([(key, _ordered(value[key])) for key in sorted(value)])
    return f"[{[*map(_ordered, value)]}]" if isinstance(value, list) else repr(value)


def test_hash_does_not_depend_on_the_process() -> None:
    program = (
        "from cvlarray.store import input_hash\n"
        "print(input_hash({'b04', 'b08', 'scl'}, {'x': 0.1}, 'año'))"
    )
    other = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert other.stdout.strip() == input_hash({"b04", "b08", "scl"}, {"x": 0.1}, "año")


def test_what_has_no_stable_content_is_refused() -> None:
    with pytest.raises(TypeError, match=r"cannot hash a builtins\.object"):
        input_hash({"scene": [object()]})
    with pytest.raises(TypeError, match=r"cannot hash a builtins\.type"):
        input_hash(Point)


def test_differences_name_each_key_with_both_values() -> None:
    stored = {"crs": "EPSG:32718", "masking": {"classes": [4, 5], "buffer_m": 0}, "old": 1}
    wanted = {"crs": "EPSG:32719", "masking": {"classes": [4], "buffer_m": 0}, "new": None}
    assert differences(stored, wanted) == [
        'crs is "EPSG:32718" there and "EPSG:32719" here',
        "masking.classes is [4, 5] there and [4] here",
        "new is absent there and null here",
        "old is 1 there and absent here",
    ]
    assert differences(stored, stored) == []
