"""Answers that stay the same until something is written: the first view of everybody's page."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from fastapi import Request, Response
from pydantic import BaseModel

from cvlarray.review.database import ReviewDatabase

__all__ = ["Kept", "KeptAnswers"]

MOST_ANSWERS = 512
"""Of some 15 kB each."""
COMPRESS_LEVEL = 5


@dataclass(frozen=True)
class Kept:
    """An answer as it is sent."""

    plain: bytes
    compressed: bytes
    in_page: str
    """To stand within a page's script element of JSON: without what could end it."""


class KeptAnswers:
    """JSON by what was asked, with the generation of the database that it is of.

    Asked from the event loop: an answer that is kept costs no thread, and one that isn't is made
    once in a thread, however many ask for it meanwhile.
    """

    def __init__(self, database: ReviewDatabase) -> None:
        self._database = database
        self._generation = -1
        self._answers: dict[Hashable, asyncio.Task[Kept]] = {}

    async def answer(
        self, request: Request, asked: Hashable, make: Callable[[], BaseModel]
    ) -> Response:
        """Return the answer to what is asked, made anew if anything was written since."""
        found = await self.get(asked, make)
        if "gzip" not in request.headers.get("accept-encoding", ""):
            return Response(found.plain, media_type="application/json")
        headers = {"content-encoding": "gzip", "vary": "accept-encoding"}
        return Response(found.compressed, media_type="application/json", headers=headers)

    async def get(self, asked: Hashable, make: Callable[[], BaseModel]) -> Kept:
        """Return what is kept of what is asked."""
        generation = self._database.generation()
        if generation != self._generation or len(self._answers) >= MOST_ANSWERS:
            self._answers, self._generation = {}, generation
        answers = self._answers
        if asked not in answers:
            answers[asked] = asyncio.create_task(asyncio.to_thread(_made, make))
        try:
            return await asyncio.shield(answers[asked])  # whoever goes away stops it for nobody
        except Exception:
            answers.pop(asked, None)
            raise


def _made(make: Callable[[], BaseModel]) -> Kept:
    text = make().model_dump_json()
    plain = text.encode()
    in_page = text.replace("<", r"\u003c")  # only strings have it
    return Kept(plain, gzip.compress(plain, COMPRESS_LEVEL), in_page)
