"""Every variable that passes between stages: its name, dims, dtype and CF attributes, once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum, IntFlag
from typing import Any

import numpy as np

NODATA_DN = np.int16(-32768)
"""Fill of every int16 band: not covered, not read, or nodata in the source."""

DN_PER_REFLECTANCE = 10_000
"""Bands are stored as int16 of reflectance × 10,000 with the BOA offset already removed."""

NO_DATE = np.int32(-1)
"""Fill of every date variable; dates are stored as days since 1970-01-01."""

NO_OBSERVATION = np.uint8(0)
"""SCL's own "no data" class, and the fill of every uint8 quality band."""


@dataclass(frozen=True)
class Variable:
    """One stored variable."""

    name: str
    dims: tuple[str, ...]
    dtype: str
    fill_value: Any
    """Zarr fill value, and the CF ``_FillValue`` unless None."""
    attrs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def has_time(self) -> bool:
        """Whether the variable has a time dimension."""
        return "time" in self.dims


def band(name: str, long_name: str) -> Variable:
    """Return a reflectance band (time, y, x) stored as int16 DN."""
    attrs = {
        "long_name": long_name,
        "standard_name": "surface_bidirectional_reflectance",
        "units": "1",
        "scale_factor": 1 / DN_PER_REFLECTANCE,
    }
    return Variable(name, ("time", "y", "x"), "int16", NODATA_DN, attrs)


def date_variable(name: str, long_name: str) -> Variable:
    """Return a per-pixel date (y, x), days since 1970-01-01."""
    attrs = {"long_name": long_name, "units": "days since 1970-01-01", "calendar": "standard"}
    return Variable(name, ("y", "x"), "int32", NO_DATE, attrs)


READ_STATUS = Variable(
    "read_status",
    ("time", "y", "x"),
    "uint8",
    None,
    {
        "long_name": "what became of the pixel's read",
        "flag_values": [0, 1, 2],
        "flag_meanings": "not_covered read unread",
    },
)
NOT_COVERED, READ, UNREAD = np.uint8(0), np.uint8(1), np.uint8(2)

SEEN = Variable(
    "seen",
    ("time", "y", "x"),
    "uint8",
    None,
    {
        "long_name": "whether the ground was seen, and changed",
        "flag_values": [0, 1, 2, 3, 4],
        "flag_meanings": "not_covered unread obscured clear changed",
    },
)
SEEN_UNREAD, SEEN_OBSCURED = np.uint8(1), np.uint8(2)
SEEN_CLEAR, SEEN_CHANGED = np.uint8(3), np.uint8(4)

SCL = Variable(
    "scl",
    ("time", "y", "x"),
    "uint8",
    NO_OBSERVATION,
    {
        "long_name": "Sentinel-2 scene classification",
        "flag_values": list(range(12)),
        "flag_meanings": (
            "no_data saturated_or_defective dark_area_or_topographic_shadow cloud_shadow "
            "vegetation not_vegetated water unclassified cloud_medium_probability "
            "cloud_high_probability thin_cirrus snow_or_ice"
        ),
    },
)


class QualityFlag(IntFlag):
    """Why a pixel may be unfit, one bit a reason; water alone is no reason."""

    CLOUD = 1
    SHADOW = 2
    """Of a cloud; also dark areas that the provider can't tell from one."""
    HAZE = 4
    """Thin cloud, smoke, and the rim of clouds."""
    CIRRUS = 8
    SNOW = 16
    WATER = 32
    SATURATED = 64
    """A band is saturated or its detector defective."""
    FILL = 128
    """No observation; always alone."""


QUALITY = Variable(
    "quality",
    ("time", "y", "x"),
    "uint8",
    np.uint8(QualityFlag.FILL),
    {
        "long_name": "what is on, or in the way of, each pixel",
        "flag_masks": [flag.value for flag in QualityFlag],
        "flag_meanings": " ".join(str(flag.name).lower() for flag in QualityFlag),
    },
)

TILE = "tile"
"""Dimension of what is known of a tile as a whole."""

