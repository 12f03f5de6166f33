"""Which chips are trained on and which are kept apart: by place, so that nothing leaks."""

from __future__ import annotations

from enum import StrEnum

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

__all__ = ["Split", "split_by_place"]


class Split(StrEnum):
    """What a chip is for."""

    TRAIN = "train"
    VALIDATION = "validation"
    """Says when to stop."""
    TEST = "test"
    """Looked at once, at the end."""
    GUARD = "guard"
    """Too near to chips of another split; for nothing."""


def split_by_place(
    table: gpd.GeoDataFrame,
    *,
    block_m: float,
    guard_m: float,
    validation_share: float,
    test_share: float,
    seed: int,
) -> NDArray[np.str_]:
    """Return the split of each chip.

    The plane is cut into squares; each is drawn for one split as a whole. Chips nearer than the
    guard distance to one of another split give way: those for training first, then those for
    validation.

    Parameters
    ----------
    table
        Footprints in a metric CRS.
    block_m
        Side of a square [m].
    guard_m
        No two chips of different splits are nearer than this [m].
    validation_share, test_share
        Of the squares.
    seed
        Another seed is another draw; a square's split doesn't depend on which others there are.

    Returns
    -------
    (chip,) names of `Split`.

    Raises
    ------
    ValueError
        If sizes or shares make no sense, or the CRS isn't metric.

    References
    ----------
    Roberts, D. R. et al. (2017), Cross-validation strategies for data with temporal, spatial,
    hierarchical, or phylogenetic structure, Ecography 40, doi:10.1111/ecog.02881.
    """
    _check(table, block_m, guard_m, validation_share, test_share)
    shapes = np.asarray(table.geometry)
    draws = _draws(shapes, block_m, seed)
    splits = np.where(draws < test_share, Split.TEST, Split.TRAIN).astype("<U10")
    is_validation = (draws >= test_share) & (draws < test_share + validation_share)
    splits[is_validation] = Split.VALIDATION
    for giving_way, kept in (
        (Split.TRAIN, (Split.VALIDATION, Split.TEST)),
        (Split.VALIDATION, (Split.TEST,)),
    ):
        splits[_near(shapes, splits == giving_way, np.isin(splits, kept), guard_m)] = Split.GUARD
    return splits


def _check(
    table: gpd.GeoDataFrame,
    block_m: float,
    guard_m: float,
    validation_share: float,
    test_share: float,
) -> None:
    if block_m <= 0 or guard_m < 0 or min(validation_share, test_share) < 0:
        raise ValueError(
            f"block_m must be above 0, guard_m and shares at least 0, got {block_m}, "
            f"{guard_m}, {validation_share} and {test_share}"
        )
    if validation_share + test_share >= 1:
        raise ValueError(
            f"shares must leave something to train on, got {validation_share} and {test_share}"
        )
    if table.crs is None or not table.crs.is_projected:
        raise ValueError(f"chips need a metric CRS to be split by place, got {table.crs}")


def _draws(shapes: NDArray[np.object_], block_m: float, seed: int) -> NDArray[np.float64]:
    """Return the draw of the square in which the middle of each footprint lies."""
    corner = shapely.bounds(shapes)
    centres = np.stack([corner[:, 0] + corner[:, 2], corner[:, 1] + corner[:, 3]], axis=1) / 2
    blocks = np.floor(centres / block_m).astype(np.int64)
    return np.array([_draw(seed, *block) for block in blocks])


def _draw(seed: int, row: int, col: int) -> float:
    """Return a number from 0 to 1 that a square keeps."""
    words = [seed, *(int(one) & 0xFFFF_FFFF for one in (row, col))]
    return float(np.random.default_rng(words).random())


def _near(
    shapes: NDArray[np.object_], ours: NDArray[np.bool_], others: NDArray[np.bool_], distance: float
) -> NDArray[np.int64]:
    """Return which of ours lie nearer than a distance to one of the others."""
    mine = np.flatnonzero(ours)
    if not others.any() or not mine.size:
        return np.array([], np.int64)
    tree = shapely.STRtree(shapes[others])
    found = tree.query(shapes[mine], predicate="dwithin", distance=distance)[0]
    return np.asarray(np.unique(mine[found]), np.int64)
