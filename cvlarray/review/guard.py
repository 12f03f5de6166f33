"""Who may pass: the session, the request's own page, and not too often."""

from __future__ import annotations

import secrets
from typing import Annotated

from fastapi import Cookie, Depends, Header, HTTPException, Request, status
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from cvlarray.review.access import Visitor, csrf_token, read_session
from cvlarray.review.listing import OPERATOR
from cvlarray.review.settings import ReviewSettings

__all__ = ["SESSION_COOKIE", "Guard", "Reader", "Writer", "address", "guard_of"]

SESSION_COOKIE = "cvlarray_review"


class Guard:
    """The rules of one page; `Reader` and `Writer` ask it."""

    def __init__(self, settings: ReviewSettings) -> None:
        self.settings = settings
        self._partners = {OPERATOR, *(partner.name for partner in settings.partners)}
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        limits = settings.limits
        self._reads = RateLimitItemPerMinute(limits.reads_per_minute)
        self._verdicts = RateLimitItemPerMinute(limits.verdicts_per_minute)
        self._links = RateLimitItemPerMinute(limits.links_per_minute)

    def visitor(self, cookie: str | None) -> Visitor | None:
        """Return whom a cookie lets in; None if nobody, or a partner that is none any more."""
        visitor = read_session(self.settings.key, cookie)
        return visitor if visitor and visitor.partner in self._partners else None

    def read(self, visitor: Visitor) -> None:
        """Count a request that changes nothing."""
        self._count(self._reads, "read", visitor.session_id)

    def write(self, visitor: Visitor, token: str | None) -> None:
        """Count a request that changes something, and make sure that it is our page's."""
        if token is None or not secrets.compare_digest(
            token.encode(), csrf_token(self.settings.key, visitor).encode()
        ):
            raise HTTPException(status.HTTP_403_FORBIDDEN, "csrf")
        self._count(self._verdicts, "verdict", visitor.session_id)

    def open_link(self, client: str) -> None:
        """Count an attempt to come in."""
        self._count(self._links, "link", client)

    def _count(self, limit: RateLimitItemPerMinute, kind: str, who: str) -> None:
        if not self._limiter.hit(limit, kind, who):
            raise HTTPException(
                status.HTTP_429_TOO_MANY_REQUESTS, "too_many", headers={"Retry-After": "60"}
            )


def guard_of(request: Request) -> Guard:
    """Return the guard of the page that was asked."""
    guard: Guard = request.app.state.guard
    return guard


def address(request: Request) -> str:
    """Return where a request comes from."""
    return request.client.host if request.client else "unknown"


def _reader(
    guard: Annotated[Guard, Depends(guard_of)],
    session: Annotated[str | None, Cookie(alias=SESSION_COOKIE, include_in_schema=False)] = None,
) -> Visitor:
    visitor = guard.visitor(session)
    if visitor is None:
        raise HTTPException(status.HTTP_401_UNAUTHORIZED, "no_session")
    guard.read(visitor)
    return visitor


Reader = Annotated[Visitor, Depends(_reader)]
"""Whoever may look."""


def _writer(
    guard: Annotated[Guard, Depends(guard_of)],
    visitor: Reader,
    token: Annotated[str | None, Header(alias="X-CSRF-Token")] = None,
) -> Visitor:
    guard.write(visitor, token)
    return visitor


Writer = Annotated[Visitor, Depends(_writer)]
"""Whoever may give verdicts, from our own page."""
