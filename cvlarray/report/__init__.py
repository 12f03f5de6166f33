"""The report of a run: one self-contained HTML page, and the charts and map on it."""

from cvlarray.report.inputs import (
    Background,
    Limits,
    Period,
    Provenance,
    ReportInputs,
    UnreadAsset,
)
from cvlarray.report.render import render_report, write_report

__all__ = [
    "Background",
    "Limits",
    "Period",
    "Provenance",
    "ReportInputs",
    "UnreadAsset",
    "render_report",
    "write_report",
]
