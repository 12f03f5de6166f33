"""The evaluation as one self-contained HTML page, and as JSON."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from cvlarray.evaluation.bootstrap import Estimate
from cvlarray.evaluation.pictures import class_picture, data_uri
from cvlarray.evaluation.results import Evaluation, LandCoverResult
from cvlarray.models import LAND_COVER
from cvlarray.simulate.landcover import COLOURS, LandCover
from cvlarray.store import write_atomic

__all__ = ["as_json", "render_page", "write_page"]

_TEMPLATES = Path(__file__).parent / "templates"
_COLUMNS = ("IoU", "precision", "recall", "F1")


@dataclass(frozen=True)
class _Cell:
    """One field of a confusion picture."""

    text: str
    share: float
    """Of the row's pixels."""


def write_page(found: Evaluation, folder: Path, command: str) -> Path:
    """Write ``index.html`` and ``evaluation.json``; return the page's path.

    Parameters
    ----------
    found
        What was found.
    folder
        Made if missing.
    command
        That made it; shown on the page.

    Raises
    ------
    StoreError
        If a file can't be written.
    """
    write_atomic(folder / "evaluation.json", json.dumps(as_json(found), indent=2))
    page = folder / "index.html"
    write_atomic(page, render_page(found, command))
    return page


def render_page(found: Evaluation, command: str) -> str:
    """Return the page: it sends no request and runs no script."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(figure=_figure, at=_at, words=_words)
    return environment.get_template("evaluation.html.j2").render(
        found=found,
        command=command,
        columns=_COLUMNS,
        rows=(*LAND_COVER, "mean"),
        confusions=[_confusion(one) for one in found.land_cover],
        reliability=[_reliability(one.reliability) for one in found.fused],
        pictures=[
            {
                "title": one.title,
                "colour": data_uri(one.colour),
                "truth": data_uri(class_picture(one.truth)),
                "said": data_uri(class_picture(one.said)),
            }
            for one in found.pictures
        ],
        legend=[(cover.name.lower(), COLOURS[cover]) for cover in LandCover],
    )


def as_json(found: Evaluation) -> dict[str, Any]:
    """Return all figures as plain numbers; NaN becomes None."""
    return {
        "simulated": True,
        "n_regions": found.n_regions,
        "size_px": found.size_px,
        "kappa": found.kappa,
        "land_cover": [
            {
                "model": one.model,
                "n_bands": one.n_bands,
                "classes": list(LAND_COVER),
                "columns": list(_COLUMNS),
                "table": _plain(one.table),
                "miou_by_group": {name: _plain(group) for name, group in one.by_group.items()},
                "miou_over_rule": one.over_rule and _plain(one.over_rule),
                "confusion": one.confusion.tolist(),
                "cpu_seconds_a_megapixel": one.seconds_a_megapixel,
            }
            for one in found.land_cover
        ],
        "change": [
            {
                "model": one.model,
                "threshold": one.threshold,
                "precision_recall_f1": _plain(one.scores),
                "f1_over_rule": one.over_rule and _plain(one.over_rule),
                "median_date_error_clear_observations": _or_none(one.median_date_error),
            }
            for one in found.change
        ],
        "radar_wet_season": [
            {
                "model": one.model,
                "precision_recall_f1": _plain(one.scores),
                "by_group": {name: _plain(group) for name, group in one.by_group.items()},
                "f1_over_rule": one.over_rule and _plain(one.over_rule),
                "inside_interval": _or_none(one.inside_interval),
                "median_passes_late": _or_none(one.median_passes_late),
            }
            for one in found.radar
        ],
        "fused": [
            {
                "land_cover": one.land_cover,
                "radar": one.radar,
                "ece_stated": _plain(one.stated_error),
                "ece_calibrated": _plain(one.calibrated_error),
                "seen_by": one.seen_by,
            }
            for one in found.fused
        ],
        "real": [vars(one) for one in found.real],
    }


def _plain(one: Estimate) -> dict[str, Any]:
    return {name: _nested(getattr(one, name).tolist()) for name in ("value", "low", "high")} | {
        "n_scenes": one.n_scenes
    }


def _nested(values: Any) -> Any:
    return [_nested(one) for one in values] if isinstance(values, list) else _or_none(values)


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value


def _figure(value: float, digits: int = 2) -> str:
    return "–" if math.isnan(value) else f"{value:.{digits}f}"


def _at(one: Estimate, *place: int) -> str:
    """Return a figure with its interval."""
    value, low, high = (float(np.asarray(end)[place]) for end in (one.value, one.low, one.high))
    if math.isnan(value):
        return "–"
    return f"{value:.3f} ({_figure(low, 3)} to {_figure(high, 3)})"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _confusion(one: LandCoverResult) -> dict[str, Any]:
    total = np.maximum(one.confusion.sum(axis=1, keepdims=True), 1)
    shares = one.confusion / total
    cells = [[_Cell(f"{share:.1%}", float(share)) for share in row] for row in shares]
    return {"model": one.model, "classes": one.classes, "rows": list(zip(LAND_COVER, cells))}  # noqa: B905


def _reliability(counts: np.ndarray[Any, np.dtype[np.float64]]) -> list[tuple[int, float, float]]:
    """Return observations, mean stated confidence and changed share of bins that have any."""
    return [(int(n), float(stated / n), float(changed / n)) for n, stated, changed in counts.T if n]
