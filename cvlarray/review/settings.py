"""What the page needs to know of its run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from cvlarray.alerts.route import Partner
from cvlarray.review.evidence import Evidence

__all__ = ["Limits", "ReviewSettings"]


@dataclass(frozen=True)
class Limits:
    """How much one visitor may ask for."""

    reads_per_minute: int = 600
    verdicts_per_minute: int = 60
    links_per_minute: int = 30
    """Of one address: who guesses links guesses slowly."""
    body_bytes: int = 16_384
    """Longest request body; a verdict with the longest note has less than half of it."""


@dataclass(frozen=True)
class ReviewSettings:
    """A review page of one run."""

    title: str
    database: Path
    """`cvlarray.review.database.ReviewDatabase` of the workspace."""
    alerts_parquet: Path
    """Looked at anew whenever it has changed."""
    key: str
    """Secret that signs links and sessions; see `cvlarray.review.access.read_key`."""
    public_url: str
    """Where reviewers reach the page, such as ``https://review.example.org``."""
    evidence: Evidence
    partners: Sequence[Partner] = ()
    sample: Path | None = None
    """What ``cvlarray sample`` writes: points to label; it may be absent."""
    limits: Limits = Limits()
    look_again_s: float = 5.0
    """How often the alerts' file is looked at for a new run [s]."""

    def __post_init__(self) -> None:
        parts = urlsplit(self.public_url)
        if parts.scheme not in {"http", "https"} or not parts.netloc:
            raise ValueError(
                f"public_url must be an http or https address, got {self.public_url!r}"
            )

    @property
    def is_secure(self) -> bool:
        """Whether reviewers come by https, so that cookies may not travel without."""
        return self.public_url.startswith("https:")
