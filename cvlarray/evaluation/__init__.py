"""How good models are, on what they were not trained on: Table 1, changes, dates, calibration.

Regions are held out twice over: by their seeds, and by ranges of land use that no training has.
What comes from the simulator is called simulated wherever a number is shown.
"""

from cvlarray.evaluation.bootstrap import Estimate, estimate
from cvlarray.evaluation.evaluate import evaluate
from cvlarray.evaluation.page import write_page
from cvlarray.evaluation.regions import HeldOut
from cvlarray.evaluation.results import Evaluation

__all__ = ["Estimate", "Evaluation", "HeldOut", "estimate", "evaluate", "write_page"]
