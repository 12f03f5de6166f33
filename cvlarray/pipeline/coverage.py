"""How much of each tile was seen through the year: what the cube says, as tables and a picture."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pandas as pd

from cvlarray.errors import StoreError
from cvlarray.masking import coverage_by_month, coverage_by_ten_days
from cvlarray.names import COVERAGE_VARIABLES, MASKED_SHARE
from cvlarray.store import Workspace, open_raw, write_atomic


def write_coverage(workspace: Workspace) -> tuple[pd.DataFrame, list[Path]]:
    """Write the share of clear tiles by ten days and by month beside a run's stores.

    Parameters
    ----------
    workspace
        Of a run that has ingested something; what it hasn't yet counts as never seen.

    Returns
    -------
    The table of months, see `cvlarray.masking.coverage_by_month`; and what was written: both tables
    as CSV and the picture.

    Raises
    ------
    StoreError
        If the cube isn't there or nothing of it is.
    """
    from cvlarray.masking.picture import coverage_figure  # noqa: PLC0415 (loads matplotlib)

    names = [variable.name for variable in COVERAGE_VARIABLES]
    coverage = open_raw(workspace.cube)[names].compute(scheduler="synchronous")
    if not coverage[MASKED_SHARE.name].notnull().any():
        raise StoreError(f"{workspace.cube} holds no pixels yet; run the stage ingest")
    tables = {
        "ten_days": coverage_by_ten_days(coverage),
        "months": coverage_by_month(coverage),
    }
    written = []
    for name, table in tables.items():
        written.append(workspace.coverage / f"{name}.csv")
        write_atomic(written[-1], table.to_csv(float_format="%.4f"))
    picture = BytesIO()
    coverage_figure(tables["ten_days"], tables["months"]).savefig(picture, format="png", dpi=120)
    written.append(workspace.coverage / "coverage.png")
    write_atomic(written[-1], picture.getvalue())
    return tables["months"], written
