"""The list of a package's files with their hashes: what is signed."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from hashlib import sha256
from typing import Any

from cvlarray.alerts.package import Dossier, json_bytes
from cvlarray.errors import PackageError

__all__ = [
    "CHECKSUMS",
    "MANIFEST",
    "PUBLIC_KEY",
    "SEAL_FILES",
    "SIGNATURE",
    "TIMESTAMP",
    "checksums",
    "file_hashes",
    "make_manifest",
    "read_manifest",
]

FORMAT = "cvlarray-evidence/1"
CHECKSUMS = "SHA256SUMS"
"""The hashes of all files, for ``sha256sum -c``."""
TIMESTAMP = "SHA256SUMS.tsr"
"""RFC 3161 response over the bytes of the checksums."""
MANIFEST = "manifest.json"
"""The hashes of all files, of the two above too, and what they are."""
SIGNATURE = "manifest.sig"
"""Ed25519 over the bytes of the manifest, 64 bytes."""
PUBLIC_KEY = "signer.pem"
SEAL_FILES = (MANIFEST, SIGNATURE, PUBLIC_KEY)
"""Files that the manifest can't list."""


def make_manifest(
    dossier: Dossier,
    files: Mapping[str, bytes],
    *,
    inputs: Collection[str],
    signer: str,
    key_sha256: str,
) -> bytes:
    """Return the manifest of a package.

    Parameters
    ----------
    dossier
        The alert.
    files
        Every file of the package but those of the seal.
    inputs
        Paths of those that the alert was made from; the others were made from it.
    signer
        Name of who signs.
    key_sha256
        Fingerprint of the key; see `cvlarray.alerts.evidence.seal.fingerprint`.
    """
    return json_bytes(
        {
            "format": FORMAT,
            "alert": {"event_id": dossier.event_id, "version": dossier.version},
            "created": dossier.made_at.isoformat(),
            "software": dossier.software,
            "model": dossier.model,
            "signer": {"name": signer, "key_sha256": key_sha256},
            "files": [
                {
                    "path": path,
                    "role": "input" if path in inputs else "output",
                    "size": len(content),
                    "sha256": sha256(content).hexdigest(),
                }
                for path, content in sorted(files.items())
            ],
            "references": [
                {
                    "kind": source.kind,
                    "name": source.name,
                    "sha256": source.sha256,
                    **source.detail,
                }
                for source in dossier.references
            ],
        }
    )


def read_manifest(content: bytes) -> dict[str, Any]:
    """Return a manifest as a mapping.

    Raises
    ------
    PackageError
        If it isn't one of this format.
    """
    try:
        manifest = json.loads(content)
        is_known = manifest["format"] == FORMAT
        file_hashes(manifest)
        signer = manifest["signer"]["name"], manifest["signer"]["key_sha256"]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise PackageError(f"{MANIFEST}: expected a manifest, got something else") from None
    if not is_known or not all(isinstance(text, str) for text in signer):
        raise PackageError(f"{MANIFEST}: expected {FORMAT}, got {str(manifest['format'])[:40]!r}")
    return dict(manifest)


def file_hashes(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return the SHA-256 of each listed file, by path."""
    return {str(entry["path"]): str(entry["sha256"]) for entry in manifest["files"]}


def checksums(files: Mapping[str, bytes]) -> bytes:
    """Return the hashes of files in the form that ``sha256sum -c`` reads."""
    lines = (f"{sha256(content).hexdigest()}  {path}\n" for path, content in sorted(files.items()))
    return "".join(lines).encode()
