"""The dose-response: gain against the numbers of real and of synthetic images."""

from __future__ import annotations

from benchmark.leaderboard.comparisons import RunScores
from benchmark.leaderboard.rows import (
    ACCURACY,
    AUC,
    F1,
    GAIN,
    WHERE,
    Row,
    finished,
    headline_scores,
    told_repetitions,
    where,
)
from benchmark.leaderboard.tables import Column, Table
from benchmark.leaderboard.views import Series

ALL = "all"
DOSE = (
    *(column for column in WHERE if column.key not in ("trained_on", "method")),
    Column("method", "method"),
    Column("real_per_class", "real / class", "real images of each class; `all` takes the whole source"),
    Column("synthetic_per_class", "synthetic / class", "synthetic images of each class"),
    GAIN,
    Column("p_holm", "p (Holm)", "corrected for all rows of the dose-response of a backbone and augmentation", digits=3, p=True),  # noqa: E501
    ACCURACY,
    F1,
    AUC,
    Column("repetitions", "repetitions", "repetitions that are ok / planned"),
)  # fmt: skip
NOTES = (
    "The gain is over real images alone in the same number, sampled evenly like all rows here. The fewer the real "
    "images of the classifier, the larger the share of them that the generator saw, too; below its own number "
    "it saw more.",
)


def dose_table(runs: list[RunScores]) -> Table:
    """Method by method, from few real images to many, from few synthetic images to many."""
    rows = []
    for scores in runs:
        doses = [series for series in scores.rows if series.is_dose]
        for series in sorted(doses, key=_order):
            rows.append(where(scores, series) | headline_scores(scores, series) | _numbers(scores, series))
    table = Table("dose_response", "Dose-response", DOSE, tuple(rows), NOTES if rows else ())
    return finished(runs, table) if rows else table


def _numbers(scores: RunScores, series: Series) -> Row:
    return {
        "real_per_class": str(series.n_real or ALL),
        "synthetic_per_class": series.n_synthetic,
        "repetitions": told_repetitions(scores.rows[series]),
    }


def _order(series: Series) -> tuple[object, ...]:
    return (*series.block, series.mix != "real", series.method, series.n_real or float("inf"), series.n_synthetic)
