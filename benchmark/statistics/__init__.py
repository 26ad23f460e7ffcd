"""Statistics of paired measurements on clusters: resampling, intervals, comparisons, power.

Functions of arrays: nothing here knows a record, a cell or a file. `docs/statistics.md` says why each form was chosen.
"""

from benchmark.statistics.comparisons import holm, interval_p, letters, mcnemar, separated, swap_test
from benchmark.statistics.gains import GATE_LEVEL, gate_gain, paired_gain
from benchmark.statistics.intervals import (
    Interval,
    Measured,
    interval,
    stack,
)
from benchmark.statistics.power import smallest_detectable
from benchmark.statistics.resampling import cluster_counts

__all__ = [
    "GATE_LEVEL",
    "Interval",
    "Measured",
    "cluster_counts",
    "gate_gain",
    "holm",
    "interval",
    "interval_p",
    "letters",
    "mcnemar",
    "paired_gain",
    "separated",
    "smallest_detectable",
    "stack",
    "swap_test",
]
