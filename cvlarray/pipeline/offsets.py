"""Whether Sentinel-2's pixels bear out the offsets that the rule gave, and a word if they don't."""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import xarray as xr

from cvlarray.cube import Day
from cvlarray.names import NODATA_DN, SCL
from cvlarray.pipeline.context import RunContext
from cvlarray.pipeline.units import Stage
from cvlarray.sensors import OffsetVerdict, check_boa_offset
from cvlarray.store import Ledger

logger = logging.getLogger(__name__)

DARK_SCL = np.array([2, 4, 6], np.uint8)
"""Dark areas, vegetation and water."""
MAX_SAMPLE = 65_536
"""Pixels of a date that are looked at: a percentile needs no more."""


SAMPLED = ("red", SCL.name)
"""What the verdicts are made from."""


def sample(image: xr.DataArray) -> xr.DataArray:
    """Return every so many pixels of (time, y, x), at least `MAX_SAMPLE` of a date if it has so."""
    n_pixels = image.sizes["y"] * image.sizes["x"]
    thin = slice(None, None, max(1, math.isqrt(n_pixels // MAX_SAMPLE)))
    return image.isel(y=thin, x=thin)


def offset_verdicts(block: xr.Dataset, days: Sequence[Day]) -> dict[str, str]:
    """Return the verdict of `check_boa_offset` on the dates of a block that can be judged.

    Parameters
    ----------
    block
        With ``red`` (DN with the offset applied) and ``scl``, or there is no verdict; a `sample`
        is enough.
    days
        Its dates; one with scenes of several offsets is left out.

    Returns
    -------
    "agrees" or "contradicts" by date.
    """
    if not set(SAMPLED) <= set(block):
        return {}
    red_by_date, scl_by_date = (block[name].to_numpy() for name in SAMPLED)
    verdicts = {}
    for day, red, scl in zip(days, red_by_date, scl_by_date, strict=True):
        offsets = {scene.assets["red"].offset_dn for scene in day.scenes if "red" in scene.assets}
        if len(offsets) != 1:
            continue
        (offset_dn,) = offsets
        in_file = red[np.isin(scl, DARK_SCL) & (red != NODATA_DN)].astype(np.int32) - offset_dn
        verdict = check_boa_offset(np.clip(in_file, 0, 32_767).astype(np.uint16), offset_dn)
        if verdict is not OffsetVerdict.UNDECIDED:
            verdicts[str(day.date)] = verdict.value
    return verdicts


def warn_of_offsets(context: RunContext, ledger: Ledger) -> list[str]:
    """Log, and return, one line for each kind of product whose pixels contradict its offset.

    A date may be hazy all over, which looks like the offset: so all dates and tiles that were
    processed alike are counted together, and the majority decides.
    """
    kinds = {
        str(day.date): {(s.sensor, s.processing_baseline) for s in day.scenes}
        for day in context.days
    }
    counts: Counter[tuple[str, str, str]] = Counter()
    for (date, verdict), n_tiles in ledger.tally(Stage.INGEST, "boa_offset").items():
        if len(kinds.get(date, ())) == 1:
            ((sensor, baseline),) = kinds[date]
            counts[sensor, baseline, verdict] += n_tiles
    lines = []
    for sensor, baseline in sorted({(sensor, baseline) for sensor, baseline, _ in counts}):
        against, for_it = (
            counts[sensor, baseline, verdict.value]
            for verdict in (OffsetVerdict.CONTRADICTS, OffsetVerdict.AGREES)
        )
        if against > for_it:
            lines.append(
                f"the dark pixels of {sensor}, baseline {baseline}, contradict its BOA offset on "
                f"{against} of {against + for_it} tile-dates: its reflectance may be off by 0.1; "
                "compare a scene with another provider's"
            )
    for line in lines:
        logger.warning(line)
    return lines
