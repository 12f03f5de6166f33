"""The log of a training: a row a step, in CSV."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from pathlib import Path

from cvlarray.store.atomic import write_atomic

__all__ = ["COLUMNS", "TrainingLog"]

COLUMNS = ("step", "loss", "learning_rate", "validation_miou")


@dataclass
class TrainingLog:
    """Rows so far; what was written after the last saved state is done again."""

    path: Path
    rows: list[tuple[str, ...]] = field(default_factory=list)

    @classmethod
    def after(cls, path: Path, step: int) -> TrainingLog:
        """Return the log up to a step."""
        if not step or not path.exists():
            return cls(path)
        with path.open(newline="") as file:
            rows = [tuple(row) for row in csv.reader(file)][1:]
        return cls(path, [row for row in rows if int(row[0]) <= step])

    def add(self, step: int, loss: float, learning_rate: float, score: float | None) -> None:
        """Take a step's row."""
        validation = "" if score is None else f"{score:.6f}"
        self.rows.append((str(step), f"{loss:.6f}", f"{learning_rate:.3e}", validation))

    def flush(self) -> None:
        """Write all rows.

        Raises
        ------
        StoreError
            If they can't be written.
        """
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(self.rows)
        write_atomic(self.path, text.getvalue())
