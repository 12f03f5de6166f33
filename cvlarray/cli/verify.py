"""``cvlarray verify PACKAGE``: has a byte changed, and where; whose signature is it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cvlarray.errors import PackageError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from cvlarray.alerts.evidence import Verification

EXIT_CHANGED, EXIT_SIGNATURE, EXIT_TIMESTAMP = 3, 4, 5

HELP = (
    "Check an evidence package, a folder or a ZIP file, offline. Exit codes: 0 all is as it was "
    f"signed; 1 it can't be read as a package; {EXIT_CHANGED} files were changed, removed or "
    f"added; {EXIT_SIGNATURE} the signature is absent, invalid, or by another key than --key; "
    f"{EXIT_TIMESTAMP} the time stamp isn't valid."
)


def verify(
    package: Annotated[Path, typer.Argument(help="Folder or ZIP file.", show_default=False)],
    key: Annotated[
        Path | None,
        typer.Option(help="The signer's public key (PEM), had by another way than the package."),
    ] = None,
    tsa: Annotated[
        Path | None, typer.Option(help="Root certificates (PEM) of trusted time stamp authorities.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check a package and say what was found."""
    from cvlarray.alerts.evidence import verify_package  # noqa: PLC0415 (an extra)

    found = verify_package(
        package,
        key_pem=None if key is None else _read(key),
        tsa_roots=[] if tsa is None else _certificates(_read(tsa), tsa),
    )
    if as_json:
        typer.echo(json.dumps(_plain(found), indent=2))
    else:
        Console(soft_wrap=True).print(_table(found))
    code = _exit_code(found)
    if code:
        raise typer.Exit(code)


def _exit_code(found: Verification) -> int:
    if not found.is_intact:
        return EXIT_CHANGED
    if not found.is_signed:
        return EXIT_SIGNATURE
    return 0 if found.is_stamped else EXIT_TIMESTAMP


def _table(found: Verification) -> Table:
    table = Table(show_header=False, box=None)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    table.add_row("alert", _as_text(f"{found.event_id}, version {found.version}"))
    table.add_row("files", "all as in the manifest" if found.is_intact else "[red]not intact[/]")
    for kind in ("changed", "missing", "unexpected"):
        for name in getattr(found, kind):
            table.add_row(f"[red]{kind}[/]", _as_text(name))
    if found.container_changed:
        table.add_row("[red]changed[/]", "the ZIP file itself, outside its files")
    colour = "green" if found.is_signed else "red"
    table.add_row("signature", f"[{colour}]{found.signature}[/]")
    table.add_row("signer", _as_text(f"{found.signer}, key {found.key_sha256}"))
    stamp = found.timestamp
    if stamp is not None:
        trust = "trusted" if stamp.is_trusted else "authority not checked; name its root with --tsa"
        table.add_row("time stamp", f"{stamp.time} ({trust})" if stamp.time else stamp.problem)
    return table


def _as_text(words: str) -> str:
    """Return words of a stranger's so that they neither colour nor command the terminal."""
    return escape("".join(char if char.isprintable() else "?" for char in words))


def _plain(found: Verification) -> dict[str, Any]:
    plain = asdict(found) | {
        "is_intact": found.is_intact,
        "is_signed": found.is_signed,
        "is_stamped": found.is_stamped,
        "signature": found.signature.name.lower(),
    }
    if found.timestamp is not None and found.timestamp.time is not None:
        plain["timestamp"]["time"] = found.timestamp.time.isoformat()
    return plain


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise PackageError(f"{path}: expected a readable file: {error.strerror}") from error


def _certificates(pem: bytes, path: Path) -> list[Certificate]:
    from cryptography.x509 import load_pem_x509_certificates  # noqa: PLC0415 (an extra)

    try:
        return load_pem_x509_certificates(pem)
    except ValueError as error:
        raise PackageError(f"{path}: expected certificates as PEM: {error}") from error
