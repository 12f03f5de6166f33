"""A run: stages in order, work units, ledger, plan and status."""

from cvlarray.pipeline.context import workspace_of
from cvlarray.pipeline.coverage import write_coverage
from cvlarray.pipeline.plan import Plan, make_plan
from cvlarray.pipeline.run import run_pipeline, search_again
from cvlarray.pipeline.status import StageStatus, read_status
from cvlarray.pipeline.units import Stage

__all__ = [
    "Plan",
    "Stage",
    "StageStatus",
    "make_plan",
    "read_status",
    "run_pipeline",
    "search_again",
    "workspace_of",
    "write_coverage",
]
