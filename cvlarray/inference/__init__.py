"""A model over cubes of any size: the same bytes however they are cut."""

from cvlarray.inference.blend import Blend, Cosine, Crop
from cvlarray.inference.block import NO_CLASS
from cvlarray.inference.changed import change_probability, confirmed_change
from cvlarray.inference.infer import infer
from cvlarray.inference.lattice import Lattice
from cvlarray.inference.lease import Lease, LeaseStatistics, Windows, run_lease, superblocks
from cvlarray.inference.maps import create_maps, map_variables

__all__ = [
    "NO_CLASS",
    "Blend",
    "Cosine",
    "Crop",
    "Lattice",
    "Lease",
    "LeaseStatistics",
    "Windows",
    "change_probability",
    "confirmed_change",
    "create_maps",
    "infer",
    "map_variables",
    "run_lease",
    "superblocks",
]
