"""The same predictions read in other ways: closed set, calibration, in-domain, other tracks."""

from __future__ import annotations

from benchmark.leaderboard.comparisons import NO_RESULT, RunScores, told
from benchmark.leaderboard.measures import HELDOUT
from benchmark.leaderboard.rows import (
    ACCURACY,
    AUC,
    COUNTS,
    F1,
    GAIN,
    P_HOLM,
    WHERE,
    Row,
    counts,
    finished,
    headline_scores,
    headlines,
    percent,
    where,
)
from benchmark.leaderboard.tables import Column, Estimate, Table
from benchmark.leaderboard.views import Series
from benchmark.statistics import paired_gain
from benchmark.utility.calibration import ECE_BINS, reliability

READINGS = (
    *WHERE,
    ACCURACY,
    Column("accuracy_closed", "accuracy, closed %", "suite-v1, renormalised to the target's classes", "percent"),
    F1,
    Column("f1_closed", "F, closed %", "suite-v1 f1_macro_present_closed", "percent"),
    Column("other_rate", "other %", "share of the target's images predicted as `other`", "percent"),
    Column("brier", "Brier", "squared distance of the probabilities to the one-hot label, 0 to 2, lower is better", digits=3),  # noqa: E501
    Column("ece", "ECE", f"expected calibration error, {ECE_BINS} equal bins of the top probability, lower is better", digits=3),  # noqa: E501
)  # fmt: skip
RELIABILITY = (
    *WHERE,
    Column("bin_low", "above", "top probability of the bin, lower edge", digits=3),
    Column("bin_high", "up to", digits=3),
    Column("n", "predictions", "of all repetitions together"),
    Column("confidence", "mean confidence", "mean top probability, fraction", digits=3),
    Column("accuracy", "accuracy", "share that is right, fraction", digits=3),
)
GAP = (
    *WHERE,
    Column("heldout", "in-domain accuracy %", "on the held-out source part (patients no method saw)", "percent"),
    ACCURACY,
    Column("gap", "gap", "in-domain minus target accuracy, points of percent", "points", signed=True),
)
TRACKS = (*WHERE, GAIN, P_HOLM, ACCURACY, F1, AUC, COUNTS[1])


def readings_table(runs: list[RunScores]) -> Table:
    """Open and closed reading side by side, how often `other` is predicted where the target has none, calibration."""
    rows = []
    for scores, series in headlines(runs):
        found = percent(
            scores, series, scores.primary, accuracy="accuracy", accuracy_closed="accuracy_closed",
            f1="f1_macro_present", f1_closed="f1_macro_present_closed", other_rate="other_rate",
        )  # fmt: skip
        calibration: Row = {name: scores.estimate(series, scores.primary, name) for name in ("brier", "ece")}
        rows.append(where(scores, series) | found | calibration)
    notes = (
        "Open: all five outputs. Closed: probabilities renormalised to the classes that the target has. Brier and ECE "
        "are of the open reading, in their own units; the bins behind ECE stand in `reliability`.",
    )
    return finished(runs, Table("readings", "Open and closed reading, calibration", READINGS, tuple(rows), notes))


def reliability_table(runs: list[RunScores]) -> Table:
    """The bins of a reliability diagram, filled ones only; data for programs."""
    rows: list[Row] = []
    for scores, series in headlines(runs):
        tables = [reliability(reading) for reading in scores.measures.readings(series, scores.primary)]
        for bins in zip(*tables, strict=True):
            n = sum(one.n for one in bins)
            if n:
                means: Row = {
                    "confidence": sum(one.n * (one.mean_confidence or 0.0) for one in bins) / n,
                    "accuracy": sum(one.n * (one.accuracy or 0.0) for one in bins) / n,
                }
                edges: Row = {"bin_low": bins[0].low, "bin_high": bins[0].high, "n": n}
                rows.append(where(scores, series) | edges | means)
    return Table("reliability", "Reliability", RELIABILITY, tuple(rows), markdown=False)


def other_tracks_table(runs: list[RunScores]) -> Table:
    """The main scores on every track but the primary one, where a row has predictions on it."""
    rows = []
    for scores in runs:
        for track in scores.view.run.protocol.tracks:
            if track == scores.primary:
                continue
            for series in scores.ordered([row for row in scores.headline if not row.is_upper_reference], track):
                found = headline_scores(scores, series, track)
                rows.append(where(scores, series, track) | found | counts(scores, series))
    return finished(runs, Table("other_tracks", "Other target tracks", TRACKS, tuple(rows)))


def gap_table(runs: list[RunScores]) -> Table:
    """Accuracy inside the source cohort beside that on the target."""
    rows = []
    for scores, series in headlines(runs):
        if series.is_upper_reference:
            continue
        rows.append(
            where(scores, series)
            | {
                "heldout": scores.estimate(series, HELDOUT, "accuracy").scaled(100),
                "accuracy": scores.estimate(series, scores.primary, "accuracy").scaled(100),
                "gap": _gap(scores, series).scaled(100),
            }
        )
    return finished(runs, Table("gap", "In-domain and cross-cohort", GAP, tuple(rows)))


def _gap(scores: RunScores, series: Series) -> Estimate:
    """In-domain minus target. The two parts share classifiers and no image: their clusters are resampled apart."""
    measures = scores.measures
    both = sorted(set(measures.repetitions(series, HELDOUT)) & set(measures.repetitions(series, scores.primary)))
    near, far = (measures.measured(series, part, "accuracy", both) for part in (HELDOUT, scores.primary))
    if near is None or far is None:
        return Estimate(None, reason=NO_RESULT)
    return told(paired_gain(near, far))
