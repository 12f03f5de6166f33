"""Label chips, splits that don't leak, and a loop that one seed decides.

Nothing here imports torch until `fit` or `loop` is imported (extra ``models``).
"""

from cvlarray.training.chips import (
    NO_LABEL,
    Chip,
    ChipKind,
    ChipSet,
    LabelSource,
    read_chips,
    write_chips,
)
from cvlarray.training.feedback import FeedbackChips, JoinedChips
from cvlarray.training.recipe import Augmentation, Recipe
from cvlarray.training.splits import Split, split_by_place

__all__ = [
    "NO_LABEL",
    "Augmentation",
    "Chip",
    "ChipKind",
    "ChipSet",
    "FeedbackChips",
    "JoinedChips",
    "LabelSource",
    "Recipe",
    "Split",
    "read_chips",
    "split_by_place",
    "write_chips",
]
