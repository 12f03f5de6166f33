"""Years of a watch: yearly maps, areas with intervals, growth of sites, and what may be compared.

Everything here looks back over a finished watch; nothing here changes what it found.
"""

from cvlarray.annual.areas import (
    AREA_COLUMNS,
    areas_by_year,
    areas_with_intervals,
    certain_areas,
)
from cvlarray.annual.generations import (
    Generation,
    generations_of,
    overlap_calibrated,
    yearly_differences,
)
from cvlarray.annual.hindsight import SHARES, count_agents, mines_among, shares_of
from cvlarray.annual.maps import agents, land_cover_by_year, yearly_change, yearly_clear
from cvlarray.annual.sample import (
    Strata,
    count_labels,
    reference_class,
    sample_sizes,
    strata_of,
)
from cvlarray.annual.trends import TREND_COLUMNS, event_years, growth_curves, rank_growth

__all__ = [
    "AREA_COLUMNS",
    "SHARES",
    "TREND_COLUMNS",
    "Generation",
    "Strata",
    "agents",
    "areas_by_year",
    "areas_with_intervals",
    "certain_areas",
    "count_agents",
    "count_labels",
    "event_years",
    "generations_of",
    "growth_curves",
    "land_cover_by_year",
    "mines_among",
    "overlap_calibrated",
    "rank_growth",
    "reference_class",
    "sample_sizes",
    "shares_of",
    "strata_of",
    "yearly_change",
    "yearly_clear",
    "yearly_differences",
]
