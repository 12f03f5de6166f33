"""Who vouches for a package: an Ed25519 signature, and a time stamp by somebody else."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from cvlarray.errors import PackageError

__all__ = ["Signer", "fingerprint", "is_signed_by", "public_key", "public_pem"]


@dataclass(frozen=True)
class Signer:
    """Who signs evidence packages."""

    name: str
    """Organisation or person, as a stranger should know it."""
    key: Ed25519PrivateKey = field(repr=False)
    timestamp_url: str | None = None
    """RFC 3161 authority that is asked for a time stamp; None: none."""

    @classmethod
    def from_pem(cls, name: str, pem: str, *, timestamp_url: str | None = None) -> Signer:
        """Return the signer whose private key is given.

        Raises
        ------
        PackageError
            If it isn't an unencrypted Ed25519 private key as PEM; its text is never repeated.
        """
        try:
            key = serialization.load_pem_private_key(pem.encode(), None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            key = None
        if not isinstance(key, Ed25519PrivateKey):
            raise PackageError(
                "the signing key must be an unencrypted Ed25519 private key as PEM; make one with: "
                "openssl genpkey -algorithm ed25519 -out key.pem"
            ) from None
        return cls(name, key, timestamp_url)

    @property
    def public(self) -> Ed25519PublicKey:
        """The key by which others check."""
        return self.key.public_key()

    def sign(self, content: bytes) -> bytes:
        """Return the signature of ``content``, 64 bytes; the same content gives the same one."""
        return self.key.sign(content)


def public_key(pem: bytes) -> Ed25519PublicKey:
    """Return the Ed25519 public key that a PEM file holds.

    Raises
    ------
    PackageError
        If it holds something else.
    """
    try:
        key = serialization.load_pem_public_key(pem)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise PackageError("expected an Ed25519 public key as PEM (BEGIN PUBLIC KEY)") from None
    return key


def public_pem(key: Ed25519PublicKey) -> bytes:
    """Return a public key as PEM."""
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def fingerprint(key: Ed25519PublicKey) -> str:
    """Return the SHA-256 of a public key's 32 bytes, which a signer publishes elsewhere."""
    return sha256(key.public_bytes_raw()).hexdigest()


def is_signed_by(key: Ed25519PublicKey, signature: bytes, content: bytes) -> bool:
    """Return whether ``signature`` is the key's signature of ``content``."""
    try:
        key.verify(signature, content)
    except InvalidSignature:
        return False
    return True
