"""The pages that a browser opens: the list, and the door that a link leads to."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import jinja2
from fastapi import APIRouter, Cookie, Depends, Request, Response, status
from fastapi.responses import HTMLResponse, RedirectResponse

from cvlarray.review import access
from cvlarray.review.access import LinkRefusedError, Visitor
from cvlarray.review.api import first_view
from cvlarray.review.database import ReviewDatabase
from cvlarray.review.guard import SESSION_COOKIE, Guard, address, guard_of
from cvlarray.review.listing import OPERATOR

__all__ = ["STATIC", "router"]

STATIC = Path(__file__).parent / "static"
_TEMPLATES = Path(__file__).parent / "templates"
_LANGUAGES = ("es", "en")
_LANGUAGE_COOKIE = "cvlarray_language"

Session = Annotated[str | None, Cookie(alias=SESSION_COOKIE, include_in_schema=False)]
Rules = Annotated[Guard, Depends(guard_of)]

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/")
async def index(request: Request, guard: Rules, session: Session = None) -> HTMLResponse:
    """Return the page; whoever has no session is told how to get one."""
    visitor = guard.visitor(session)
    if visitor is None:
        return message_page(request, "no_session", status.HTTP_401_UNAUTHORIZED)
    guard.read(visitor)
    settings = guard.settings
    first = await first_view(request.app.state.kept, request.app.state.database, visitor)
    backdrop = settings.evidence.backdrop()
    start = {
        "csrf": access.csrf_token(settings.key, visitor),
        "reviewer": visitor.reviewer,
        "event_id": visitor.event_id,
        "backdrop": backdrop and {"bounds": backdrop.bounds, "date": backdrop.date.isoformat()},
    }
    has_sample = (
        visitor.partner == OPERATOR and settings.sample is not None and settings.sample.exists()
    )
    return _page(
        request,
        "page.html",
        title=settings.title,
        start=start,
        first=first,
        has_sample=has_sample,
    )


@router.get("/sample")
def sample(request: Request, guard: Rules, session: Session = None) -> HTMLResponse:
    """Return the page on which points of a sample are labelled."""
    visitor = guard.visitor(session)
    if visitor is None:
        return message_page(request, "no_session", status.HTTP_401_UNAUTHORIZED)
    start = {"csrf": access.csrf_token(guard.settings.key, visitor)}
    return _page(request, "sample.html", title=guard.settings.title, start=start)


@router.get("/link/{token}")
def door(request: Request, token: str) -> HTMLResponse:
    """Ask before opening: programs that look into mails must not use a link up."""
    return _page(request, "link.html", token=token)


@router.post("/link/{token}")
def enter(request: Request, guard: Rules, token: str, session: Session = None) -> Response:
    """Let the bearer in."""
    guard.open_link(address(request))
    database: ReviewDatabase = request.app.state.database
    try:
        visitor = access.open_link(database, guard.settings.key, token, guard.visitor(session))
    except LinkRefusedError as refusal:
        return message_page(request, str(refusal), status.HTTP_403_FORBIDDEN)
    answer = RedirectResponse("/", status.HTTP_303_SEE_OTHER)
    _keep(answer, guard, visitor)
    return answer


@router.get("/backdrop.webp")
def backdrop(guard: Rules, session: Session = None) -> Response:
    """Return the region from above."""
    picture = guard.settings.evidence.backdrop() if guard.visitor(session) else None
    if picture is None:
        return Response(status_code=status.HTTP_404_NOT_FOUND)
    headers = {"cache-control": "private, max-age=3600"}
    return Response(picture.image, media_type="image/webp", headers=headers)


def message_page(request: Request, word: str, code: int) -> HTMLResponse:
    """Return a page with one sentence."""
    return _page(request, "message.html", code=code, word=word)


def _keep(answer: Response, guard: Guard, visitor: Visitor) -> None:
    answer.set_cookie(
        SESSION_COOKIE,
        access.sign_session(guard.settings.key, visitor),
        httponly=True,
        samesite="strict",
        secure=guard.settings.is_secure,
    )


def _page(request: Request, template: str, code: int = 200, **values: Any) -> HTMLResponse:
    language = _language(request)
    text = (
        _environment()
        .get_template(template)
        .render(language=language, words=_words(language), other=_other(language), **values)
    )
    return HTMLResponse(text, code, {"vary": "accept-language, cookie"})


def _language(request: Request) -> str:
    """Return the language chosen on the page, or the browser's; Spanish where neither helps."""
    chosen = request.cookies.get(_LANGUAGE_COOKIE)
    wanted = [part[:2].strip() for part in request.headers.get("accept-language", "").split(",")]
    return next((name for name in (chosen, *wanted) if name in _LANGUAGES), _LANGUAGES[0])


def _other(language: str) -> str:
    return next(name for name in _LANGUAGES if name != language)


@cache
def _words(language: str) -> dict[str, str]:
    path = STATIC / "words" / f"{language}.json"
    words: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return words


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["versioned"] = _versioned
    return environment


@cache
def _versioned(name: str) -> str:
    """Return a file's address with its hash, so that a browser keeps it until it changes."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:10]
    return f"/static/{name}?{digest}"
