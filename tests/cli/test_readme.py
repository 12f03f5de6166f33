"""The README's Python, run on the demo's data, and what it says it prints."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import numpy as np
import xarray as xr

README = (Path(__file__).parents[2] / "README.md").read_text()


def test_the_notebook_runs_and_prints_what_it_says(demo_workspace, monkeypatch, tmp_path):
    (tmp_path / "demo-run").symlink_to(demo_workspace)
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    (printed,) = re.findall(r"```\n(<xarray.*?)\n```", README, re.DOTALL)
    names: dict[str, object] = {}
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec("\n".join(blocks), names)
    assert output.getvalue().strip() == printed

    # The notebook watches a part of the demo's square and finds the same clearings there, as far
    # as a smaller forest gives the same date offsets.
    found = names["found"]
    assert isinstance(found, xr.Dataset)
    whole = xr.open_zarr(
        demo_workspace / "detections.zarr", mask_and_scale=False, decode_times=False
    )
    same_place = whole["first_flagged"].reindex_like(found, method="nearest", tolerance=5)
    here = found["first_flagged"].to_numpy() >= 0
    there = same_place.to_numpy() >= 0
    assert (here & there).sum() / (here | there).sum() > 0.8
    assert np.isfinite(names["alerts"]["area_m2"]).all()
