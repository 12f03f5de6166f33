"""What the page of the sample asks for; only the operator's people see it."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, HTTPException, Path, Response, status
from pydantic import BaseModel, ConfigDict, Field

from cvlarray.review import sampling
from cvlarray.review.access import Visitor
from cvlarray.review.api import (
    REFUSALS,
    WRITE_REFUSALS,
    Behind,
    Database,
    RequestId,
    Series,
    as_json,
)
from cvlarray.review.guard import Guard, Reader, Writer, guard_of
from cvlarray.review.listing import OPERATOR
from cvlarray.review.sampling import Sample

__all__ = ["router"]

PointId = Annotated[str, Path(pattern=r"^[a-z0-9-]{1,64}$", description="Name of a point.")]

router = APIRouter(prefix="/api/sample", responses=REFUSALS)


class NextPoint(BaseModel):
    """What is to be labelled next."""

    point_id: str | None
    classes: list[str]
    n_points: int
    n_labelled: int


class Label(BaseModel):
    """One click on what a point is."""

    model_config = ConfigDict(extra="forbid")

    label: str = Field(min_length=1, max_length=64)
    request_id: RequestId


def _absent() -> HTTPException:
    return HTTPException(status.HTTP_404_NOT_FOUND, "no_sample")


def _sample(guard: Annotated[Guard, Depends(guard_of)], visitor: Reader) -> Sample:
    """Return the sample, to whom it may be shown."""
    path = guard.settings.sample
    found = sampling.read_sample(path) if path and _may_label(visitor) else None
    if found is None:
        raise _absent()
    return found


def _may_label(visitor: Visitor) -> bool:
    return visitor.partner == OPERATOR and visitor.event_id is None


Drawn = Annotated[Sample, Depends(_sample)]


@router.get("")
def next_point(database: Database, sample: Drawn) -> NextPoint:
    """Return the next point, and how many there are."""
    found = sampling.next_point(database, sample)
    return NextPoint(
        point_id=found.point_id,
        classes=list(sample.classes),
        n_points=found.n_points,
        n_labelled=found.n_labelled,
    )


@router.get("/{point_id}/series")
def series(evidence: Behind, sample: Drawn, point_id: PointId) -> Series:
    """Return the time series of a point."""
    found = evidence.point_series(point_id) if point_id in sample.points else None
    if found is None:
        raise _absent()
    return as_json(found)


@router.get(
    "/{point_id}/{when}.png",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}}},
)
def picture(
    evidence: Behind, sample: Drawn, point_id: PointId, when: Literal["before", "after"]
) -> Response:
    """Return a point's place before or after the period."""
    found = evidence.point_picture(point_id, when) if point_id in sample.points else None
    if found is None:
        raise _absent()
    headers = {"cache-control": "private, max-age=3600"}
    return Response(found.png, media_type="image/png", headers=headers)


@router.post(
    "/{point_id}/label",
    responses={**WRITE_REFUSALS, 409: {"description": "A point can't be that."}},
)
def label(
    visitor: Writer, database: Database, sample: Drawn, point_id: PointId, said: Label
) -> NextPoint:
    """Say what a point is."""
    try:
        sampling.label_point(
            database,
            sample,
            point_id=point_id,
            label=said.label,
            reviewer=visitor.reviewer,
            request_id=said.request_id,
        )
    except LookupError as error:
        raise _absent() from error
    except ValueError as error:
        raise HTTPException(status.HTTP_409_CONFLICT, "no_class") from error
    return next_point(database, sample)
