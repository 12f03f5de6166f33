"""Building cubes: against the bare decoding of the same pixels, and against our peers."""

from __future__ import annotations

import sys

from benchmarks.cubes_scenes import scenes
from benchmarks.cubes_sides import LARGE, SHARD_PX, SIZE, TILE_PX
from benchmarks.measure import ONE_THREAD, Worker, compare, run_command
from benchmarks.registry import Measurement, measures

PAIRS = 3
WHAT = f"{SIZE[0]} × {SIZE[1]} px, 24 dates, 4 bands of 10 m and 2 of 20 m, two granules"


def against(ours: str, peer: str, *, pairs: int = PAIRS) -> tuple[float, float, str]:
    """Return the peer's CPU over ours, the peer's CPU-s, and how it was measured."""
    scenes(*SIZE)
    with (
        Worker(f"benchmarks.cubes_sides:{ours}", env=ONE_THREAD) as first,
        Worker(f"benchmarks.cubes_sides:{peer}", env=ONE_THREAD) as second,
    ):
        both = compare(first.cpu_per_unit, second.cpu_per_unit, pairs=pairs)
    return both.ratio, both.peer, f"{both.note('a cube')}; {WHAT}"


@measures("build_cpu_aligned")
def build_cpu_aligned() -> Measurement:
    """The floor reads the overlap of the granules once, as we do."""
    ratio, decode_s, note = against("build_aligned", "decode_aligned")
    return Measurement(1 / ratio, "×", decode_s, 1 / ratio, note)


@measures("build_cpu_misaligned")
def build_cpu_misaligned() -> Measurement:
    """The floor reads each file's window once, whatever our tiles."""
    ratio, decode_s, note = against("build_misaligned", "decode_misaligned")
    return Measurement(1 / ratio, "×", decode_s, 1 / ratio, note)


@measures("odc_stac_cpu")
def odc_stac_cpu() -> Measurement:
    """With a chunk a date, which is its quickest."""
    ratio, peer_s, note = against("build_aligned", "build_odc_stac")
    return Measurement(ratio, "×", peer_s, ratio, note)


@measures("stackstac_cpu")
def stackstac_cpu() -> Measurement:
    """With chunks of 512 pixels and a mosaic of each date, as its documentation has it.

    In DN instead of its default float64 the peer is quicker; the note has that ratio too.
    """
    in_dn, _, _ = against("build_aligned", "build_stackstac_in_dn", pairs=1)
    ratio, peer_s, note = against("build_aligned", "build_stackstac", pairs=1)
    how = f"stackstac.stack(chunksize=512).groupby('time').map(mosaic); {in_dn:.3g} × in uint16"
    return Measurement(ratio, "×", peer_s, ratio, f"{how}; {note}")


@measures("time_contiguous_shards")
def time_contiguous_shards() -> Measurement:
    """24 dates a shard against one."""
    ratio, peer_s, note = against("build_aligned", "build_date_by_date")
    return Measurement(1 / ratio, "×", peer_s, 1 / ratio, note)


@measures("peak_memory")
def peak_memory() -> Measurement:
    """Of the whole process, in tiles of one shard; larger ones open fewer files."""
    scenes(*LARGE)
    usages = {
        tile_px: run_command(
            [sys.executable, "-m", "benchmarks.cubes_sides", "2", str(tile_px)], env=ONE_THREAD
        )
        for tile_px in (SHARD_PX, TILE_PX)
    }
    each = (
        f"tiles of {tile_px} px {usage.peak_rss_bytes / 1e6:.0f} MB and {usage.cpu_s:.3g} CPU-s"
        for tile_px, usage in usages.items()
    )
    note = f"{LARGE[0]} × {LARGE[1]} px, 24 dates, 6 bands; {', '.join(each)}"
    return Measurement(usages[SHARD_PX].peak_rss_bytes / 1e6, "MB", note=note)
