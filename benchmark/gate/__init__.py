"""Two runs of one experiment: what changed, and whether it may. Reads records and stored predictions; never trains."""

from benchmark.gate.baseline import Baseline, read_baseline, write_baseline
from benchmark.gate.comparison import Comparison, compare, open_side
from benchmark.gate.left_out import left_out
from benchmark.gate.metrics import METRICS, Metric, Tolerance
from benchmark.gate.snapshot import Snapshot, take
from benchmark.gate.verdicts import FAILING, Finding, Report, check_same, judge

__all__ = [
    "FAILING",
    "METRICS",
    "Baseline",
    "Comparison",
    "Finding",
    "Metric",
    "Report",
    "Snapshot",
    "Tolerance",
    "check_same",
    "compare",
    "judge",
    "left_out",
    "open_side",
    "read_baseline",
    "take",
    "write_baseline",
]
