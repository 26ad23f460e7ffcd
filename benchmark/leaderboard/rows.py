"""What rows of utility tables share: what was trained on what, scores, counts, standing, and the columns of these."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from benchmark.classes import CLASSES
from benchmark.leaderboard.comparisons import RunScores
from benchmark.leaderboard.tables import Column, Table, Value
from benchmark.leaderboard.views import COPY_LIMIT, Series, Tried

Row = dict[str, Value]

WHERE = (
    Column("run", "run", optional=True),
    Column("track", "track", "the target images that are tested on", optional=True),
    Column("backbone", "backbone", "the classifier", optional=True),
    Column("augmentation", "augmentation", "classical augmentation of every training image", optional=True),
    Column("trained_on", "trained on", "images of the classifier's training set, and how their classes are balanced"),
    Column("method", "method", data=True),
    Column("mix", "mix", "real, real+synthetic, synthetic, or target", data=True),
    Column("balance", "balance", "natural, sampling, loss or subset", data=True),
    Column("compute", "compute", "matched or unmatched numbers of optimiser steps", data=True),
)
GAIN = Column("gain", "gain", "accuracy minus the control's (real images alone, balanced sampling; same backbone, augmentation, seeds), points of percent, paired by image and repetition", "points", signed=True)  # fmt: skip # noqa: E501
P_HOLM = Column("p_holm", "p (Holm)", "two-sided: the larger p of a permutation of whole clusters and of the gain's interval, Holm-corrected for all rows against one control", digits=3, p=True)  # fmt: skip # noqa: E501
TIES = Column("ties", "ties", "ranked rows that share a letter are not told apart by this run")
ACCURACY = Column("accuracy", "accuracy %", "suite-v1 accuracy, open: five outputs, `other` counts as an error", "percent")  # fmt: skip # noqa: E501
F1 = Column("f1", "F %", "suite-v1 f1_macro_present: mean F1 of the classes present in the target", "percent")
AUC = Column("auc", "AUC %", "suite-v1 auroc_ovr_macro_present: one-vs-rest area of the scores, mean of present classes", "percent")  # fmt: skip # noqa: E501
STATUS = Column("status", "status")
COUNTS = (
    Column("n_per_class", "n/class", "synthetic images per class and repetition (smallest class)"),
    Column("repetitions", "repetitions", "repetitions that are ok / planned"),
    STATUS,
)
RANKED = Column("ranked", "ranked", "false: timed out, copies training images or was not searched for copies, upper reference, or without a result", data=True)  # fmt: skip # noqa: E501
COPIED = (
    f"copies: more than {100 * COPY_LIMIT:g} % of the samples of a repetition (the largest share is shown) are "
    "near-copies of training images. Such a method gives real images back, so it is shown and never ranked."
)


def where(scores: RunScores, series: Series, track: str = "") -> Row:
    """Which row of which run this is, on which track, and whether it is ranked there."""
    on = track or scores.primary
    return {
        "run": scores.view.label,
        "track": on,
        "backbone": series.backbone,
        "augmentation": series.augmentation,
        "trained_on": series.title,
        "method": series.method,
        "mix": series.mix,
        "balance": series.balance,
        "compute": series.compute,
        "ranked": scores.is_ranked(series, on),
        "status": scores.view.summary(scores.rows[series]),
    }


def percent(scores: RunScores, series: Series, track: str, **metrics: str) -> Row:
    """Metrics of suite-v1 in percent, by the key of their column."""
    return {key: scores.estimate(series, track, metric).scaled(100) for key, metric in metrics.items()}


def headline_scores(scores: RunScores, series: Series, track: str = "") -> Row:
    """Gain with its corrected p, accuracy, F and AUC."""
    on = track or scores.primary
    gain: Row = {"gain": scores.gain(series, on).scaled(100), "p_holm": scores.compared(series, on).p_holm}
    return gain | percent(scores, series, on, accuracy="accuracy", f1="f1_macro_present", auc="auroc_ovr_macro_present")


def counts(scores: RunScores, series: Series) -> Row:
    """Synthetic images per class, and how many repetitions are ok."""
    generated = [tried.record for tried in scores.view.generated(series.method) if tried.record is not None]
    made = [record.outputs["per_class"] for record in generated if record.outputs.get("per_class")]
    sizes = [min(found.get(label, 0) for label in CLASSES) for found in made]
    return {
        "n_per_class": 0 if series.is_upper_reference else series.n_synthetic or min(sizes, default=0),
        "repetitions": told_repetitions(scores.rows[series]),
    }


def told_repetitions(cells: list[Tried]) -> str:
    """Repetitions that are ok / planned."""
    return f"{sum(tried.ok for tried in cells)}/{len(cells)}"


def headlines(runs: Iterable[RunScores]) -> Iterator[tuple[RunScores, Series]]:
    """The rows of the main table, in its order."""
    for scores in runs:
        for series in scores.headline:
            yield scores, series


def chosen(runs: Iterable[RunScores], **wanted: object) -> Iterator[tuple[RunScores, Series]]:
    """Other rows than those of the dose-response, by their attributes, in the order of the board."""
    for scores in runs:
        fitting = [
            series
            for series in scores.rows
            if not series.is_dose and all(getattr(series, name) == value for name, value in wanted.items())
        ]
        for series in scores.ordered(fitting):
            yield scores, series


def finished(runs: Iterable[RunScores], table: Table) -> Table:
    """The table with the status of its rows where one is not ranked for a fault, and the rule on copies where used."""
    views = {scores.view.label: scores.view for scores in runs}
    columns, notes = table.columns, table.notes
    methods = {(str(row["run"]), str(row["method"])) for row in table.rows if row["mix"] != "target"}
    if STATUS not in columns and any(not views[run].rankable(method) for run, method in methods):
        columns = (*columns, STATUS)
    if any(views[run].copied(method) for run, method in methods):
        notes = (*notes, COPIED)
    if RANKED not in columns:
        columns = (*columns, RANKED)
    return replace(table, columns=columns, notes=notes)
