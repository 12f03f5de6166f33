"""Sentinel-1: terrain-corrected gamma0 (RTC) at Planetary Computer, GRD there and at Earth Search.

RTC is linear power, float32; -32768 is fill and the borders are zeros nobody masked, so power that
is not positive is no data. Average power, never decibels. Ascending and descending passes, and
relative orbits, look from different sides: they are series of their own.

GRD is amplitude in ground range, uncalibrated. Its file has ground control points and no
geotransform, and what Earth Search writes as ``proj:transform`` does not describe the pixels, so
no grid is read; the scene must be calibrated and terrain-corrected before it can enter a cube.
"""

from __future__ import annotations

from cvlarray.sensors.profile import (
    Band,
    Calibration,
    Identity,
    Profile,
    Quantity,
    RawItem,
    Signer,
    refuse,
)


def identify(item: RawItem) -> Identity:
    """Read data take and orbit; Sentinel-1 scenes have no tile."""
    properties = item["properties"]
    state, orbit = properties.get("sat:orbit_state"), properties.get("sat:relative_orbit")
    if state not in ("ascending", "descending") or orbit is None:
        raise refuse(
            item,
            "has no orbit to keep its series apart; "
            f"expected sat:orbit_state and sat:relative_orbit, got {state!r} and {orbit!r}",
        )
    return Identity(
        acquisition=str(item["id"]),
        series=f"{state}-{int(orbit):03d}",
    )


def unscaled(_item: RawItem, _identity: Identity) -> Calibration:
    """Leave the values as they are."""
    return Calibration()


RTC = Profile(
    "sentinel-1-rtc/planetary-computer",
    "sentinel-1",
    ("sentinel-1-rtc",),
    tuple(Band(name, name, 10, Quantity.POWER, "float32", -32768) for name in ("vv", "vh")),
    identify,
    unscaled,
    Signer.PLANETARY_COMPUTER,
)
GRD = Profile(
    "sentinel-1-grd",
    "sentinel-1",
    ("sentinel-1-grd",),
    tuple(Band(name, name, 10, Quantity.AMPLITUDE) for name in ("vv", "vh")),
    identify,
    unscaled,
    Signer.PLANETARY_COMPUTER,
    is_georeferenced=False,
)

PROFILES = (RTC, GRD)
