"""How GDAL gets at a file now: path, server and, where files are signed, keys or a token.

Secrets are looked up when a file is opened and go to GDAL as options of the reading thread. They
are never part of a path, so no graph, error, ledger or store can hold one; what GDAL logs of the
URLs it asks for loses their queries.
"""

from __future__ import annotations

import datetime as dt
import logging
import os
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import rasterio
import urllib3
from rasterio.session import Session
from urllib3.exceptions import HTTPError

from cvlarray.errors import AccessError, ReadError
from cvlarray.sensors import Asset, Signer

AZURE_HOSTS = (".blob.core.windows.net",)
"""Ends of the host names whose files Planetary Computer signs."""
SAS_URL_VARIABLE = "PC_SDK_SAS_URL"
SAS_URL = "https://planetarycomputer.microsoft.com/api/sas/v1/token"
SUBSCRIPTION_VARIABLE = "PC_SDK_SUBSCRIPTION_KEY"
"""Optional; with a key tokens last longer. Both names are those of the `planetary_computer` SDK."""
CDSE_KEY_VARIABLES = ("CDSE_S3_ACCESS_KEY", "CDSE_S3_SECRET_KEY")
CDSE_ENDPOINT_VARIABLE = "CDSE_S3_ENDPOINT"
CDSE_ENDPOINT = "https://eodata.dataspace.copernicus.eu"
S3_ENDPOINT_VARIABLE = "AWS_ENDPOINT_URL"

TOKEN_SPARE = dt.timedelta(minutes=2)
"""A token this near to its end is not begun with."""
TOKEN_TIMEOUT_S = 30.0
TOKEN_RETRIES = urllib3.Retry(total=4, backoff_factor=0.5, status_forcelist=(429, 500, 502, 503))


GdalPath = str | PurePosixPath
"""A file's name as GDAL takes it, such as ``/vsicurl/https://…``."""


@dataclass(frozen=True)
class Opening:
    """What GDAL is given to open a file."""

    path: GdalPath
    options: Mapping[str, str] = field(default_factory=dict, repr=False)


def opening(asset: Asset) -> Opening:
    """Return how to open a file; asks for a token where it needs one.

    Raises
    ------
    AccessError
        If keys that the file needs are not in the environment.
    ReadError
        If no token can be had.
    """
    url = urlsplit(asset.href)
    if asset.signer is Signer.CDSE and url.scheme == "s3":
        return Opening(_s3_path(asset.href), _cdse_options())
    if url.scheme == "s3":
        return Opening(
            _s3_path(asset.href), _endpoint_options(os.environ.get(S3_ENDPOINT_VARIABLE))
        )
    if asset.signer is Signer.PLANETARY_COMPUTER and _is_in_azure(asset.href):
        token = _tokens(_container(asset.href)).text()
        storage = f"BlobEndpoint={url.scheme}://{url.netloc};SharedAccessSignature={token}"
        return Opening(f"/vsiaz{url.path}", {"AZURE_STORAGE_CONNECTION_STRING": storage})
    if url.scheme in {"http", "https"}:
        return Opening(f"/vsicurl/{asset.href}")
    return Opening(asset.href)


@contextmanager
def in_environment(opened: Opening) -> Iterator[None]:
    """Hold a file's options in this thread's GDAL, within ``rasterio.Env(**GDAL_OPTIONS)``."""
    if not opened.options:  # nothing to hold, and entering costs a tenth of a millisecond
        yield
        return
    with rasterio.Env(session=_Options(opened.options)):
        yield


def forget(asset: Asset, opened: Opening) -> None:
    """Let the next try of a file begin anew, with a new token.

    GDAL remembers for the life of the process that a remote file couldn't be read, and would not
    ask the server again; opening it uncached drops what it knows.
    """
    if not str(opened.path).startswith("/vsi"):
        return
    if asset.signer is Signer.PLANETARY_COMPUTER and _is_in_azure(asset.href):
        _tokens(_container(asset.href)).forget()
    uncached = {"CPL_VSIL_CURL_NON_CACHED": str(opened.path), "GDAL_HTTP_MAX_RETRY": "0"}
    with rasterio.Env(session=_Options({**opened.options, **uncached})):
        try:
            rasterio.open(opened.path).close()
        except (rasterio.errors.RasterioError, OSError):
            return


def without_queries(text: str) -> str:
    """Return a text whose URLs have lost their queries: they may be signatures."""
    return re.sub(r"\?[^\s'\"]*", "?...", text)


