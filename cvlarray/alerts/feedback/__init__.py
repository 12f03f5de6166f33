"""What partners say of alerts, and what the next training cycle learns from it."""

from cvlarray.alerts.feedback.calibrate import Calibration, calibrate, expected_calibration_error
from cvlarray.alerts.feedback.labels import LABEL_DTYPES, ROLLING_DAYS, labelled_set
from cvlarray.alerts.feedback.promote import Promotion, judge_candidate
from cvlarray.alerts.feedback.verdict import VERDICT_DTYPES, Decision, Reason, standing_verdicts

__all__ = [
    "LABEL_DTYPES",
    "ROLLING_DAYS",
    "VERDICT_DTYPES",
    "Calibration",
    "Decision",
    "Promotion",
    "Reason",
    "calibrate",
    "expected_calibration_error",
    "judge_candidate",
    "labelled_set",
    "standing_verdicts",
]
