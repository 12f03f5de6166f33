"""What a unit of work or a store was made from, as a hash and as a list of differences."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from functools import singledispatch
from typing import Any

import numpy as np
import shapely
from odc.geo.geobox import GeoBox

Json = None | bool | int | float | str | list[Any] | dict[str, Any]


def input_hash(*parts: object) -> str:
    """Return a hash of values that is the same on every machine and in every session.

    Mappings and sets count without their order, sequences with it, lists and tuples alike;
    ``1``, ``1.0`` and ``"1"`` are three values. Hash what many units share once, and pass the hash.

    Parameters
    ----------
    parts
        None, bool, int, float, str, bytes, enums, dates, times, NumPy scalars and arrays, slices,
        shapely geometries, GeoBoxes, and mappings, sets, lists, tuples and dataclasses of these.

    Returns
    -------
    SHA-256 as 64 hexadecimal digits.

    Raises
    ------
    TypeError
        If a part is of another type: its meaning can't be told from its bytes.
    """
    return hashlib.sha256(_text(parts).encode()).hexdigest()


def differences(stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Name each key in which two fingerprints differ, with both values.

    Parameters
    ----------
    stored, wanted
        JSON mappings; keys of nested ones are joined with dots.
    """
    old, new = dict(_flat(stored)), dict(_flat(wanted))
    return [
        f"{key} is {old.get(key, 'absent')} there and {new.get(key, 'absent')} here"
        for key in dict.fromkeys((*new, *old))
        if old.get(key) != new.get(key)
    ]


def _flat(mapping: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in mapping.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", json.dumps(value, ensure_ascii=False)


_ENCODER = json.JSONEncoder(separators=(",", ":"))


def _text(value: object) -> str:
    return _ENCODER.encode(_canonical(value))


@singledispatch
def _canonical(value: object) -> Json:
    """Return JSON in which every list starts with the name of its kind, so that no two collide."""
    if is_dataclass(value) and not isinstance(value, type):
        members = {field.name: getattr(value, field.name) for field in fields(value)}
        return [type(value).__name__, _canonical(members)]
    raise TypeError(
        f"cannot hash a {type(value).__module__}.{type(value).__qualname__}; "
        "pass plain values, or a dataclass, mapping or sequence of them"
    )


@_canonical.register(type(None))
@_canonical.register(bool)
@_canonical.register(int)
@_canonical.register(str)
def _(value: Json) -> Json:
    return value


@_canonical.register
def _(value: float) -> Json:
    return ["float", repr(float(value))]


@_canonical.register
def _(value: bytes) -> Json:
    return ["bytes", value.hex()]


@_canonical.register
def _(value: Enum) -> Json:
    return ["enum", type(value).__name__, _canonical(value.value)]


@_canonical.register
def _(value: date) -> Json:
    return ["date", value.isoformat()]


@_canonical.register
def _(value: datetime) -> Json:
    return ["datetime", (value.astimezone(UTC) if value.tzinfo else value).isoformat()]


@_canonical.register
def _(value: timedelta) -> Json:
    return ["timedelta", value // timedelta(microseconds=1)]


@_canonical.register(list)
@_canonical.register(tuple)
def _(value: list[Any] | tuple[Any, ...]) -> Json:
    # Most parts are hashes and names, which needn't be dispatched.
    return ["list", *(one if type(one) is str else _canonical(one) for one in value)]


@_canonical.register(AbstractSet)
def _(value: AbstractSet[Any]) -> Json:
    return ["set", *sorted(map(_text, value))]


@_canonical.register(Mapping)
def _(value: Mapping[Any, Any]) -> Json:
    return ["mapping", *sorted([_text(key), _text(item)] for key, item in value.items())]


@_canonical.register
def _(value: slice) -> Json:
    return ["slice", *map(_canonical, (value.start, value.stop, value.step))]


@_canonical.register(np.generic)
def _(value: np.generic[Any]) -> Json:
    return _canonical(value.item())


@_canonical.register(np.datetime64)
@_canonical.register(np.timedelta64)
def _(value: np.datetime64 | np.timedelta64) -> Json:
    # item() of nanoseconds is a bare integer.
    return [type(value).__name__, str(value.astype(f"{value.dtype.kind}8[us]"))]


@_canonical.register(np.ndarray)
def _(value: np.ndarray[Any, Any]) -> Json:
    if value.dtype.hasobject:
        return ["array", list(value.shape), _canonical(value.ravel().tolist())]
    little = np.ascontiguousarray(value, dtype=value.dtype.newbyteorder("<"))
    digest = hashlib.sha256(little.tobytes()).hexdigest()
    return ["array", list(value.shape), little.dtype.str, digest]


@_canonical.register(shapely.Geometry)
def _(value: shapely.Geometry) -> Json:
    return ["geometry", shapely.to_wkb(value, hex=True, byte_order=1, include_srid=True)]


@_canonical.register(GeoBox)
def _(value: GeoBox) -> Json:
    return ["geobox", str(value.crs), list(value.shape), _canonical(list(value.affine[:6]))]
