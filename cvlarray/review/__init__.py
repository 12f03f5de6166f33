"""The verification page: a queue, a map, the evidence, and one click to confirm or dismiss.

It needs the extra ``review``.
"""

from cvlarray.review.access import KEY_VARIABLE, read_key, sign_link
from cvlarray.review.app import create_app
from cvlarray.review.database import ReviewDatabase
from cvlarray.review.evidence import Backdrop, Evidence, Picture
from cvlarray.review.listing import OPERATOR, list_alerts
from cvlarray.review.sampling import read_labels
from cvlarray.review.settings import Limits, ReviewSettings
from cvlarray.review.verdicts import check_log, read_verdicts

__all__ = [
    "KEY_VARIABLE",
    "OPERATOR",
    "Backdrop",
    "Evidence",
    "Limits",
    "Picture",
    "ReviewDatabase",
    "ReviewSettings",
    "check_log",
    "create_app",
    "list_alerts",
    "read_key",
    "read_labels",
    "read_verdicts",
    "sign_link",
]
