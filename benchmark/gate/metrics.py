"""What is gated and compared: each metric with its unit, its better side and its default tolerance."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from benchmark.errors import UsageError

Kind = Literal["utility", "fidelity"]
PROTOCOL = "suite-v1"
WORST = "worst_center_accuracy"


@dataclass(frozen=True)
class Tolerance:
    """How much worse a metric may be: an amount in the metric's unit, or a percentage of the baseline's mean."""

    amount: float
    relative: bool = False

    @classmethod
    def parse(cls, value: object) -> Tolerance:
        """From a number, or a text such as `10 %`.

        Raises:
            UsageError: neither, or below 0.
        """
        text = str(value).strip()
        try:
            amount = math.nan if isinstance(value, bool) else float(text.removesuffix("%"))
        except ValueError:
            amount = math.nan
        if not 0 <= amount < math.inf:
            raise UsageError(f"tolerance {value!r}: write a number in the metric's unit (2.5) or a percentage (10 %)")
        return cls(amount, text.endswith("%"))

    def of(self, baseline: float) -> float:
        """The amount in the metric's unit, at a mean of the baseline."""
        return abs(baseline) * self.amount / 100 if self.relative else self.amount

    def __str__(self) -> str:
        return f"{self.amount:g} %" if self.relative else f"{self.amount:g}"


@dataclass(frozen=True)
class Metric:
    """One metric in the unit in which people see it.

    Attributes:
        scale: from the unit of records and scores to that of gate files: 100 for percent.
        higher: whether higher is better.
        tolerance: the default.
        references: of a fidelity metric, the references on which it is gated; empty for utility.
    """

    name: str
    title: str
    scale: float
    higher: bool
    tolerance: Tolerance
    references: tuple[str, ...] = ()


_METRICS = (
    Metric("accuracy", "accuracy %", 100, True, Tolerance(2)),
    Metric("f1_macro_present", "F %", 100, True, Tolerance(2)),
    Metric("auroc_ovr_macro_present", "AUROC %", 100, True, Tolerance(1)),
    Metric(WORST, "worst centre %", 100, True, Tolerance(2)),
    Metric("fid", "FID", 1, False, Tolerance(10, relative=True), ("heldout",)),
    Metric("kid", "KID x1000", 1000, False, Tolerance(10, relative=True), ("heldout",)),
    Metric("recognition", "recognition %", 100, True, Tolerance(5), ("heldout",)),
    Metric("near_copies", "near copies %", 100, False, Tolerance(1), ("train",)),
)
"""FID and KID against the training images are compared, not gated: there lower may mean copying."""

METRICS: dict[str, Metric] = {metric.name: metric for metric in _METRICS}
SCORES = ("accuracy", "f1_macro_present", "auroc_ovr_macro_present")
"""Utility metrics of a whole track, by their names in `suite-v1`."""
UTILITY = tuple(metric.name for metric in _METRICS if not metric.references)
FIDELITY = tuple(metric.name for metric in _METRICS if metric.references)
OF_KIND: dict[Kind, tuple[str, ...]] = {"utility": UTILITY, "fidelity": FIDELITY}


def is_gated(metric: str, row: str) -> bool:
    """Utility metrics are gated on every row, those of fidelity on their reference, the last part of the row's name."""
    references = METRICS[metric].references
    return not references or row.rsplit(" / ", 1)[-1] in references
