"""Who may pass: the session, the request's own page, and not too often."""

from __future__ import annotations

import secrets
from typing import Annotated

from fastapi import Cookie, Depends, Header, HTTPException, Request, status

from cvlarray.review.access import Visitor, csrf_token, read_session
from cvlarray.review.listing import OPERATOR
from cvlarray.review.rate import Rate
from cvlarray.review.settings import ReviewSettings

__all__ = ["SESSION_COOKIE", "Guard", "Reader", "Writer", "address", "guard_of"]

SESSION_COOKIE = "cvlarray_review"


class Guard:
    """The rules of one page; `Reader` and `Writer` ask it."""

    def __init__(self, settings: ReviewSettings) -> None:
        self.settings = settings
        self._partners = {OPERATOR, *(partner.name for partner in settings.partners)}
        limits = settings.limits
        self._reads = Rate(limits.reads_per_minute)
        self._verdicts = Rate(limits.verdicts_per_minute)
        self._links = Rate(limits.links_per_minute)

    def visitor(self, cookie: str | None) -> Visitor | None:
        """Return whom a cookie lets in; None if nobody, or a partner that is none any more."""
        visitor = read_session(self.settings.key, cookie)
        return visitor if visitor and visitor.partner in self._partners else None

    def read(self, visitor: Visitor) -> None:
        """Count a request that changes nothing."""
        _count(self._reads, visitor.session_id)

    def write(self, visitor: Visitor, token: str | None) -> None:
        """Count a request that changes something, and make sure that it is our page's."""
        if token is None or not secrets.compare_digest(
            token.encode(), csrf_token(self.settings.key, visitor).encode()
        ):
            raise HTTPException(status.HTTP_403_FORBIDDEN, "csrf")
        _count(self._verdicts, visitor.session_id)

    def open_link(self, client: str) -> None:
        """Count an attempt to come in."""
        _count(self._links, client)


def _count(rate: Rate, who: str) -> None:
    if not rate.allows(who):
        raise HTTPException(
            status.HTTP_429_TOO_MANY_REQUESTS, "too_many", headers={"Retry-After": "60"}
        )


async def guard_of(request: Request) -> Guard:
    """Return the guard of the page that was asked."""
    guard: Guard = request.app.state.guard
    return guard


def address(request: Request) -> str:
    """Return where a request comes from."""
    return request.client.host if request.client else "unknown"


async def _reader(
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


async def _writer(
    guard: Annotated[Guard, Depends(guard_of)],
    visitor: Reader,
    token: Annotated[str | None, Header(alias="X-CSRF-Token")] = None,
) -> Visitor:
    guard.write(visitor, token)
    return visitor


Writer = Annotated[Visitor, Depends(_writer)]
"""Whoever may give verdicts, from our own page."""
