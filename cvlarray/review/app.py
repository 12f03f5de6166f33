"""The verification page as an ASGI application."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import geopandas as gpd
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response

import cvlarray
from cvlarray.errors import StoreError
from cvlarray.review import api, pages, sample_api
from cvlarray.review.database import ReviewDatabase
from cvlarray.review.guard import Guard
from cvlarray.review.hardening import BodyLimit, SecurityHeaders
from cvlarray.review.kept import KeptAnswers
from cvlarray.review.listing import list_alerts
from cvlarray.review.settings import ReviewSettings

__all__ = ["create_app"]

logger = logging.getLogger(__name__)

Stamp = tuple[int, int] | None
"""When a file was written, and which file it is; None without one."""


def create_app(settings: ReviewSettings) -> FastAPI:
    """Return the page of a run; serve it with uvicorn.

    Parameters
    ----------
    settings
        The run, its secret and its partners. Alerts are listed when it starts, and again
        whenever a run has written new ones.

    Raises
    ------
    StoreError
        If the review database can't be used.
    """
    app = FastAPI(
        title=f"{settings.title}: verification",
        version=cvlarray.__version__,
        lifespan=_follow_alerts,
        docs_url=None,  # its page comes from a CDN
        redoc_url=None,
    )
    app.state.settings = settings
    app.state.guard = Guard(settings)
    app.state.database = ReviewDatabase(settings.database)
    app.state.kept = KeptAnswers(app.state.database)
    app.include_router(api.router)
    app.include_router(sample_api.router)
    app.include_router(pages.router)
    app.mount("/static", _KeptFiles(directory=pages.STATIC))
    app.add_exception_handler(StoreError, _unwritten)
    app.add_middleware(GZipMiddleware, minimum_size=500, compresslevel=5)
    app.add_middleware(BodyLimit, max_bytes=settings.limits.body_bytes)
    app.add_middleware(SecurityHeaders)
    return app


class _KeptFiles(StaticFiles):
    """Files whose addresses carry their hash."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        response.headers["cache-control"] = "public, max-age=31536000, immutable"
        return response


async def _unwritten(_: Request, error: Exception) -> JSONResponse:
    """Tell the reviewer that nothing was kept; the log says why."""
    logger.error("%s", error)
    return JSONResponse({"detail": "not_written"}, 503)


@asynccontextmanager
async def _follow_alerts(app: FastAPI) -> AsyncIterator[None]:
    """Be ready before the first visitor, and list the alerts again whenever there are new ones."""
    settings: ReviewSettings = app.state.settings
    stamp = await asyncio.to_thread(_relist, app, None)
    await asyncio.to_thread(settings.evidence.backdrop)  # or the first visitor would wait for it
    following = asyncio.create_task(_look_again(app, stamp))
    logger.info("listed the alerts of %s", settings.alerts_parquet)
    try:
        yield
    finally:
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following


async def _look_again(app: FastAPI, stamp: Stamp) -> None:
    while True:
        await asyncio.sleep(app.state.settings.look_again_s)
        try:
            stamp = await asyncio.to_thread(_relist, app, stamp)
        except (StoreError, OSError, ValueError) as error:  # the list of before goes on
            logger.warning("the alerts could not be listed anew: %s", error)


def _relist(app: FastAPI, known: Stamp) -> Stamp:
    """List the alerts if their file isn't the one that was listed."""
    settings: ReviewSettings = app.state.settings
    stamp = _stamp(settings.alerts_parquet)
    if stamp is None or stamp == known:
        return known
    database: ReviewDatabase = app.state.database
    # The lists in it stay text: of a million alerts only those that changed are looked into.
    list_alerts(database, gpd.read_parquet(settings.alerts_parquet), settings.partners)
    return stamp


def _stamp(path: Path) -> Stamp:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_ino
