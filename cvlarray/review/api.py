"""What the page asks for, as JSON; also for other programs (``/openapi.json``)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from fastapi import APIRouter, Body, Depends, HTTPException, Path, Query, Request, Response, status
from pydantic import BaseModel, ConfigDict, Field

from cvlarray.alerts import AlertSeries
from cvlarray.alerts.feedback import Decision, Reason
from cvlarray.review import looking, verdicts
from cvlarray.review.access import Visitor
from cvlarray.review.database import ReviewDatabase
from cvlarray.review.evidence import Evidence
from cvlarray.review.guard import Reader, Writer
from cvlarray.review.kept import KeptAnswers

__all__ = [
    "REFUSALS",
    "WRITE_REFUSALS",
    "Behind",
    "Database",
    "RequestId",
    "Series",
    "as_json",
    "first_view",
    "router",
]

MOST_NOTE_CHARACTERS = 2000
LINES, MOST_LINES = 50, 200

State = Literal["open", "confirmed", "dismissed"]
EventId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="Name of an alert.")]
RequestId = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9_-]{8,64}$", description="One for each click; repeats count once."),
]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class AlertList(BaseModel):
    """Some alerts, and how many there are of each kind."""

    alerts: list[dict[str, Any]]
    next_after: str | None
    counts: dict[str, dict[str, int]]


class Cells(BaseModel):
    """Where alerts lie, a square an entry."""

    longitude: list[float]
    """Of the squares' middles [degrees]."""
    latitude: list[float]
    n: list[int]
    """Alerts in each."""


class FirstView(BaseModel):
    """What a new page shows."""

    alerts: AlertList
    cells: Cells


class GivenVerdict(BaseModel):
    """A line of an alert's log."""

    verdict_id: int
    decision: Decision
    reason: Reason | None
    note: str
    reviewer: str
    decided_at: str
    is_undone: bool
    is_own: bool


class AlertDetail(BaseModel):
    """Everything known of an alert."""

    state: State
    feature: dict[str, Any]
    verdicts: list[GivenVerdict]


class Series(BaseModel):
    """What was seen and what was expected: dates as ISO 8601, values in the feature's unit."""

    feature: str
    dates: list[str]
    observed: list[float]
    curve_dates: list[str]
    expected: list[float | None]
    lower: list[float | None]
    upper: list[float | None]
    monitoring_start: str
    first_detected: str
    confirmed: str


class _Click(_Body):
    note: str = Field(default="", max_length=MOST_NOTE_CHARACTERS)
    request_id: RequestId


class Confirmation(_Click):
    """One click on confirm."""

    decision: Literal["confirmed"]


class Dismissal(_Click):
    """One click on dismiss and why."""

    decision: Literal["dismissed"]
    reason: Reason


class UndoRequest(_Body):
    """One click on undo."""

    request_id: RequestId


Said = Annotated[Confirmation | Dismissal, Body(discriminator="decision")]


class VerdictAnswer(BaseModel):
    """What the log says now."""

    verdict_id: int
    state: State


async def _database(request: Request) -> ReviewDatabase:
    database: ReviewDatabase = request.app.state.database
    return database


async def _evidence(request: Request) -> Evidence:
    evidence: Evidence = request.app.state.settings.evidence
    return evidence


async def _kept(request: Request) -> KeptAnswers:
    kept: KeptAnswers = request.app.state.kept
    return kept


Database = Annotated[ReviewDatabase, Depends(_database)]
Behind = Annotated[Evidence, Depends(_evidence)]
Kept = Annotated[KeptAnswers, Depends(_kept)]

REFUSALS: dict[int | str, dict[str, Any]] = {
    401: {"description": "No session: open a link first."},
    404: {"description": "No such alert among the visitor's."},
    429: {"description": "Too many requests; see Retry-After."},
}
WRITE_REFUSALS: dict[int | str, dict[str, Any]] = {
    **REFUSALS,
    403: {"description": "Not from our own page."},
    409: {"description": "Not one's own verdict, or undone already."},
    413: {"description": "Too long."},
}

router = APIRouter(prefix="/api", responses=REFUSALS)


@router.get("/alerts", response_model=AlertList)
async def list_alerts(
    request: Request,
    visitor: Reader,
    database: Database,
    kept: Kept,
    state: State = "open",
    after: Annotated[str | None, Query(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_LINES)] = LINES,
) -> Response:
    """List alerts, the most urgent first."""
    asked = "alerts", visitor.partner, visitor.event_id, state, after, limit

    def make() -> AlertList:
        return _listed(database, visitor, state=state, after=after, limit=limit)

    return await kept.answer(request, asked, make)


@router.get("/cells", response_model=Cells)
async def cells(
    request: Request, visitor: Reader, database: Database, kept: Kept, state: State = "open"
) -> Response:
    """Count alerts by square, for the map."""
    asked = "cells", visitor.partner, visitor.event_id, state
    return await kept.answer(request, asked, lambda: _counted(database, visitor, state))


async def first_view(kept: KeptAnswers, database: ReviewDatabase, visitor: Visitor) -> str:
    """Return what a new page would ask for first, as JSON to stand in it: at 2G a question less."""
    asked = "first", visitor.partner, visitor.event_id
    return (await kept.get(asked, lambda: _first(database, visitor))).in_page


