"""What each utility metric means, in one table. Listing it imports neither torch nor scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from benchmark.errors import UnknownNameError

Direction = Literal["higher", "lower", "none"]
SCORING_VERSION = "2"
"""Told with every score: raise it when any definition or its arithmetic changes (keys hash the code itself)."""
PROTOCOLS: tuple[str, ...] = ("suite-v1", "paper-2407.20072")
CLOSED = "_closed"
SKLEARN = "scikit-learn"
OWN = "fulora-bench"


@dataclass(frozen=True)
class MetricDefinition:
    """One metric: its class set (`present`: classes with an image in the target; `all`: those and every output),
    averaging, direction, range and the code that computes its value."""

    name: str
    summary: str
    classes: Literal["present", "all", "none"]
    averaging: str
    direction: Direction = "higher"
    limits: tuple[float, float] = (0.0, 1.0)
    backend: str = SKLEARN


_OPEN: tuple[MetricDefinition, ...] = (
    MetricDefinition("accuracy", "share of images whose most probable class is the label", "none", "micro"),
    MetricDefinition("balanced_accuracy", "mean recall of the present classes", "present", "macro"),
    MetricDefinition("f1_macro_present", "mean F1 of the present classes", "present", "macro"),
    MetricDefinition("f1_macro_all", "mean F1 of present classes and all outputs; absent ones are 0", "all", "macro"),
    MetricDefinition("precision_macro_present", "mean precision; never predicted counts 0", "present", "macro"),
    MetricDefinition("recall_macro_present", "mean recall of the present classes", "present", "macro"),
    MetricDefinition(
        "auroc_ovr_macro_present", "mean one-vs-rest area under the ROC curve of the scores", "present", "macro"
    ),
    MetricDefinition("mcc", "multi-class Matthews correlation (Gorodkin 2004)", "all", "joint", limits=(-1.0, 1.0)),
    MetricDefinition(
        "brier", "squared distance to the one-hot label, summed over classes", "all", "micro", "lower", (0.0, 2.0), OWN
    ),
    MetricDefinition(
        "ece", "expected calibration error, 15 equal bins of the top probability", "none", "micro", "lower", backend=OWN
    ),
    MetricDefinition(
        "other_rate", "share of images predicted as 'other' (an error where it is absent)", "none", "micro", "lower",
        backend=OWN,
    ),
)  # fmt: skip
NEVER_CLOSED = ("f1_macro_all", "other_rate")
"""Defined by outputs that the target lacks, so they have no closed reading."""

_PAPER: tuple[MetricDefinition, ...] = (
    MetricDefinition("accuracy", "share of images whose most probable class is the label", "none", "micro"),
    MetricDefinition("f1_paper", "mean F1 of the present classes", "present", "macro"),
    MetricDefinition("precision_paper", "mean precision; never predicted counts 0", "present", "macro"),
    MetricDefinition("recall_paper", "mean recall of the present classes", "present", "macro"),
    MetricDefinition(
        "auc_paper",
        "mean area of hard labels, negative only where another present class is predicted",
        "present",
        "macro",
        backend=OWN,
    ),
)


def _closed(metric: MetricDefinition) -> MetricDefinition:
    return replace(
        metric,
        name=metric.name + CLOSED,
        summary=f"{metric.summary}; probabilities renormalised to the present classes",
        classes="none" if metric.classes == "none" else "present",
    )


METRICS: dict[str, tuple[MetricDefinition, ...]] = {
    "suite-v1": (*_OPEN, *(_closed(metric) for metric in _OPEN if metric.name not in NEVER_CLOSED)),
    "paper-2407.20072": _PAPER,
}


def metric_definitions(protocol: str = "suite-v1") -> tuple[MetricDefinition, ...]:
    """The metrics of a protocol, in the order in which they are reported.

    Raises:
        UnknownNameError: no such protocol.
    """
    if protocol not in METRICS:
        raise UnknownNameError("metric protocol", protocol, PROTOCOLS)
    return METRICS[protocol]


def metric_definition(name: str, protocol: str = "suite-v1") -> MetricDefinition:
    """One metric of a protocol by name.

    Raises:
        UnknownNameError: no such protocol or metric.
    """
    known = {metric.name: metric for metric in metric_definitions(protocol)}
    if name not in known:
        raise UnknownNameError("metric", name, known)
    return known[name]
