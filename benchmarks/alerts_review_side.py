"""Serves the listed alerts: ``python -m benchmarks.alerts_review_side FOLDER URL KEY``."""

from __future__ import annotations

import sys
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn

from cvlarray.review import Limits, ReviewSettings, create_app


class NoEvidence:
    """The first view shows no alert's evidence."""

    def picture(self, event_id: str, when: str) -> None:  # noqa: ARG002
        return None

    def series(self, event_id: str) -> None:  # noqa: ARG002
        return None

    def point_picture(self, point_id: str, when: str) -> None:  # noqa: ARG002
        return None

    def point_series(self, point_id: str) -> None:  # noqa: ARG002
        return None

    def backdrop(self) -> None:
        return None


def main(folder: Path, url: str, key: str) -> None:
    """Serve until terminated."""
    settings = ReviewSettings(
        title="A million alerts",
        database=folder / "review.db",
        alerts_parquet=folder / "alerts.parquet",  # not there: they are listed already
        key=key,
        public_url=url,
        evidence=NoEvidence(),
        limits=Limits(reads_per_minute=10**6, links_per_minute=10**6),
    )
    address = urlsplit(url)
    uvicorn.run(
        create_app(settings), host=str(address.hostname), port=address.port or 0, log_level="error"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
