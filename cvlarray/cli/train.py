"""``cvlarray train`` and ``promote``: from a YAML to a checkpoint, and from there to the runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from cvlarray.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cvlarray.config.train import TrainConfig
    from cvlarray.models.card import Card

__all__ = ["HELP", "PROMOTE_HELP", "promote", "train"]

HELP = "Train a model and write its checkpoint; run again, it goes on where it stopped."
EXIT_NOT_PROMOTED = 4
PROMOTE_HELP = (
    "Put a training's checkpoint in the place of the one at work, which is kept beside, unless "
    "precision on the training's test chips would fall. Exit codes: 0 it is at work; "
    f"{EXIT_NOT_PROMOTED} it would fall."
)

console = Console(stderr=True)


def train(
    config: Annotated[Path, typer.Argument(help="The training's YAML.", show_default=False)],
    workspace: Annotated[
        Path | None, typer.Option(help="Folder of the training, instead of the YAML's.")
    ] = None,
) -> None:
    """Train a model."""
    settings = _load(config, workspace)
    try:
        card, confusion = _fit(settings, f"cvlarray train {config}")
    except KeyboardInterrupt:
        console.print("stopped; run the same command again to go on where it stopped")
        raise typer.Exit(130) from None
    except ValueError as error:
        raise ConfigError(f"{config}: {error}") from error
    console.print(_scores(card, confusion))
    typer.echo(f"checkpoint: {settings.workspace / 'checkpoint'}")


def promote(
    config: Annotated[Path, typer.Argument(help="The training's YAML.", show_default=False)],
    checkpoint: Annotated[
        Path, typer.Argument(help="Folder that runs read their checkpoint from.")
    ],
    workspace: Annotated[
        Path | None, typer.Option(help="Folder of the training, instead of the YAML's.")
    ] = None,
) -> None:
    """Put a training's checkpoint to work."""
    settings = _load(config, workspace)
    from cvlarray.pipeline.promote import promote as promoted  # noqa: PLC0415 (loads torch)

    try:
        decision = promoted(
            settings.aim(f"cvlarray train {config}"), settings.workspace, checkpoint
        )
    except ValueError as error:
        raise ConfigError(f"{config}: {error}") from error
    typer.echo(f"{'promoted' if decision.may_promote else 'not promoted'}: {decision.reason}")
    if not decision.may_promote:
        raise typer.Exit(EXIT_NOT_PROMOTED)


def _load(config: Path, workspace: Path | None) -> TrainConfig:
    try:
        from cvlarray.config.train import load_training  # noqa: PLC0415 (loads torch)
    except ImportError as error:
        raise MissingExtraError(
            "training needs torch; install it with: pip install 'cvlarray[models]'"
        ) from error
    overrides = {} if workspace is None else {"workspace": str(workspace.resolve())}
    return load_training(config, overrides)


def _fit(settings: TrainConfig, command: str) -> tuple[Card, NDArray[np.int64]]:
    from cvlarray.training.fit import fit  # noqa: PLC0415 (loads torch)

    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
    ) as bars:
        return fit(settings.aim(command), settings.workspace, listener=TrainingBar(bars))


class TrainingBar:
    """Draws a training: steps, time left, loss, and the best validation so far."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._task = bars.add_task("chips", total=None, note="")
        self._best = ""

    def step_done(self, step: int, n_steps: int, loss: float) -> None:
        """Advance the bar."""
        note = f"loss {loss:.3f}{self._best}"
        self._bars.update(self._task, description="steps", completed=step, total=n_steps, note=note)

    def validated(self, step: int, score: float, *, is_best: bool) -> None:
        """Name the best validation."""
        if is_best:
            self._best = f", best mean IoU {score:.3f} at step {step}"


def _scores(card: Card, confusion: NDArray[np.int64]) -> Table:
    from cvlarray.training.scores import class_scores  # noqa: PLC0415 (loads the chips)

    scores = class_scores(confusion)
    table = Table(title=f"{card.name} on its test chips", title_justify="left")
    table.add_column("class", style="bold")
    for heading in scores:
        table.add_column(heading, justify="right")
    for place, name in enumerate(card.classes):
        table.add_row(name, *(f"{values[place]:.3f}" for values in scores.values()))
    return table
