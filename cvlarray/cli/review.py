"""The commands of the verification page: serve it, invite to it, read its verdicts."""

from __future__ import annotations

import socket
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated

import typer

from cvlarray.config import load_config
from cvlarray.errors import CvlarrayError, MissingExtraError

if TYPE_CHECKING:
    from cvlarray.review import ReviewSettings

__all__ = ["invite", "labels", "review"]

ConfigPath = Annotated[Path, typer.Argument(help="The run's YAML.", show_default=False)]
WorkspaceOption = Annotated[
    Path | None, typer.Option("--workspace", help="Folder of the run, instead of the YAML's.")
]
PublicUrl = Annotated[
    str | None,
    typer.Option("--public-url", help="Where reviewers reach the page, if not where it listens."),
]

HOST = "127.0.0.1"
PORT = 8765
OPERATOR_LINK = timedelta(hours=1)


def review(
    config: ConfigPath,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = HOST,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = PORT,
    public_url: PublicUrl = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Serve the verification page of a run; prints a link that lets you in."""
    page = _page()
    with _listening(host, port) as listener:
        url = public_url or f"http://{host}:{listener.getsockname()[1]}"
        settings = _settings(page, config, workspace, url)
        link = page.review_link(
            settings, partner="", reviewer=None, event_id=None, valid=OPERATOR_LINK
        )
        typer.echo(f"open within the hour: {link}")
        page.serve(settings, listener)


def invite(
    config: ConfigPath,
    partner: Annotated[str, typer.Option(help="Name of the partner in the YAML.")],
    reviewer: Annotated[
        str | None, typer.Option("--for", help="The person, as the log will name them.")
    ] = None,
    event_id: Annotated[
        str | None, typer.Option("--event", help="Opens this alert only; else all of theirs.")
    ] = None,
    days: Annotated[float, typer.Option(min=0.01, max=366, help="Days until it expires.")] = 7,
    public_url: PublicUrl = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Print a link that lets a partner in, once."""
    page = _page()
    settings = _settings(page, config, workspace, public_url or f"http://{HOST}:{PORT}")
    link = page.review_link(
        settings,
        partner=partner,
        reviewer=reviewer,
        event_id=event_id,
        valid=timedelta(days=days),
    )
    typer.echo(link)


def labels(
    config: ConfigPath,
    output: Annotated[Path, typer.Argument(help="GeoParquet to write.", show_default=False)],
    days: Annotated[int, typer.Option(min=1, help="Verdicts of so many days up to now.")] = 90,
    workspace: WorkspaceOption = None,
) -> None:
    """Write the reviewers' verdicts as a labelled set for training."""
    page = _page()
    settings = _settings(page, config, workspace, f"http://{HOST}:{PORT}")
    n_changes, n_negatives = page.write_labels(settings, output, window_days=days)
    typer.echo(f"{n_changes} changes and {n_negatives} verified negatives: {output}")


def _page() -> ModuleType:
    """Return what serves the page, which needs an extra."""
    try:
        from cvlarray.pipeline import review as page  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtraError(
            "the verification page needs FastAPI; install it with: pip install 'cvlarray[review]'"
        ) from error
    return page


def _settings(
    page: ModuleType, config: Path, workspace: Path | None, public_url: str
) -> ReviewSettings:
    overrides = {"workspace": str(workspace.resolve())} if workspace else {}
    settings: ReviewSettings = page.review_settings(load_config(config, overrides), public_url)
    return settings


def _listening(host: str, port: int) -> socket.socket:
    """Listen before anything is promised, so that a taken port is said at once."""
    try:
        return socket.create_server((host, port), backlog=128)
    except OSError as error:
        raise CvlarrayError(
            f"cannot listen on {host}:{port}: {error.strerror}; choose another --port"
        ) from error