MASKED_SHARE = Variable(
    "masked_share",
    ("time", TILE),
    "float32",
    np.float32("nan"),
    {
        "long_name": "share of the tile's pixels that were not seen clearly",
        "units": "1",
        "valid_range": [0.0, 1.0],
    },
)
NEEDS_SAR = Variable(
    "needs_sar",
    ("time", TILE),
    "bool",
    None,
    {"long_name": "too much of the tile is masked on the date, look at it with SAR", "units": "1"},
)

COVERAGE_VARIABLES = (MASKED_SHARE, NEEDS_SAR)

COEFFICIENTS = Variable(
    "coefficients",
    ("feature", "coefficient", "y", "x"),
    "float32",
    np.float32("nan"),
    {
        "long_name": "seasonal model: level, trend, and cosine and sine of each annual harmonic",
        "units": "1e-4",
    },
)
SIGMA = Variable(
    "sigma",
    ("feature", "y", "x"),
    "float32",
    np.float32("nan"),
    {
        "long_name": "robust residual standard deviation of the history (MAD × 1.4826)",
        "units": "1e-4",
    },
)
N_VALID = Variable(
    "n_valid",
    ("feature", "y", "x"),
    "uint16",
    None,
    {"long_name": "clear observations in the history", "units": "1"},
)

MOMENTS = Variable(
    "moments",
    ("moment", "y", "x"),
    "float32",
    np.float32(0),
    {
        "long_name": "weighted sums of the seasonal model's normal equations, of all features",
        "units": "1",
    },
)

DATE_OFFSET = Variable(
    "date_offset",
    ("feature", "time"),
    "float32",
    np.float32("nan"),
    {"long_name": "median standardised residual of the forest on the date", "units": "1"},
)
DATE_SPREAD = Variable(
    "date_spread",
    ("feature", "time"),
    "float32",
    np.float32("nan"),
    {"long_name": "robust standard deviation of the forest's residuals on the date", "units": "1"},
)


def correction_variable(name: str, dtype: str, fill_value: Any, **attrs: Any) -> Variable:
    """Return what was found, or done, about each band on each date (band, time)."""
    return Variable(name, ("band", "time"), dtype, fill_value, attrs)


_MISSING = np.float32("nan")
GAIN = correction_variable(
    "gain", "float32", _MISSING, long_name="observed over expected reflectance, slope", units="1"
)
OFFSET_DN = correction_variable(
    "offset_dn", "float32", _MISSING, long_name="observed where nothing is expected", units="1e-4"
)
GAIN_ERROR = correction_variable(
    "gain_error", "float32", _MISSING, long_name="standard error of the gain by itself", units="1"
)
DEVIATION = correction_variable(
    "deviation",
    "float32",
    _MISSING,
    long_name="largest share by which the scene was off, within the reference's values",
    units="1",
)
N_REFERENCE = correction_variable(
    "n_reference", "int32", None, long_name="reference pixels seen on the date", units="1"
)
IS_CORRECTED = correction_variable(
    "is_corrected", "bool", None, long_name="gain and offset are taken off the band", units="1"
)
CORRECTION_VARIABLES = (GAIN, OFFSET_DN, GAIN_ERROR, DEVIATION, N_REFERENCE, IS_CORRECTED)

