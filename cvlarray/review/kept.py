"""Answers that stay the same until something is written: the first view of everybody's page."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from fastapi import Request, Response
from pydantic import BaseModel

from cvlarray.review.database import ReviewDatabase

__all__ = ["KeptAnswers"]

MOST_ANSWERS = 512
"""Of some 15 kB each."""
COMPRESS_LEVEL = 5


@dataclass(frozen=True)
class _Answer:
    plain: bytes
    compressed: bytes


class KeptAnswers:
    """JSON by what was asked, with the generation of the database that it is of.

    Asked from the event loop: an answer that is kept costs no thread, and one that isn't is made
    once in a thread, however many ask for it meanwhile.
    """

    def __init__(self, database: ReviewDatabase) -> None:
        self._database = database
        self._generation = -1
        self._answers: dict[Hashable, asyncio.Task[_Answer]] = {}

    async def answer(
        self, request: Request, asked: Hashable, make: Callable[[], BaseModel]
    ) -> Response:
        """Return the answer to what is asked, made anew if anything was written since."""
        generation = self._database.generation()
        if generation != self._generation or len(self._answers) >= MOST_ANSWERS:
            self._answers, self._generation = {}, generation
        answers = self._answers
        if asked not in answers:
            answers[asked] = asyncio.create_task(asyncio.to_thread(_answer, make))
        try:
            found = await asyncio.shield(answers[asked])  # whoever goes away stops it for nobody
        except Exception:
            answers.pop(asked, None)
            raise
        if "gzip" not in request.headers.get("accept-encoding", ""):
            return Response(found.plain, media_type="application/json")
        headers = {"content-encoding": "gzip", "vary": "accept-encoding"}
        return Response(found.compressed, media_type="application/json", headers=headers)


def _answer(make: Callable[[], BaseModel]) -> _Answer:
    plain = make().model_dump_json().encode()
    return _Answer(plain, gzip.compress(plain, COMPRESS_LEVEL))
