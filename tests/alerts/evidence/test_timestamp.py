"""Time stamps by a real authority (openssl), checked by it and by us."""

from __future__ import annotations

import datetime as dt
import shutil
import subprocess

import pytest
from cryptography import x509

from cvlarray.alerts.evidence import evidence_files, verify_package
from cvlarray.alerts.evidence.timestamp import check_timestamp, request_timestamp, stated_time
from cvlarray.alerts.package import zip_bytes
from cvlarray.errors import PackageError
from tests.alerts.dossiers import make_dossier, make_signer
from tests.alerts.evidence.authority import Authority, running_authority


@pytest.fixture(scope="module")
def authority(require_component, tmp_path_factory):
    require_component("openssl", shutil.which("openssl"), "apt-get install -y openssl")
    with running_authority(tmp_path_factory.mktemp("tsa")) as running:
        yield running


@pytest.fixture(scope="module")
def roots(authority):
    return [x509.load_pem_x509_certificate(authority.root.read_bytes())]


@pytest.fixture(scope="module")
def files(authority):
    return evidence_files(make_dossier(), make_signer(timestamp_url=authority.url))


def saved(files, folder):
    path = folder / "package.zip"
    path.write_bytes(zip_bytes(files))
    return path


def test_a_stamped_package(files, roots, tmp_path):
    path = saved(files, tmp_path)
    trusted = verify_package(path, tsa_roots=roots)
    assert trusted.is_intact
    assert trusted.timestamp.is_trusted
    age = dt.datetime.now(dt.UTC) - trusted.timestamp.time
    assert dt.timedelta(seconds=-2) < age < dt.timedelta(minutes=5)
    assert not verify_package(path).timestamp.is_trusted


def test_openssl_accepts_it(files, authority, tmp_path):
    (tmp_path / "sums").write_bytes(files["SHA256SUMS"])
    (tmp_path / "stamp").write_bytes(files["SHA256SUMS.tsr"])
    command = ["openssl", "ts", "-verify", "-data", "sums", "-in", "stamp", "-CAfile"]
    told = subprocess.run(
        [*command, authority.root], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (told.returncode, told.stdout.strip()) == (0, "Verification: OK"), told.stderr


def test_of_other_content(files, roots, tmp_path):
    other = files["SHA256SUMS"] + b"x"
    with pytest.raises(PackageError, match="other content"):
        stated_time(files["SHA256SUMS.tsr"], other)
    found = verify_package(saved({**files, "SHA256SUMS": other}, tmp_path), tsa_roots=roots)
    assert not found.is_stamped
    assert found.changed == ("SHA256SUMS",)


def test_by_an_authority_nobody_trusts(files, tmp_path):
    stranger = Authority(tmp_path)
    root = x509.load_pem_x509_certificate(stranger.root.read_bytes())
    with pytest.raises(PackageError, match="isn't valid"):
        check_timestamp(files["SHA256SUMS.tsr"], files["SHA256SUMS"], [root])


def test_changed_in_any_part(files, roots, tmp_path):
    stamp = files["SHA256SUMS.tsr"]
    for position in range(0, len(stamp), 97):
        changed = bytearray(stamp)
        changed[position] ^= 1
        found = verify_package(saved({**files, "SHA256SUMS.tsr": bytes(changed)}, tmp_path))
        assert found.changed == ("SHA256SUMS.tsr",)


def test_an_authority_that_refuses_or_is_gone(authority, monkeypatch):
    monkeypatch.setattr(authority, "status", 503)
    with pytest.raises(PackageError, match="answered 503"):
        request_timestamp(authority.url, b"x")
    with pytest.raises(PackageError, match="can't be reached"):
        request_timestamp("http://127.0.0.1:9/", b"x")
