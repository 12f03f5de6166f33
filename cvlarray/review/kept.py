"""Answers that stay the same until something is written: the first view of everybody's page."""

from __future__ import annotations

import gzip
import threading
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
    """JSON by what was asked, with the generation of the database that it is of; for threads."""

    def __init__(self, database: ReviewDatabase) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._generation = -1
        self._answers: dict[Hashable, _Answer] = {}

    def answer(self, request: Request, asked: Hashable, make: Callable[[], BaseModel]) -> Response:
        """Return the answer to what is asked, made anew if anything was written since."""
        generation = self._database.generation()
        with self._lock:
            if generation != self._generation or len(self._answers) >= MOST_ANSWERS:
                self._answers, self._generation = {}, generation
            answers = self._answers
        found = answers.get(asked)
        if found is None:
            plain = make().model_dump_json().encode()
            found = answers[asked] = _Answer(plain, gzip.compress(plain, COMPRESS_LEVEL))
        if "gzip" not in request.headers.get("accept-encoding", ""):
            return Response(found.plain, media_type="application/json")
        headers = {"content-encoding": "gzip", "vary": "accept-encoding"}
        return Response(found.compressed, media_type="application/json", headers=headers)
