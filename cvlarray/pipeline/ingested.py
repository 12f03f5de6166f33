"""What the pixels of the cube were made from, as the ledger has it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from cvlarray.grid import Tile
from cvlarray.pipeline.context import DateBlock, RunContext
from cvlarray.pipeline.units import Stage
from cvlarray.store import Ledger, input_hash

DateInput = tuple[str, str]
"""A date, and a hash of what its pixels were made from."""


def unit_key(tile: Tile, block: DateBlock) -> str:
    """Return the name of a tile and block of dates, such as ``r000c001/2019-03-04``."""
    return f"{tile.name}/{block.days[0].date}"


@dataclass(frozen=True)
class Ingested:
    """The pixels of each tile on some dates.

    Hashes of blocks tell whether they are still the same; the ledger's details, a hundred times as
    long, are read only of tiles whose dates are asked for.
    """

    ledger: Ledger
    time: slice
    """Which dates, along the cube's time."""
    blocks: tuple[DateBlock, ...]
    """Those that have such dates."""
    known: Mapping[str, str]
    """Hash of each unit of ingest that was done, as whole as its assets allowed."""
    whole: Mapping[str, str]
    """Of those without an unread asset."""
    corrections: Mapping[str, str] = field(default_factory=dict)
    """Hash of what the tile's dates are corrected by, by its name."""

    @classmethod
    def of(cls, context: RunContext, ledger: Ledger, time: slice) -> Ingested:
        """Return what was ingested of some dates.

        Parameters
        ----------
        time
            Along the cube's time.
        """
        blocks = tuple(
            block
            for block in context.date_blocks()
            if block.time.start < time.stop and block.time.stop > time.start
        )
        known, whole = ledger.hashes(Stage.INGEST), ledger.done(Stage.INGEST)
        return cls(ledger, time, blocks, known, whole)

    def has(self, tile: Tile) -> bool:
        """Return whether anything was ingested of a tile."""
        return any(unit_key(tile, block) in self.known for block in self.blocks)

    def identity(self, tile: Tile) -> str:
        """Return the hash of all that the tile's pixels depend on."""
        parts: list[str | DateInput] = []
        for block in self.blocks:
            key = unit_key(tile, block)
            is_inside = self.time.start <= block.time.start and block.time.stop <= self.time.stop
            if is_inside and key in self.whole:
                parts.append(self.whole[key])
            else:
                parts.extend(self._of_block(tile, block))
        return input_hash(parts, self.corrections.get(tile.name))

    def dates(self, tile: Tile) -> tuple[DateInput, ...]:
        """Return what identifies the tile's pixels, date by date, of those that were ingested.

        Where assets stayed unread, the hash tells the date apart from the same with others unread.
        """
        found = [one for block in self.blocks for one in self._of_block(tile, block)]
        correction = self.corrections.get(tile.name)
        if correction is None:
            return tuple(found)
        return tuple((date, input_hash(identity, correction)) for date, identity in found)

    def _of_block(self, tile: Tile, block: DateBlock) -> Iterator[DateInput]:
        key = unit_key(tile, block)
        row = self.ledger.row(Stage.INGEST, key) if key in self.known else None
        if row is None:
            return
        read, rest = row.detail["dates"], None
        for position, day in enumerate(block.days, block.start):
            if not self.time.start <= position < self.time.stop:
                continue
            identity = read.get(str(day.date))
            if identity is None:
                identity = rest = rest or input_hash(row.input_hash, row.detail["unread"])
            yield str(day.date), identity
