"""Where a request goes: HTTPS, or plain HTTP to this very machine; never with a password in it."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema
from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

__all__ = ["Url"]

LOOPBACK = ("127.0.0.1", "localhost", "::1", "[::1]")


def _checked(url: str) -> str:
    try:
        parts = parse_url(url)
    except LocationParseError as error:
        raise ValueError(f"expected a URL: {error}") from error
    is_private = parts.scheme == "https" or (parts.scheme == "http" and parts.host in LOOPBACK)
    if not is_private or not parts.host:
        raise ValueError("expected an https:// URL (http:// only to this machine)")
    if parts.auth:
        raise ValueError("expected a URL without user and password; name a variable for them")
    return url


Url = Annotated[
    str,
    AfterValidator(_checked),
    WithJsonSchema({"type": "string", "pattern": r"^https?://"}),
]