def _first(database: ReviewDatabase, visitor: Visitor) -> FirstView:
    listed = _listed(database, visitor, state="open", after=None, limit=LINES)
    return FirstView(alerts=listed, cells=_counted(database, visitor, "open"))


def _listed(
    database: ReviewDatabase, visitor: Visitor, *, state: State, after: str | None, limit: int
) -> AlertList:
    try:
        page = looking.list_page(database, visitor, state=state, after=after, limit=limit)
    except LookupError as error:
        raise _absent() from error
    counts = looking.count_alerts(database, visitor)
    return AlertList(alerts=page.alerts, next_after=page.next_after, counts=counts)


def _counted(database: ReviewDatabase, visitor: Visitor, state: State) -> Cells:
    longitude, latitude, n = looking.map_cells(database, visitor, state=state)
    return Cells(longitude=longitude, latitude=latitude, n=n)


@router.get("/alerts/{event_id}")
def alert(visitor: Reader, database: Database, event_id: EventId) -> AlertDetail:
    """Return an alert with its jurisdiction and its log."""
    state, feature = _found(database, visitor, event_id)
    log = verdicts.read_verdicts(database, event_id)
    undone = set(log["undoes"].dropna())
    lines = [
        GivenVerdict(
            verdict_id=row["verdict_id"],
            decision=row["decision"],
            reason=row["reason"],
            note=row["note"],
            reviewer=row["reviewer"],
            decided_at=row["decided_at"].isoformat(),
            is_undone=row["verdict_id"] in undone,
            is_own=row["partner"] == visitor.partner,
        )
        for row in log.astype(object).where(log.notna(), None).to_dict("records")
    ]
    return AlertDetail(state=state, feature=dict(feature), verdicts=lines)


@router.get("/alerts/{event_id}/series")
def series(
    visitor: Reader, database: Database, evidence: Behind, event_id: EventId, response: Response
) -> Series:
    """Return the time series at an alert."""
    _found(database, visitor, event_id)
    found = evidence.series(event_id)
    if found is None:
        raise _absent()
    response.headers["cache-control"] = "private, max-age=3600"
    return as_json(found)


@router.get(
    "/alerts/{event_id}/{when}.png",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}}},
)
def picture(
    visitor: Reader,
    database: Database,
    evidence: Behind,
    event_id: EventId,
    when: Literal["before", "after"],
) -> Response:
    """Return the picture of before or after."""
    _found(database, visitor, event_id)
    found = evidence.picture(event_id, when)
    if found is None:
        raise _absent()
    headers = {"cache-control": "private, max-age=3600"}
    return Response(found.png, media_type="image/png", headers=headers)


@router.post("/alerts/{event_id}/verdicts", responses=WRITE_REFUSALS)
def give_verdict(
    visitor: Writer, database: Database, event_id: EventId, said: Said
) -> VerdictAnswer:
    """Confirm or dismiss an alert."""
    _found(database, visitor, event_id)
    judgement = verdicts.Judgement(
        event_id=event_id,
        partner=visitor.partner,
        reviewer=visitor.reviewer,
        decision=Decision(said.decision),
        reason=said.reason if isinstance(said, Dismissal) else None,
        note=said.note,
        request_id=said.request_id,
    )
    verdict_id = verdicts.give_verdict(database, judgement)
    return VerdictAnswer(verdict_id=verdict_id, state=_found(database, visitor, event_id)[0])


@router.post("/alerts/{event_id}/verdicts/{verdict_id}/undo", responses=WRITE_REFUSALS)
def undo(
    visitor: Writer,
    database: Database,
    event_id: EventId,
    verdict_id: Annotated[int, Path(ge=1, le=2**62)],
    said: UndoRequest,
) -> VerdictAnswer:
    """Take a verdict of one's own back."""
    _found(database, visitor, event_id)
    try:
        added = verdicts.undo(
            database,
            verdict_id,
            event_id=event_id,
            partner=visitor.partner,
            reviewer=visitor.reviewer,
            request_id=said.request_id,
        )
    except verdicts.UndoRefusedError as error:
        raise HTTPException(status.HTTP_409_CONFLICT, "undo_refused") from error
    return VerdictAnswer(verdict_id=added, state=_found(database, visitor, event_id)[0])


def _found(database: ReviewDatabase, visitor: Reader, event_id: str) -> tuple[Any, Any]:
    try:
        return looking.find_alert(database, visitor, event_id)
    except LookupError as error:
        raise _absent() from error


def _absent() -> HTTPException:
    return HTTPException(status.HTTP_404_NOT_FOUND, "no_alert")


def as_json(series: AlertSeries) -> Series:
    """Return a series as the page draws it."""
    return Series(
        feature=series.feature,
        dates=[str(day) for day in series.dates],
        observed=[round(float(value), 4) for value in series.observed],
        curve_dates=[str(day) for day in series.curve_dates],
        expected=_values(series.expected),
        lower=_values(series.lower),
        upper=_values(series.upper),
        monitoring_start=series.monitoring_start.isoformat(),
        first_detected=series.first_detected.isoformat(),
        confirmed=series.confirmed.isoformat(),
    )


def _values(values: npt.NDArray[np.float32]) -> list[float | None]:
    """Return values with null where there is none: JSON has no NaN."""
    return [round(float(value), 4) if np.isfinite(value) else None for value in values]
