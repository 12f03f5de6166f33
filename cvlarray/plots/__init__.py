"""Pictures of what is watched: a pixel through time, and maps of one variable.

Each function draws into axes of yours, or makes a figure of its own outside pyplot: a notebook
shows it, and ``figure.savefig(path)`` writes it. `explore_pixel` is one to zoom into (extra
``interactive``).
"""

from cvlarray.plots.interactive import explore_pixel
from cvlarray.plots.map import plot_map
from cvlarray.plots.pixel import plot_pixel

__all__ = ["explore_pixel", "plot_map", "plot_pixel"]