class _WithoutQueries(logging.Filter):
    """Takes the queries of URLs out of a log's messages."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = without_queries(record.getMessage()), ()
        return True


for _name in ("rasterio._env", "rasterio._err"):  # where rasterio puts what GDAL says
    logging.getLogger(_name).addFilter(_WithoutQueries())


class _Options(Session):  # type: ignore[misc]  # rasterio has no types
    """Options that rasterio neither logs nor looks for in boto3."""

    def __init__(self, options: Mapping[str, str]) -> None:
        self._options = dict(options)

    @classmethod
    def hascreds(cls, config: Mapping[str, Any]) -> bool:  # noqa: ARG003 (rasterio asks)
        return True

    def get_credential_options(self) -> dict[str, str]:
        return self._options


def _s3_path(href: str) -> PurePosixPath:
    """Return an object's path; of text rasterio would make a boto3 session, an extra."""
    url = urlsplit(href)
    return PurePosixPath("/vsis3", url.netloc, url.path.lstrip("/"))


def _endpoint_options(endpoint: str | None) -> dict[str, str]:
    """Return GDAL's options for a server other than Amazon's."""
    if not endpoint:
        return {}
    url = urlsplit(endpoint)
    return {
        "AWS_S3_ENDPOINT": url.netloc,
        "AWS_HTTPS": "NO" if url.scheme == "http" else "YES",
        "AWS_VIRTUAL_HOSTING": "FALSE",
    }


def _cdse_options() -> dict[str, str]:
    """Return keys and server of the Copernicus Data Space."""
    keys = [os.environ.get(name) for name in CDSE_KEY_VARIABLES]
    if not all(keys):
        raise AccessError(
            f"files of CDSE need the S3 keys of an account in {' and '.join(CDSE_KEY_VARIABLES)}; "
            "make some at https://eodata-s3keysmanager.dataspace.copernicus.eu"
        )
    access, secret = (str(key) for key in keys)
    endpoint = os.environ.get(CDSE_ENDPOINT_VARIABLE) or CDSE_ENDPOINT
    return {
        "AWS_ACCESS_KEY_ID": access,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_REGION": "default",
        **_endpoint_options(endpoint),
    }


def _is_in_azure(href: str) -> bool:
    return (urlsplit(href).hostname or "").endswith(AZURE_HOSTS)


def _container(href: str) -> str:
    """Return account and container of a file, which a token is for."""
    url = urlsplit(href)
    account = (url.hostname or "").split(".")[0]
    return f"{account}/{url.path.lstrip('/').split('/')[0]}"


@lru_cache(maxsize=64)
def _tokens(container: str) -> _Tokens:
    """Return the tokens of a container, which all threads of the process share."""
    return _Tokens(container)


class _Tokens:
    """The token of a container while it lasts."""

    def __init__(self, container: str) -> None:
        self._container = container
        self._lock = threading.Lock()
        self._text = ""
        self._expires = dt.datetime.min.replace(tzinfo=dt.UTC)

    def text(self) -> str:
        """Return a token that lasts for a while; ask for one if there is none."""
        with self._lock:
            if dt.datetime.now(dt.UTC) + TOKEN_SPARE >= self._expires:
                self._text, self._expires = _ask_for_token(self._container)
            return self._text

    def forget(self) -> None:
        """Ask for another token next time: the server may have taken this one back."""
        with self._lock:
            self._expires = dt.datetime.min.replace(tzinfo=dt.UTC)


def _ask_for_token(container: str) -> tuple[str, dt.datetime]:
    """Return a token and when it expires (UTC)."""
    base = (os.environ.get(SAS_URL_VARIABLE) or SAS_URL).rstrip("/")
    key = os.environ.get(SUBSCRIPTION_VARIABLE)
    headers = {"Ocp-Apim-Subscription-Key": key} if key else {}
    try:
        answer = urllib3.request(
            "GET",
            f"{base}/{container}",
            headers=headers,
            timeout=TOKEN_TIMEOUT_S,
            retries=TOKEN_RETRIES,
        )
        content = answer.json()
        expires = dt.datetime.fromisoformat(content["msft:expiry"]).astimezone(dt.UTC)
        return str(content["token"]), expires
    except (HTTPError, KeyError, TypeError, ValueError) as error:
        # What the server said may hold anything; its kind has to do.
        raise ReadError(
            f"no token for {container} from {base}: {type(error).__name__}; try again later, or "
            f"set {SUBSCRIPTION_VARIABLE}"
        ) from None
