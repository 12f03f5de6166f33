"""Pictures of what is watched: a pixel through time, and maps of one variable.

Each function draws into axes of yours, or makes a figure of its own outside pyplot: a notebook
shows it, and ``figure.savefig(path)`` writes it.
"""

from cvlarray.plots.map import plot_map
from cvlarray.plots.pixel import plot_pixel

__all__ = ["plot_map", "plot_pixel"]
