"""Watch tropical forest from satellites: lazy cubes, per-pixel seasons, dated alerts.

``import cvlarray as cvl`` and go on with its parts: `cvl.catalog.search`, `cvl.cube.load_cube`,
`cvl.baseline.fit_baseline`, ... Each is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

__version__ = "0.1.0"

__all__ = [
    "alerts",
    "baseline",
    "catalog",
    "cube",
    "features",
    "grid",
    "inference",
    "masking",
    "models",
    "monitor",
    "normalize",
    "plots",
    "radar",
    "report",
    "sensors",
    "simulate",
    "store",
    "vectorize",
]


def __getattr__(name: str) -> ModuleType:
    if name in __all__:
        return import_module(f"cvlarray.{name}")
    raise AttributeError(f"cvlarray has no {name}; its parts are {', '.join(__all__)}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