FIRST_FLAGGED = date_variable("first_flagged", "date of the first observation of the confirmed run")
CONFIRMED = date_variable("confirmed", "date of the observation that confirmed the change")
INTERVAL_START = date_variable(
    "interval_start", "last clear observation that was still as expected"
)
INTERVAL_END = date_variable("interval_end", "first clear observation that was changed")
MAGNITUDE = Variable(
    "magnitude",
    ("y", "x"),
    "float32",
    np.float32("nan"),
    {"long_name": "median standardised residual of the first flagged observations", "units": "1"},
)
CONFIDENCE = Variable(
    "confidence",
    ("y", "x"),
    "float32",
    np.float32("nan"),
    {
        "long_name": "probability that the flagged pixel has changed",
        "units": "1",
        "valid_range": [0.0, 1.0],
    },
)
N_FLAGGED = Variable(
    "n_flagged",
    ("y", "x"),
    "uint16",
    None,
    {"long_name": "observations beyond the threshold from first_flagged on", "units": "1"},
)
N_SINCE = Variable(
    "n_since",
    ("y", "x"),
    "uint16",
    None,
    {"long_name": "clear observations from first_flagged on", "units": "1"},
)
DIRECTION = Variable(
    "direction",
    ("y", "x"),
    "int8",
    None,
    {
        "long_name": "where the first watched feature went",
        "units": "1",
        "flag_values": [-1, 0, 1],
        "flag_meanings": "fell no_confirmed_change rose",
    },
)
N_CLEAR = Variable(
    "n_clear",
    ("y", "x"),
    "uint16",
    None,
    {"long_name": "clear observations in the monitoring period", "units": "1"},
)
MAX_GAP_DAYS = Variable(
    "max_gap_days",
    ("y", "x"),
    "uint16",
    None,
    {
        "long_name": "longest time without a clear observation in the monitoring period",
        "units": "days",
    },
)

BASELINE_VARIABLES = (COEFFICIENTS, SIGMA, N_VALID, MOMENTS)
DATE_VARIABLES = (DATE_OFFSET, DATE_SPREAD)
DETECTION_VARIABLES = (
    FIRST_FLAGGED,
    CONFIRMED,
    INTERVAL_START,
    INTERVAL_END,
    MAGNITUDE,
    CONFIDENCE,
    DIRECTION,
    N_FLAGGED,
    N_SINCE,
    N_CLEAR,
    MAX_GAP_DAYS,
)

NEEDS_REVIEW = Variable(
    "needs_review",
    ("y", "x"),
    "bool",
    None,
    {"long_name": "a person must look at the change before anybody acts on it", "units": "1"},
)
RADAR_VARIABLES = (
    FIRST_FLAGGED,
    CONFIRMED,
    INTERVAL_START,
    INTERVAL_END,
    CONFIDENCE,
    N_FLAGGED,
    N_SINCE,
    NEEDS_REVIEW,
)
"""What is said of a change that radar has found."""


RADAR_BELIEF = Variable(
    "radar_belief",
    ("time", "y", "x"),
    "float32",
    np.float32("nan"),
    {
        "long_name": "probability that the pixel has changed, by the last dates of radar",
        "units": "1",
        "valid_range": [0.0, 1.0],
    },
)


class Source(IntEnum):
    """Who says whether a pixel has changed."""

    UNOBSERVED = 0
    OPTICAL = 1
    RADAR = 2
    BOTH = 3
    """Optical, and radar that agrees."""


SOURCE = Variable(
    "source",
    ("time", "y", "x"),
    "uint8",
    None,
    {
        "long_name": "who says whether the pixel has changed",
        "flag_values": [source.value for source in Source],
        "flag_meanings": " ".join(source.name.lower() for source in Source),
    },
)
FUSED_CONFIDENCE = Variable(
    "confidence",
    ("time", "y", "x"),
    "float32",
    np.float32("nan"),
    {
        "long_name": "probability that the pixel has changed, by optical and radar",
        "units": "1",
        "valid_range": [0.0, 1.0],
    },
)
FUSED_VARIABLES = (
    FUSED_CONFIDENCE,
    SOURCE,
    replace(NEEDS_REVIEW, dims=FUSED_CONFIDENCE.dims),
)
"""What optical and radar say together."""

