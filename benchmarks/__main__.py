"""`python -m benchmarks`: measures, prints a row a target, and exits 1 if one falls short."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence

from benchmarks.registry import discover
from benchmarks.targets import GROUPS, Target, load_targets
from benchmarks.verdicts import TABLE_HEAD, Row, json_line, measure_all, summary, table_line


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--only", action="append", metavar="GROUP", help=f"{', '.join(GROUPS)}, or group/name"
    )
    parser.add_argument("--json", action="store_true", help="one object a line")
    return parser.parse_args(argv)


def select(targets: Sequence[Target], only: Sequence[str] | None) -> list[Target]:
    """Return the targets of the groups or names asked for, all without any.

    Raises
    ------
    SystemExit
        If a name selects nothing.
    """
    for name in only or ():
        if not any(name in (target.group, target.key) for target in targets):
            raise SystemExit(
                f"--only takes a group ({', '.join(GROUPS)}) or group/name, got {name}"
            )
    return [t for t in targets if not only or t.group in only or t.key in only]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure what was asked for and return the exit code."""
    options = arguments(argv)
    targets = select(load_targets(), options.only)
    found = discover({target.group for target in targets})
    rows: list[Row] = []
    if not options.json:
        print(TABLE_HEAD)
    for row in measure_all(targets, found):
        rows.append(row)
        print(json_line(row) if options.json else table_line(row), flush=True)
    if not options.json:
        print(summary(rows))
    return int(any(row.verdict.is_short for row in rows))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is stopped
    sys.exit(main())
