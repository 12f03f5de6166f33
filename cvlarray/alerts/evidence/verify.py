"""Tell a stranger whether a package is as it was signed, and if not, where it differs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from cvlarray.alerts.evidence.manifest import (
    CHECKSUMS,
    MANIFEST,
    PUBLIC_KEY,
    SEAL_FILES,
    SIGNATURE,
    TIMESTAMP,
    file_hashes,
    read_manifest,
)
from cvlarray.alerts.evidence.seal import fingerprint, is_signed_by, public_key, public_pem
from cvlarray.alerts.evidence.timestamp import check_timestamp, stated_time
from cvlarray.alerts.package import read_package, zip_bytes
from cvlarray.errors import PackageError

__all__ = ["SignatureState", "TimeStamp", "Verification", "verify_package"]


class SignatureState(StrEnum):
    """What the signature is worth."""

    TRUSTED = "valid, by the key you gave"
    CONSISTENT = "valid, by the key in the package; nobody vouches for that key yet"
    OTHER_KEY = "not by the key you gave"
    INVALID = "not valid"
    ABSENT = "absent"


@dataclass(frozen=True)
class TimeStamp:
    """What a time stamp says."""

    time: dt.datetime | None
    """None where the time stamp isn't valid."""
    is_trusted: bool
    """Whether an authority under one of the given roots vouches for it."""
    problem: str | None = None


@dataclass(frozen=True)
class Verification:
    """What a check of a package found."""

    changed: tuple[str, ...]
    """Files that aren't what the manifest says."""
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    """Files that the manifest doesn't know."""
    container_changed: bool
    """Whether a ZIP file's own bytes, outside its files, were changed."""
    signature: SignatureState
    signer: str
    """Name of the signer, as the manifest has it."""
    key_sha256: str
    """Fingerprint of the key that the manifest names."""
    event_id: str
    version: str
    timestamp: TimeStamp | None
    """None for a package without."""

    @property
    def is_intact(self) -> bool:
        """Whether all files are there, unchanged, and no other."""
        return not (self.changed or self.missing or self.unexpected or self.container_changed)

    @property
    def is_signed(self) -> bool:
        """Whether the signature is valid and, if a key was given, by that key."""
        return self.signature in {SignatureState.TRUSTED, SignatureState.CONSISTENT}

    @property
    def is_stamped(self) -> bool:
        """Whether the time stamp, if there is one, is valid."""
        return self.timestamp is None or self.timestamp.time is not None


def verify_package(
    path: Path, *, key_pem: bytes | None = None, tsa_roots: Sequence[x509.Certificate] = ()
) -> Verification:
    """Check a package, a folder or a ZIP file, against its manifest, signature and time stamp.

    Parameters
    ----------
    path
        The package.
    key_pem
        Public key of the signer, had by another way; without it the package is only held against
        itself.
    tsa_roots
        Root certificates of time stamp authorities that are trusted.

    Raises
    ------
    PackageError
        If it can't be read at all, or has no readable manifest.
    """
    files = read_package(path)
    if MANIFEST not in files:
        raise PackageError(f"{path}: expected an evidence package, got no {MANIFEST} in it")
    manifest = read_manifest(files[MANIFEST])
    expected = file_hashes(manifest)
    sealed = {name: content for name, content in files.items() if name not in SEAL_FILES}
    differing = [
        name
        for name in sealed
        if name in expected and sha256(sealed[name]).hexdigest() != expected[name]
    ]
    state, unsound = _signature(files, manifest["signer"]["key_sha256"], key_pem)
    return Verification(
        changed=tuple(sorted({*differing, *unsound})),
        missing=tuple(sorted({*expected, *SEAL_FILES} - {*files})),
        unexpected=tuple(sorted({*sealed} - {*expected})),
        container_changed=path.is_file() and zip_bytes(files) != path.read_bytes(),
        signature=state,
        signer=manifest["signer"]["name"],
        key_sha256=manifest["signer"]["key_sha256"],
        event_id=str(manifest["alert"]["event_id"]),
        version=str(manifest["alert"]["version"]),
        timestamp=_timestamp(files, tsa_roots),
    )


def _signature(
    files: dict[str, bytes], key_sha256: str, key_pem: bytes | None
) -> tuple[SignatureState, list[str]]:
    """Return what the signature is worth, and which files of the seal can't be what they were.

    The manifest names the key by its fingerprint, so that of key, signature and manifest the one
    can be told that disagrees with the other two, unless two of them were changed.
    """
    own = _own_key(files)
    trusted = None if key_pem is None else public_key(key_pem)
    key = trusted or own
    if SIGNATURE not in files or key is None:
        return SignatureState.ABSENT, [PUBLIC_KEY] if PUBLIC_KEY in files else []
    is_valid = is_signed_by(key, files[SIGNATURE], files[MANIFEST])
    is_named = own is not None and fingerprint(own) == key_sha256
    unsound = [] if is_named or PUBLIC_KEY not in files else [PUBLIC_KEY]
    if is_valid:
        return (SignatureState.TRUSTED if trusted else SignatureState.CONSISTENT), unsound
    if trusted and own and is_signed_by(own, files[SIGNATURE], files[MANIFEST]):
        return SignatureState.OTHER_KEY, unsound
    return SignatureState.INVALID, unsound or [f"{MANIFEST} or {SIGNATURE}"]


def _own_key(files: dict[str, bytes]) -> Ed25519PublicKey | None:
    """Return the key in the package, None where there is none in the one form that is written."""
    try:
        key = public_key(files[PUBLIC_KEY])
    except (KeyError, PackageError):
        return None
    return key if public_pem(key) == files[PUBLIC_KEY] else None


def _timestamp(files: dict[str, bytes], tsa_roots: Sequence[x509.Certificate]) -> TimeStamp | None:
    if TIMESTAMP not in files:
        return None
    response, content = files[TIMESTAMP], files.get(CHECKSUMS, b"")
    try:
        if tsa_roots:
            return TimeStamp(check_timestamp(response, content, tsa_roots), is_trusted=True)
        return TimeStamp(stated_time(response, content), is_trusted=False)
    except PackageError as error:
        return TimeStamp(None, is_trusted=False, problem=str(error))
