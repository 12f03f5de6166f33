"""A run on the terminal: a bar a stage with throughput and time left."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from cvlarray.pipeline.units import Stage, UnitOutcome, WorkUnit


class ThroughputColumn(ProgressColumn):
    """Million pixel-dates a second, over this run's own units."""

    def render(self, task: Task) -> Text:
        """Return the throughput so far, nothing before the first unit has ended."""
        n_pixels = task.fields["n_pixels"]
        if not n_pixels or not task.elapsed:
            return Text("")
        return Text(f"{n_pixels / task.elapsed / 1e6:.2f} Mpx·date/s", style="cyan")


class RichProgress:
    """Draws a run's progress; a stage that is done leaves its line."""

    def __init__(self, bars: Progress, console: Console) -> None:
        self._bars = bars
        self._console = console
        self._tasks: dict[Stage, TaskID] = {}

    def dashboard(self, link: str) -> None:
        """Print the address of the Dask dashboard."""
        self._console.print(f"Dask dashboard: {link}")

    def stage_started(self, stage: Stage, *, n_units: int, n_done: int) -> None:
        """Add the stage's bar, filled as far as an earlier run got."""
        note = f"{n_done} from an earlier run" if n_done else ""
        self._tasks[stage] = self._bars.add_task(
            str(stage), total=n_units, completed=n_done, n_pixels=0, note=note
        )

    def unit_done(self, unit: WorkUnit, outcome: UnitOutcome) -> None:
        """Advance the bar; name assets that stayed unread."""
        task = self._tasks[unit.stage]
        n_pixels = self._bars.tasks[task].fields["n_pixels"] + unit.n_pixels
        self._bars.update(task, advance=1, n_pixels=n_pixels)
        for asset in outcome.unread:
            self._console.print(
                f"[yellow]unread[/] {asset['scene_id']} {asset['band']}: {asset['reason']}"
            )

    def unit_failed(self, unit: WorkUnit, error: Exception) -> None:
        """Draw nothing: the command ends with the error."""

    def stage_done(self, stage: Stage, *, wall_s: float) -> None:  # noqa: ARG002 (protocol)
        """Stop the stage's clock."""
        self._bars.stop_task(self._tasks[stage])


@contextmanager
def run_display(console: Console) -> Iterator[RichProgress]:
    """Show bars while the block runs."""
    columns = (
        SpinnerColumn(finished_text="[green]✓[/]"),
        TextColumn("{task.description:<9}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        ThroughputColumn(),
        TextColumn("[dim]{task.fields[note]}"),
    )
    with Progress(*columns, console=console) as bars:
        yield RichProgress(bars, console)
