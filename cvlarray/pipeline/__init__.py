"""A run: stages in order, work units, ledger, plan and status."""

from cvlarray.pipeline.context import workspace_of
from cvlarray.pipeline.costs import (
    Calibration,
    Costs,
    calibrate,
    estimate_costs,
    plan_and_outcome,
    read_calibration,
    save_plan,
)
from cvlarray.pipeline.coverage import write_coverage
from cvlarray.pipeline.plan import Plan, make_plan
from cvlarray.pipeline.run import run_pipeline, search_again
from cvlarray.pipeline.search import CatalogueChange, catalogue_change
from cvlarray.pipeline.status import StageStatus, read_status
from cvlarray.pipeline.units import Stage

__all__ = [
    "Calibration",
    "CatalogueChange",
    "Costs",
    "Plan",
    "Stage",
    "StageStatus",
    "calibrate",
    "catalogue_change",
    "estimate_costs",
    "make_plan",
    "plan_and_outcome",
    "read_calibration",
    "read_status",
    "run_pipeline",
    "save_plan",
    "search_again",
    "workspace_of",
    "write_coverage",
]
