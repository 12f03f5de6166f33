"""Tampering is noticed, in every file and every byte, and located."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvlarray.alerts.evidence import Signer, evidence_files, verify_package
from cvlarray.alerts.evidence.seal import fingerprint, public_pem
from cvlarray.alerts.evidence.verify import SignatureState
from cvlarray.alerts.package import write_folder, zip_bytes
from cvlarray.errors import PackageError
from tests.alerts.dossiers import make_dossier, make_signer

SIGNER = make_signer()
FILES = evidence_files(make_dossier(), SIGNER)
ZIPPED = zip_bytes(FILES)
SEAL = ("manifest.json", "manifest.sig", "signer.pem")


def check(files, tmp_path, **options):
    folder = tmp_path / "package"
    shutil.rmtree(folder, ignore_errors=True)
    for name, content in files.items():  # without waiting for the disk
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return verify_package(folder, **options)


def flipped(content: bytes, position: int) -> bytes:
    changed = bytearray(content)
    changed[position] ^= 1
    return bytes(changed)


def test_an_untouched_package(tmp_path):
    found = check(FILES, tmp_path, key_pem=public_pem(SIGNER.public))
    assert found.is_intact
    assert found.signature is SignatureState.TRUSTED
    assert found.signer == "Canopy Vision Lab"
    assert found.key_sha256 == fingerprint(SIGNER.public)
    assert found.event_id == make_dossier().event_id
    assert found.timestamp is None
    path = tmp_path / "package.zip"
    path.write_bytes(ZIPPED)
    assert verify_package(path) == check(FILES, tmp_path)
    assert verify_package(path).signature is SignatureState.CONSISTENT


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("where", ["first", "middle", "last"])
def test_a_changed_byte_is_located(name, where, tmp_path):
    content = FILES[name]
    middle = content.index(b"Canopy") if name == "manifest.json" else len(content) // 2
    position = {"first": 0, "middle": middle, "last": len(content) - 1}[where]
    changed = {**FILES, name: flipped(content, position)}
    if name == "manifest.json" and where != "middle":  # no JSON any more
        with pytest.raises(PackageError, match="manifest"):
            check(changed, tmp_path)
        return
    found = check(changed, tmp_path)
    assert not found.is_intact
    assert any(name in told for told in found.changed)
    if name in SEAL:
        assert not found.is_signed or name == "signer.pem"
    else:
        assert found.changed == (name,)
        assert found.is_signed


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(name, tmp_path):
    rest = {each: content for each, content in FILES.items() if each != name}
    if name == "manifest.json":
        with pytest.raises(PackageError, match=r"got no manifest\.json"):
            check(rest, tmp_path)
        return
    found = check(rest, tmp_path)
    assert found.missing == (name,)
    assert not found.is_intact


def test_a_cut_and_an_added_file(tmp_path):
    cut = check({**FILES, "report_es.pdf": FILES["report_es.pdf"][:-1]}, tmp_path)
    assert cut.changed == ("report_es.pdf",)
    added = check({**FILES, "chips/new.png": b"x"}, tmp_path)
    assert added.unexpected == ("chips/new.png",)
    assert not added.is_intact


@settings(max_examples=150)
@given(position=st.integers(0, len(ZIPPED) - 1))
def test_no_byte_of_a_zip_file_can_change_unnoticed(position, tmp_path_factory):
    path = tmp_path_factory.mktemp("zip") / "package.zip"
    path.write_bytes(flipped(ZIPPED, position))
    try:
        found = verify_package(path)
    except PackageError:
        return
    assert not found.is_intact


def test_bytes_after_the_zip_file_are_noticed(tmp_path):
    path = tmp_path / "package.zip"
    path.write_bytes(ZIPPED + b"\0")
    assert verify_package(path).container_changed


def test_signed_anew_by_somebody_else(tmp_path):
    thief = make_signer()
    dossier = make_dossier(area_m2=1.0)
    forged = evidence_files(dossier, thief)
    own = check(forged, tmp_path)
    assert own.is_intact
    assert own.signature is SignatureState.CONSISTENT
    against = check(forged, tmp_path, key_pem=public_pem(SIGNER.public))
    assert against.signature is SignatureState.OTHER_KEY
    assert not against.is_signed
    # His key swapped for the signer's: the signature no longer fits.
    swapped = check({**forged, "signer.pem": FILES["signer.pem"]}, tmp_path)
    assert not swapped.is_intact
    assert swapped.signature is SignatureState.INVALID


def test_a_key_that_is_none(tmp_path):
    with pytest.raises(PackageError, match="Ed25519 public key"):
        check(FILES, tmp_path, key_pem=b"-----BEGIN PUBLIC KEY-----\n")


def test_a_manifest_of_something_else(tmp_path):
    for content in (b"", b"[]", b"{}", b'{"format": "other/9", "files": [], "signer": {}}'):
        with pytest.raises(PackageError, match="manifest"):
            check({**FILES, "manifest.json": content}, tmp_path)


def test_the_private_key_is_never_repeated():
    secret = "-----BEGIN PRIVATE KEY-----\nMC4CAQ-secret\n-----END PRIVATE KEY-----\n"
    with pytest.raises(PackageError) as caught:
        Signer.from_pem("x", secret)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert repr(SIGNER) == "Signer(name='Canopy Vision Lab', timestamp_url=None)"


def test_openssl_and_sha256sum_agree(tmp_path, require_component):
    require_component("openssl", shutil.which("openssl"), "apt-get install -y openssl")
    folder = tmp_path / "package"
    write_folder(FILES, folder)
    command = [
        "openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "signer.pem", "-rawin",
        "-in", "manifest.json", "-sigfile", "manifest.sig",
    ]  # fmt: skip

    def run(*arguments):
        return subprocess.run(arguments, cwd=folder, capture_output=True, text=True, check=False)

    assert run(*command).returncode == 0
    assert run("sha256sum", "-c", "SHA256SUMS").returncode == 0
    (folder / "prov.json").write_bytes(flipped(FILES["prov.json"], 5))
    assert "prov.json: FAILED" in run("sha256sum", "-c", "SHA256SUMS").stdout
    (folder / "manifest.json").write_bytes(flipped(FILES["manifest.json"], 5))
    assert run(*command).returncode != 0


def test_a_key_made_by_openssl_signs(tmp_path, require_component):
    require_component("openssl", shutil.which("openssl"), "apt-get install -y openssl")
    made = subprocess.run(
        ["openssl", "genpkey", "-algorithm", "ed25519"], capture_output=True, text=True, check=True
    )
    signer = Signer.from_pem("Fiscalía", made.stdout)
    found = check(evidence_files(make_dossier(), signer), tmp_path)
    assert (found.signer, found.signature) == ("Fiscalía", SignatureState.CONSISTENT)
    other = subprocess.run(
        ["openssl", "genpkey", "-algorithm", "x25519"], capture_output=True, text=True, check=True
    )
    with pytest.raises(PackageError, match="Ed25519"):
        Signer.from_pem("x", other.stdout)