ALARM_FIRST = date_variable("alarm_first", "date at which the pending or confirmed change began")
ALARM_CONFIRMED = date_variable("alarm_confirmed", "date that confirmed the change")
DETECTOR_MEMORY = Variable(
    "detector_memory",
    ("remembered", "y", "x"),
    "float32",
    np.float32(0),
    {"long_name": "what the sequential test remembers from date to date", "units": "1"},
)
LAST_INTACT = date_variable(
    "last_intact", "last clear observation as expected before the pending or confirmed change"
)
LAST_CLEAR = date_variable("last_clear", "last clear observation, or the first date")
FLAGGED = Variable(
    "flagged",
    ("kept", "y", "x"),
    "float32",
    np.float32("inf"),
    {"long_name": "first flagged standardised residuals, by size", "units": "1"},
)
LOG_ODDS = Variable(
    "log_odds", ("y", "x"), "float32", np.float32(0), {"long_name": "log odds of a change"}
)
PEAK_LOG_ODDS = Variable(
    "peak_log_odds",
    ("y", "x"),
    "float32",
    np.float32(0),
    {"long_name": "highest log odds of a change since it began"},
)
IS_FOREST = Variable(
    "is_forest",
    ("y", "x"),
    "bool",
    None,
    {"long_name": "pixel was forest in the history", "units": "1"},
)
STATE_VARIABLES = (
    MOMENTS,
    COEFFICIENTS,
    SIGMA,
    DETECTOR_MEMORY,
    ALARM_FIRST,
    ALARM_CONFIRMED,
    LAST_INTACT,
    LAST_CLEAR,
    N_CLEAR,
    MAX_GAP_DAYS,
    N_SINCE,
    N_FLAGGED,
    FLAGGED,
    LOG_ODDS,
    PEAK_LOG_ODDS,
    IS_FOREST,
)
"""All that watching goes on from; the order is that of `cvlarray.monitor.scan.PixelState`."""

N_EPISODES = 2
"""Disturbances of a pixel that are told apart: the first, and the one after its recovery."""


def episode_date(name: str, long_name: str) -> Variable:
    """Return a date of each episode of a pixel (episode, y, x), days since 1970-01-01."""
    attrs = date_variable(name, long_name).attrs
    return Variable(name, ("episode", "y", "x"), "int32", NO_DATE, attrs)


DISTURBED = episode_date("disturbed", "first observation of a confirmed disturbance")
INTACT_UNTIL = episode_date("intact_until", "last clear observation as expected before it")
RECOVERED = episode_date("recovered", "first observation back inside the expected band")
EPISODE_VARIABLES = (DISTURBED, INTACT_UNTIL, RECOVERED)
"""What a reanalysis knows of each pixel beyond the first change; see `cvlarray.monitor.follow`."""

AGENT = Variable(
    "agent",
    ("episode", "y", "x"),
    "uint8",
    None,
    {
        "long_name": "what disturbed the forest, as the ground looked afterwards",
        "flag_values": [0, 1, 2, 3],
        "flag_meanings": "none unknown clearing mining",
    },
)
NO_AGENT, UNKNOWN_AGENT, CLEARING, MINING = (np.uint8(number) for number in range(4))

NOT_WATCHED = np.uint8(255)
"""Of a yearly map: no forest in the history."""

YEARLY_CLASS = Variable(
    "land_cover",
    ("year", "y", "x"),
    "uint8",
    NOT_WATCHED,
    {
        "long_name": "what stood at the end of the year where forest stood in the history",
        "flag_values": [0, 1, 2, 3, 4],
        "flag_meanings": ("intact_forest secondary_growth recent_clearing mine_pit tailings_pond"),
    },
)
YEARLY_CHANGE = Variable(
    "disturbance",
    ("year", "y", "x"),
    "uint8",
    NOT_WATCHED,
    {
        "long_name": "what became of the forest by the end of the year",
        "flag_values": [0, 1, 2, 3],
        "flag_meanings": "undisturbed disturbed_this_year disturbed_before recovered",
    },
)
UNDISTURBED, DISTURBED_NOW, DISTURBED_BEFORE, BACK = (np.uint8(number) for number in range(4))

YEARLY_CLEAR = Variable(
    "n_clear_in_year",
    ("year", "y", "x"),
    "uint16",
    None,
    {"long_name": "clear observations in the year", "units": "1"},
)
CHANGES_VARIABLES = (*EPISODE_VARIABLES, AGENT, YEARLY_CLASS, YEARLY_CHANGE, YEARLY_CLEAR)
"""What a reanalysis stores of every pixel."""
