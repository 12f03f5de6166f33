"""``cvlarray evaluate``: models over regions that none was trained on, as one page of figures."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

if TYPE_CHECKING:
    from cvlarray.evaluation import Estimate, Evaluation
    from cvlarray.evaluation.results import ChangeResult, RadarResult
    from cvlarray.models import Model

__all__ = ["evaluate"]


def evaluate(
    folder: Annotated[Path, typer.Argument(help="Where to write index.html and evaluation.json.")],
    models: Annotated[
        list[Path] | None,
        typer.Option(
            "--model", help="A checkpoint; may be repeated. The rules come by themselves."
        ),
    ] = None,
    regions: Annotated[int, typer.Option(min=2, help="Simulated regions to look at.")] = 16,
    size_px: Annotated[int, typer.Option(min=64, help="Their side in pixels of 10 m, even.")] = 384,
    real: Annotated[
        Path | None, typer.Option(help="Folder with csmask_chips and opera_s1, real data.")
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="Label chips by two annotators, for Cohen's kappa.")
    ] = None,
) -> None:
    """Measure models on simulated regions held out by seed and by ranges, and on real data."""
    from cvlarray.evaluation import HeldOut, write_page  # noqa: PLC0415 (loads the kernels)
    from cvlarray.evaluation import evaluate as evaluated  # noqa: PLC0415

    console = Console(stderr=True)
    with _progress(console) as on_region:
        try:
            found = evaluated(
                _loaded(models or []),
                HeldOut(regions, size_px),
                real_data=real,
                labels=labels,
                on_region=on_region,
            )
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error
    page = write_page(found, folder, shlex.join(["cvlarray", *sys.argv[1:]]))
    Console().print(_table(found))
    typer.echo(page)


def _loaded(folders: Sequence[Path]) -> list[Model]:
    """Return checkpoints as models; torch is needed only where there is one."""
    if not folders:
        return []
    from cvlarray.models.torch_model import load_model  # noqa: PLC0415 (extra models)

    return [load_model(folder) for folder in folders]


@contextmanager
def _progress(console: Console) -> Iterator[Any]:
    """Yield what is told of each region; shows time left."""
    columns = (
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"),
        TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("regions", total=None)

        def on_region(name: str, done: int, total: int) -> None:
            progress.update(task, description=name, completed=done, total=total)

        yield on_region


def _table(found: Evaluation) -> Table:
    table = Table(
        title=f"{found.n_regions} simulated regions, 95 % intervals", title_justify="left"
    )
    table.add_column("model", style="bold")
    for heading in ("figure", "value", "low", "high", "over the rule, low"):
        table.add_column(heading, justify="right")
    for one in found.land_cover:
        _add(table, one.model, "mean IoU", _ends(one.table, 5, 0), one.over_rule)
    binary: list[ChangeResult | RadarResult] = [*found.change, *found.radar]
    for change in binary:
        for place, name in enumerate(("precision", "recall", "F1")):
            over = change.over_rule if name == "F1" else None
            _add(table, change.model, name, _ends(change.scores, place), over)
    for fused in found.fused:
        _add(table, "fused, calibrated", "ECE", _ends(fused.calibrated_error), None)
    if found.kappa is not None:
        table.add_row("annotators", "Cohen's kappa", f"{found.kappa:.3f}", "", "", "")
    return table


def _ends(estimated: Estimate, *place: int) -> tuple[float, float, float]:
    value, low, high = (
        float(one[place]) for one in (estimated.value, estimated.low, estimated.high)
    )
    return value, low, high


def _add(
    table: Table, model: str, figure: str, ends: tuple[float, float, float], over: Estimate | None
) -> None:
    least = "" if over is None else f"{float(over.low):+.3f}"
    table.add_row(model, figure, *(f"{end:.3f}" for end in ends), least)
