"""Dossiers drawn by hand: a mine pit with a hole, and others beside it."""

from __future__ import annotations

import datetime as dt
import io
from typing import Any

import numpy as np
import shapely
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from PIL import Image

from cvlarray.alerts.evidence import Signer
from cvlarray.alerts.package import Dossier, Picture, Reference

MADE = dt.datetime(2025, 4, 10, 18, 30, tzinfo=dt.UTC)
PIT = shapely.box(-69.191, -12.591, -69.189, -12.589).difference(
    shapely.box(-69.1902, -12.5902, -69.1898, -12.5898)
)
SCENE = "S2A_19LCF_20250410_0_L2A"
LAYER_SHA256 = "ab" * 32


def png(colour: str, size: tuple[int, int] = (48, 40)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, "PNG")
    return file.getvalue()


def make_dossier(number: int = 0, *, version: str = "1", **more: Any) -> Dossier:
    """Return an alert; the number moves it east and names it."""
    properties = {
        "event_id": f"20250321-k3jq7x2mfa5dnw{number:02d}",
        "class": "mine_pit",
        "confidence": 0.91,
        "priority": "high",
        "rule": "strict protection",
        "area_m2": 46_400.0,
        "area_uncertainty_m2": 3_500.0,
        "first_detected": "2025-03-21",
        "confirmed": "2025-04-10",
        "interval_start": "2025-03-11",
        "interval_end": "2025-03-21",
        "sensor": "sentinel-2",
        "jurisdiction": [
            {
                "layer": "anp",
                "role": "strict_protection",
                "code": "RN09",
                "name": "Tambopata – ñandú",
                "share": 0.984,
                "area_m2": 45_000.0,
                "valid": "2024-05-01",
                "sha256": LAYER_SHA256,
                "ambiguous": False,
            }
        ],
    }
    return Dossier(
        properties=properties | more,
        geometry=shapely.transform(PIT, lambda c: c + np.array([0.01 * number, 0])),
        version=version,
        made_at=MADE,
        software="cvlarray 0.1.0",
        model="4 exceedances in a row of 2.25 σ of a harmonic season, ndvi and red",
        pictures={
            "before": Picture(png("green"), dt.date(2024, 4, 1), "true colour"),
            "after": Picture(png("brown"), dt.date(2025, 4, 10), "true colour"),
        },
        inputs={"run.yaml": b"name: tambopata\n", "items.json": b"[]\n"},
        references=(
            Reference("scene", SCENE, None, {"datetime": "2025-04-10T14:50:01Z"}),
            Reference("layer", "anp", LAYER_SHA256, {"valid": "2024-05-01"}),
        ),
        latency={"acquired": "2025-04-10T14:50:01+00:00", "published": None},
        verification_url="https://review.example.org/alert/1?a=b&c=<d>",
    )


def make_signer(name: str = "Canopy Vision Lab", **more: Any) -> Signer:
    return Signer(name, Ed25519PrivateKey.generate(), **more)
