"""``cvlarray deliver`` and ``cvlarray package``: alerts to partners, and one alert to a folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.markup import escape

from cvlarray.alerts.route import PackageFormat

if TYPE_CHECKING:
    from cvlarray.alerts.deliver import Attempt
    from cvlarray.config import RunConfig

__all__ = ["deliver_command", "package_command"]

EXIT_UNDELIVERED = 3

DELIVER_HELP = (
    "Send each partner the alerts it hasn't had, and what waits since an earlier failure. Exit "
    f"codes: 0 all was sent; {EXIT_UNDELIVERED} something waits to be tried again."
)


def deliver_command(config: RunConfig, console: Console, *, try_all: bool) -> None:
    """Deliver a run's alerts, a line an attempt; what failed is sent again another time."""
    from cvlarray.pipeline.deliver import deliver_alerts  # noqa: PLC0415 (HTTP, mail, pictures)

    left = deliver_alerts(config, told=_teller(console), try_all=try_all)
    if left:
        console.print(f"{len(left)} messages wait to be tried again; run the same command later")
        raise typer.Exit(EXIT_UNDELIVERED)


def package_command(
    config: RunConfig, event_id: str, folder: Path, *, form: PackageFormat, is_zipped: bool
) -> None:
    """Write one alert's package."""
    from cvlarray.pipeline.deliver import make_package  # noqa: PLC0415 (HTTP, mail, pictures)

    typer.echo(make_package(config, event_id, folder, form=form, is_zipped=is_zipped))


def _teller(console: Console) -> Callable[[Attempt], None]:
    def tell(attempt: Attempt) -> None:
        where, what = escape(attempt.entry.destination), escape(attempt.entry.subject)
        if attempt.error is None:
            console.print(f"[green]sent[/] {where}: {what}")
        else:
            console.print(f"[yellow]waits[/] {where}: {what}: {escape(attempt.error)}")

    return tell
