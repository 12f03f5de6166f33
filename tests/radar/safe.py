"""A small Sentinel-1 GRD product over smooth ground, written as xarray-sentinel reads it.

The satellite flies north above 72° W, Earth-fixed, and looks right, at ground that reflects the
same everywhere; all that a product says of it (timing, ground-range polynomial, calibration, noise)
is computed here from that geometry.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from pyproj import Transformer
from rasterio.control import GroundControlPoint
from scipy.optimize import brentq

C = 299_792_458.0
RADIUS_M, SPEED = 7_071_000.0, 7_590.0
"""Of the orbit [m, m/s]."""
TRACK = -72.0
EPOCH = np.datetime64("2024-06-01T10:40:00", "ns")
TO_ECEF = Transformer.from_crs("EPSG:4979", "EPSG:4978", always_xy=True)
BETA_LUT = 474.0
"""``betaNought``, the same everywhere, as in real products."""


def satellite(seconds: np.ndarray) -> np.ndarray:
    """Return the position (..., 3) so long after the epoch, when it is above 12.6° S."""
    angle = np.radians(-12.6) + np.asarray(seconds) * SPEED / RADIUS_M
    axes = (np.cos(angle) * np.cos(np.radians(TRACK)), np.cos(angle) * np.sin(np.radians(TRACK)),
            np.sin(angle))  # fmt: skip
    return RADIUS_M * np.stack(axes, axis=-1)


def seen(longitude: float, latitude: float, height_m: float = 0.0) -> tuple[float, float, float]:
    """Return when a place is abeam [s], its slant range [m] and its incidence angle [rad]."""
    place = np.array(TO_ECEF.transform(longitude, latitude, height_m))
    along = lambda s: float((place - satellite(s)) @ (satellite(s + 0.01) - satellite(s - 0.01)))  # noqa: E731
    seconds = brentq(along, -60, 60, xtol=1e-9)
    look = place - satellite(seconds)
    up = np.array(TO_ECEF.transform(longitude, latitude, height_m + 1)) - place
    slant = float(np.linalg.norm(look))
    return seconds, slant, float(np.arccos(-look @ up / slant / np.linalg.norm(up)))


@dataclass(frozen=True)
class Scene:
    """Geometry of a product around a place."""

    longitude: float
    latitude: float
    n_lines: int = 420
    n_pixels: int = 560
    spacing_m: float = 10.0

    @cached_property
    def degree_m(self) -> float:
        """Metres of a degree of longitude there."""
        a, b = (
            np.array(TO_ECEF.transform(self.longitude + d, self.latitude, 0)) for d in (0, 1e-3)
        )
        return float(np.linalg.norm(a - b)) * 1e3

    @cached_property
    def slants(self) -> tuple[np.ndarray, np.ndarray]:
        """Slant range [m] along the middle line, and its ground range from the first pixel [m]."""
        ground = np.linspace(0, self.spacing_m * (self.n_pixels - 1), 40)
        middle = ground - ground.mean()
        return np.array(
            [seen(self.longitude + x / self.degree_m, self.latitude)[1] for x in middle]
        ), ground

    @property
    def interval_s(self) -> float:
        """Time between two lines."""
        return self.spacing_m / SPEED * RADIUS_M / 6_371_000

    @cached_property
    def middle_s(self) -> float:
        """Time at which the place is abeam."""
        return seen(self.longitude, self.latitude)[0]

    def time_of(self, line: int) -> float:
        """Return the time of a line; the place lies in the middle of them."""
        return self.middle_s + self.interval_s * (line - (self.n_lines - 1) / 2)


def text(seconds: float) -> str:
    """Return a time as ESA writes it."""
    return str(EPOCH + np.timedelta64(round(seconds * 1e9), "ns"))[:26]


def xml(name: str, content: Any) -> str:
    """Return an element: of a mapping its children, a list of which is an element each."""
    if isinstance(content, dict):
        parts = [
            xml(child, one)
            for child, value in content.items()
            for one in (value if isinstance(value, list) else [value])
        ]
        return f"<{name}>{''.join(parts)}</{name}>"
    if isinstance(content, np.ndarray | tuple):
        values = np.asarray(content).tolist()
        return f'<{name} count="{len(values)}">{" ".join(map(repr, values))}</{name}>'
    return f"<{name}>{content}</{name}>"


def write_orbit_file(path: Path, first: float = -400.0, last: float = 400.0) -> None:
    """Write an orbit file with the true positions."""
    vectors = [
        {"UTC": f"UTC={text(s)}"} | dict(zip("XYZ", satellite(s).tolist(), strict=True))
        for s in np.arange(first, last + 1, 10.0)
    ]
    path.write_text(xml("Earth_Explorer_File", {"Data_Block": {"OSV": vectors}}))


def write_safe(
    folder: Path, scene: Scene, dn: np.ndarray, *, noise=1000.0, azimuth=1.0, orbit_shift_m=0.0
) -> Path:
    """Write a product of one polarisation (VV) and return its folder.

    ``noise`` is the range vector [DN²] at the first, middle and last pixel, ``azimuth`` the factor
    at the first and last line; ``orbit_shift_m`` moves the annotation's orbit along the track.
    """
    safe = folder / "S1A_IW_GRDH_1SDV_20240601T104000.SAFE"
    name = "s1a-iw-grd-vv-20240601t104000-20240601t104025-054100-069500-001"
    files = {
        f"annotation/{name}.xml": "s1Level1ProductSchema",
        f"annotation/calibration/calibration-{name}.xml": "s1Level1CalibrationSchema",
        f"annotation/calibration/noise-{name}.xml": "s1Level1NoiseSchema",
        f"measurement/{name}.tiff": "s1Level1MeasurementSchema",
    }
    for file in files:
        (safe / file).parent.mkdir(parents=True, exist_ok=True)
    annotation, calibration, noise_file, measurement = (safe / file for file in files)
    annotation.write_text(xml("product", _annotation(scene, orbit_shift_m)))
    calibration.write_text(xml("calibration", _calibration(scene)))
    noise_file.write_text(xml("noise", _noise(scene, noise, azimuth)))
    (safe / "manifest.safe").write_text(_manifest(files))
    corners = [(0, 0, 0, 0), (0, 10, 1, 0), (10, 0, 0, -1)]
    gcps = [
        GroundControlPoint(row, col, scene.longitude + east, scene.latitude + north, 0)
        for row, col, east, north in corners
    ]
    with rasterio.open(
        measurement, "w", driver="GTiff", width=dn.shape[1], height=dn.shape[0], count=1,
        dtype="uint16", gcps=gcps, crs="EPSG:4326",
    ) as dataset:  # fmt: skip
        dataset.write(dn.astype(np.uint16), 1)
    return safe


def _lines(scene: Scene) -> np.ndarray:
    return np.array([0, scene.n_lines - 1])


def _pixels(scene: Scene) -> np.ndarray:
    return np.array([0, scene.n_pixels // 2, scene.n_pixels - 1])


def _annotation(scene: Scene, orbit_shift_m: float) -> dict[str, Any]:
    slants, ground = scene.slants
    sr0 = float(slants[0])
    polynomial = np.polynomial.Polynomial
    orbits = []
    for seconds in np.arange(-80.0, 81.0, 10.0):
        xyz = dict(zip("xyz", satellite(seconds + orbit_shift_m / SPEED).tolist(), strict=True))
        orbits.append(
            {"time": text(seconds), "frame": "Earth Fixed", "position": xyz, "velocity": xyz}
        )
    conversion = {
        "slantRangeTime": 2 * sr0 / C,
        "sr0": sr0,
        "srgrCoefficients": polynomial.fit(slants - sr0, ground, 5).convert().coef,
        "gr0": 0.0,
        "grsrCoefficients": polynomial.fit(ground, slants, 5).convert().coef,
    }
    points = [
        {
            "azimuthTime": text(scene.time_of(line)),
            "slantRangeTime": 2 * float(np.interp(pixel * scene.spacing_m, ground, slants)) / C,
            "line": line,
            "pixel": pixel,
            "latitude": scene.latitude + 1e-4 * line,
            "longitude": scene.longitude + 1e-4 * pixel,
            "height": 0.0,
            "incidenceAngle": 36.0,
            "elevationAngle": 32.0,
        }
        for line in _lines(scene).tolist()
        for pixel in _pixels(scene).tolist()
    ]
    first_s, last_s = (scene.time_of(line) for line in _lines(scene))
    return {
        "generalAnnotation": {
            "productInformation": {
                "pass": "Ascending",
                "rangeSamplingRate": 6.434523812571428e07,
                "radarFrequency": 5.40500045433435e09,
                "projection": "Ground Range",
            },
            "orbitList": {"orbit": orbits},
        },
        "imageAnnotation": {
            "imageInformation": {
                "productFirstLineUtcTime": text(first_s),
                "productLastLineUtcTime": text(last_s),
                "ascendingNodeTime": text(-200),
                "slantRangeTime": 2 * sr0 / C,
                "rangePixelSpacing": scene.spacing_m,
                "azimuthPixelSpacing": scene.spacing_m,
                "azimuthTimeInterval": scene.interval_s,
                "numberOfSamples": scene.n_pixels,
                "numberOfLines": scene.n_lines,
                "incidenceAngleMidSwath": 36.0,
            }
        },
        "swathTiming": {"linesPerBurst": 0, "burstList": ()},
        "geolocationGrid": {"geolocationGridPointList": {"geolocationGridPoint": points}},
        "coordinateConversion": {
            "coordinateConversionList": {
                "coordinateConversion": [
                    {"azimuthTime": text(first_s - 1)} | conversion,
                    {"azimuthTime": text(last_s + 1)} | conversion,
                ]
            }
        },
    }


def _calibration(scene: Scene) -> dict[str, Any]:
    tables = dict.fromkeys(("sigmaNought", "betaNought", "gamma", "dn"), (BETA_LUT,) * 3)
    vectors = [
        {"azimuthTime": text(scene.time_of(line)), "line": line, "pixel": _pixels(scene)} | tables
        for line in _lines(scene).tolist()
    ]
    return {
        "calibrationInformation": {"absoluteCalibrationConstant": 1.0},
        "calibrationVectorList": {"calibrationVector": vectors},
    }


def _noise(scene: Scene, noise, azimuth) -> dict[str, Any]:
    vectors = [
        {
            "azimuthTime": text(scene.time_of(line)),
            "line": line,
            "pixel": _pixels(scene),
            "noiseRangeLut": np.broadcast_to(noise, 3),
        }
        for line in _lines(scene).tolist()
    ]
    block = {
        "swath": "IW1",
        "firstAzimuthLine": 0,
        "firstRangeSample": 0,
        "lastAzimuthLine": scene.n_lines - 1,
        "lastRangeSample": scene.n_pixels - 1,
        "line": _lines(scene),
        "noiseAzimuthLut": np.broadcast_to(azimuth, 2),
    }
    return {
        "noiseRangeVectorList": {"noiseRangeVector": vectors},
        "noiseAzimuthVectorList": {"noiseAzimuthVector": block},
    }


def _manifest(files: dict[str, str]) -> str:
    spaces = {
        "safe": "http://www.esa.int/safe/sentinel-1.0",
        "s1": "http://www.esa.int/safe/sentinel-1.0/sentinel-1",
        "s1sarl1": "http://www.esa.int/safe/sentinel-1.0/sentinel-1/sar/level-1",
    }
    declared = " ".join(f'xmlns:{short}="{name}"' for short, name in spaces.items())
    mode = {"s1sarl1:mode": "IW", "s1sarl1:swath": "IW"}
    about = {
        "safe:platform": {
            "safe:familyName": "SENTINEL-1",
            "safe:number": "A",
            "s1sarl1:instrumentMode": mode,
        },
        "safe:orbitNumber": [1, 1],
        "safe:relativeOrbitNumber": [1, 1],
        "s1:pass": "ASCENDING",
        "s1:ascendingNodeTime": text(-200),
        "s1sarl1:missionDataTakeID": 1,
        "s1sarl1:transmitterReceiverPolarisation": "VV",
        "s1sarl1:productType": "GRD",
        "safe:startTime": text(0),
        "safe:stopTime": text(1),
    }
    objects = "".join(
        f'<dataObject repID="{kind}"><fileLocation href="./{file}"/></dataObject>'
        for file, kind in files.items()
    )
    listed = f"<dataObjectSection>{objects}</dataObjectSection>"
    return f"<xfdu {declared}>{xml('metadataSection', about)}{listed}</xfdu>"
