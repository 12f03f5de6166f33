"""A model over a cube of any size: the same bytes for any chunking."""

from cvlarray.inference.blend import Blend, Cosine, Crop
from cvlarray.inference.infer import infer
from cvlarray.inference.lattice import Lattice

__all__ = ["Blend", "Cosine", "Crop", "Lattice", "infer"]
