"""Time stamps (RFC 3161): somebody else's word for when a signature existed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from hashlib import sha256, sha384, sha512

import urllib3
from cryptography import x509
from rfc3161_client import (
    TimestampRequestBuilder,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from cvlarray.errors import PackageError

__all__ = ["check_timestamp", "request_timestamp", "stated_time"]

TIMEOUT_S = 20.0
MAX_BYTES = 1_000_000
HASHERS = sha256, sha384, sha512


def request_timestamp(url: str, content: bytes) -> bytes:
    """Ask an authority for a time stamp over ``content``; only its hash is sent.

    Returns
    -------
    The response, DER, which ``openssl ts -reply -text -in`` shows.

    Raises
    ------
    PackageError
        If the authority can't be reached, refuses, or answers with something else.
    """
    request = (
        TimestampRequestBuilder().data(content).nonce(nonce=True).cert_request(cert_request=True)
    )
    try:
        with urllib3.PoolManager(retries=urllib3.Retry(2, backoff_factor=0.5)) as http:
            response = http.request(
                "POST",
                url,
                body=request.build().as_bytes(),
                headers={"Content-Type": "application/timestamp-query"},
                timeout=TIMEOUT_S,
                preload_content=False,
            )
            answer: bytes = response.read(MAX_BYTES)
            status = response.status
            response.release_conn()
    except urllib3.exceptions.HTTPError as error:
        reason = type(error).__name__
        raise PackageError(f"the time stamp authority {url} can't be reached: {reason}") from error
    if status != 200:
        raise PackageError(f"the time stamp authority {url} answered {status}, expected 200")
    stated_time(answer, content)
    return answer


def stated_time(response: bytes, content: bytes) -> dt.datetime:
    """Return the time that a time stamp over ``content`` states; who states it isn't checked.

    Raises
    ------
    PackageError
        If it's no granted time stamp, or one of other content.
    """
    try:
        decoded = decode_timestamp_response(response)
        is_exact = decoded.as_bytes() == response
        time, imprint = decoded.tst_info.gen_time, decoded.tst_info.message_imprint.message
    except (ValueError, TypeError, OverflowError) as error:
        raise PackageError(f"expected a granted RFC 3161 time stamp in DER: {error}") from error
    if not is_exact or imprint not in {hasher(content).digest() for hasher in HASHERS}:
        raise PackageError("the time stamp is of other content")
    return time if time.tzinfo else time.replace(tzinfo=dt.UTC)


def check_timestamp(
    response: bytes, content: bytes, roots: Sequence[x509.Certificate]
) -> dt.datetime:
    """Return the time that an authority under one of ``roots`` vouches for.

    Raises
    ------
    PackageError
        If the time stamp is of other content, or isn't by such an authority.
    """
    time = stated_time(response, content)
    verifier = VerifierBuilder(roots=list(roots)).build()
    try:
        verifier.verify_message(decode_timestamp_response(response), content)
    except VerificationError as error:
        raise PackageError(f"the time stamp isn't valid: {error}") from error
    return time
