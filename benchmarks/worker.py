"""One side of a comparison, in a process of its own; any environment has all that this imports.

`python -m benchmarks.worker module:function` calls the function once. It prepares its input and
returns the work (a function without arguments) and how many units that does. The work runs once
before the first answer, so that compiling isn't timed; each line on standard input runs it again.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable

Work = tuple[Callable[[], object], float]


def main() -> None:
    """Serve until standard input ends."""
    module, _, function = sys.argv[1].partition(":")
    work, units = getattr(importlib.import_module(module), function)()
    work()
    print(json.dumps({"units": units}), flush=True)
    for _ in sys.stdin:
        cpu, wall = time.process_time(), time.perf_counter()
        work()
        times = {"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - wall}
        print(json.dumps(times), flush=True)


if __name__ == "__main__":
    main()
