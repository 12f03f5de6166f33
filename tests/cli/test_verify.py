"""``cvlarray verify``: what a stranger is told, and the exit codes."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from cvlarray.alerts.evidence import evidence_files
from cvlarray.alerts.evidence.seal import public_pem
from cvlarray.alerts.package import write_folder, zip_bytes
from cvlarray.cli.app import app
from cvlarray.errors import PackageError
from tests.alerts.dossiers import make_dossier, make_signer


@pytest.fixture
def package(tmp_path):
    signer = make_signer("Lab [bold]\x1b[31m")
    files = evidence_files(make_dossier(), signer)
    write_folder(files, tmp_path / "package")
    (tmp_path / "key.pem").write_bytes(public_pem(signer.public))
    (tmp_path / "other.pem").write_bytes(public_pem(make_signer().public))
    return tmp_path / "package"


def verify(*arguments):
    """Run the command in this process; `main` turns its errors into a line, as any command's."""
    return CliRunner().invoke(app, ["verify", *map(str, arguments)])


def test_intact_changed_other_key_and_no_package(package):
    key = package.parent / "key.pem"
    intact = verify(package, "--key", key)
    assert intact.exit_code == 0
    assert "valid, by the key you gave" in intact.stdout
    assert "Lab [bold]?[31m" in intact.stdout
    told = json.loads(verify(package, "--json").stdout)
    assert told["is_intact"]
    assert told["signature"] == "consistent"

    other = verify(package, "--key", package.parent / "other.pem")
    assert other.exit_code == 4
    assert "not by the key you gave" in other.stdout

    picture = package / "chips" / "after.png"
    picture.write_bytes(picture.read_bytes() + b"\0")
    changed = verify(package, "--key", key)
    assert changed.exit_code == 3
    assert "chips/after.png" in changed.stdout

    nothing = verify(package / "absent")
    assert nothing.exit_code == 1
    assert isinstance(nothing.exception, PackageError)


def test_a_zip_file_whose_container_was_changed(package):
    path = package.with_suffix(".zip")
    content = zip_bytes(
        {p.relative_to(package).as_posix(): p.read_bytes() for p in package.rglob("*.*")}
        | {"SHA256SUMS": (package / "SHA256SUMS").read_bytes()}
    )
    path.write_bytes(content)
    assert verify(path).exit_code == 0
    changed = bytearray(content)
    changed[10] ^= 1  # time of the first file
    path.write_bytes(changed)
    result = verify(path)
    assert result.exit_code == 3
    assert "the ZIP file itself" in result.stdout
