"""Where the reference data lie, which are not part of the repository."""

from __future__ import annotations

import os
from pathlib import Path

from benchmarks.registry import UnavailableError

DATA_VARIABLE = "CVLARRAY_TEST_DATA"


def reference_folder(name: str) -> Path:
    """Return one folder of the reference data.

    Raises
    ------
    UnavailableError
        If the environment doesn't say where they are.
    """
    data = os.environ.get(DATA_VARIABLE)
    if not data:
        raise UnavailableError(f"{DATA_VARIABLE} doesn't name the folder of reference data")
    return Path(data, name)
