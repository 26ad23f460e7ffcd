"""Utility of the synthetic images: what a classifier trained with them does on the target cohort."""

from __future__ import annotations

from collections.abc import Iterator

from benchmark.leaderboard.fidelity_tables import (
    FID_DEFINITION,
    KID_DEFINITION,
    RECOGNITION_DEFINITION,
    WARNED,
    fidelity_records,
    headline_extractor,
    metric_estimate,
    over_repetitions,
)
from benchmark.leaderboard.measures import HELDOUT, Measures
from benchmark.leaderboard.ranking import STATUS, WHERE, Row, has_unranked, ranking
from benchmark.leaderboard.tables import Column, Estimate, Table
from benchmark.leaderboard.views import RunView, Series, Tried

Measured = list[tuple[RunView, Measures]]

UNDECIDED = (
    "Rows are sorted by accuracy. The order is no ranking where the intervals of the gains overlap: "
    "a difference within them is not shown by this run."
)
UNCHECKED = (
    "nothing looked for copies of training images, and a method that copies is ranked here. Add `train` to the "
    "profile's fidelity references and run again."
)
METHOD = Column("method", "method")
ACCURACY = Column(
    "accuracy", "accuracy %", "suite-v1 accuracy, open: five outputs, `other` counts as an error", "percent"
)
F1 = Column("f1", "F %", "suite-v1 f1_macro_present: mean F1 of the classes present in the target", "percent")
AUC = Column("auc", "AUC %", "suite-v1 auroc_ovr_macro_present: one-vs-rest area of the scores, mean of present classes", "percent")  # fmt: skip # noqa: E501
GAIN = Column("gain", "gain", "accuracy minus that of the same classifier, seed and steps on real images only, points of percent, paired", "points", signed=True)  # fmt: skip # noqa: E501
COUNTS = (
    Column("n_per_class", "n/class", "synthetic images per class and repetition (smallest class)"),
    Column("repetitions", "repetitions", "repetitions that are ok / planned"),
    STATUS,
    Column("ranked", "ranked", "false: timed out, copies training images, or without a result", data=True),
)
MAIN = (
    *WHERE,
    METHOD,
    Column("extractor", "extractor", "network of KID and FID; the reference is the held-out source", optional=True),
    Column("kid", "KID x1000", KID_DEFINITION, digits=2),
    Column("fid", "FID", FID_DEFINITION, digits=2),
    ACCURACY,
    F1,
    AUC,
    GAIN,
    Column("recognition", "recognition %", RECOGNITION_DEFINITION, "percent"),
    Column("train_seconds", "training s", "generator's fit, mean over repetitions", "seconds", digits=0),
    Column("pretraining_seconds", "pre-training s", "of the base model, once", "seconds", digits=0),
    Column("pretraining_images", "pre-training images"),
    *COUNTS,
)  # fmt: skip
READINGS = (
    *WHERE,
    METHOD,
    ACCURACY,
    Column("accuracy_closed", "accuracy, closed %", "suite-v1, renormalised to the target's classes", "percent"),
    F1,
    Column("f1_closed", "F, closed %", "suite-v1 f1_macro_present_closed", "percent"),
    Column("other_rate", "other %", "share of the target's images predicted as `other`", "percent"),
)
SYNTHETIC = (*WHERE, METHOD, ACCURACY, F1, AUC, GAIN, *COUNTS)
TRACKS = (*WHERE, METHOD, ACCURACY, F1, AUC, GAIN, COUNTS[1])
GAP = (
    *WHERE,
    METHOD,
    Column("heldout", "in-domain accuracy %", "on the held-out source part (patients no method saw)", "percent"),
    ACCURACY,
    Column("gap", "gap", "in-domain minus target accuracy, points of percent", "points", signed=True),
)


def main_table(measured: Measured) -> Table:
    """Methods with fidelity, utility, gain and cost; what timed out or copies stands last and is never ranked."""
    rows = [_main_row(view, measures, series, cells) for view, measures, series, cells in _headlines(measured)]
    notes = [*(_tested(view) for view, _ in measured), UNDECIDED]
    notes += [f"Run {view.label}: {UNCHECKED}" for view, _ in measured if view.unchecked()]
    if any(isinstance(row[key], Estimate) and row[key].mark for row in rows for key in ("fid", "kid")):  # type: ignore[union-attr]
        notes.append(WARNED)
    return ranking(_views(measured), Table("main", "Leaderboard", MAIN, tuple(rows), tuple(notes)))


def synthetic_table(measured: Measured) -> Table:
    """Classifiers that saw synthetic images only."""
    rows = []
    for view, measures in measured:
        for series, cells in view.utility().items():
            if series.mix == "synthetic":
                rows.append(
                    _where(view, series) | _scores(view, measures, series) | _counts(view, measures, series, cells)
                )
    notes = ("The gain is against the same classifier trained on the real source images.",)
    title = "Trained on synthetic images only"
    return ranking(_views(measured), Table("synthetic_only", title, SYNTHETIC, tuple(rows), notes))


def readings_table(measured: Measured) -> Table:
    """Open and closed reading side by side, and how often `other` is predicted where the target has none."""
    rows = []
    for view, measures, series, cells in _headlines(measured):
        track = view.run.protocol.primary_track
        names = {
            "accuracy_closed": "accuracy_closed",
            "f1_closed": "f1_macro_present_closed",
            "other_rate": "other_rate",
        }
        extra = {key: measures.estimate(series, track, metric).scaled(100) for key, metric in names.items()}
        rows.append(
            _where(view, series) | _scores(view, measures, series) | extra | _counts(view, measures, series, cells)
        )
    notes = ("Open: all five outputs. Closed: probabilities renormalised to the classes that the target has.",)
    return ranking(_views(measured), Table("readings", "Open and closed reading", READINGS, tuple(rows), notes))


def other_tracks_table(measured: Measured) -> Table:
    """The main scores on every track but the primary one."""
    rows = []
    for view, measures, series, cells in _headlines(measured):
        for track in view.run.protocol.tracks:
            if track != view.run.protocol.primary_track:
                scores = _scores(view, measures, series, track) | _counts(view, measures, series, cells)
                rows.append(_where(view, series, track) | scores)
    return ranking(_views(measured), Table("other_tracks", "Other target tracks", TRACKS, tuple(rows)))


def gap_table(measured: Measured) -> Table:
    """Accuracy inside the source cohort beside that on the target."""
    rows = []
    tell = has_unranked(_views(measured))
    for view, measures, series, cells in _headlines(measured):
        track = view.run.protocol.primary_track
        rows.append(
            _where(view, series)
            | {
                "heldout": measures.estimate(series, HELDOUT, "accuracy").scaled(100),
                "accuracy": measures.estimate(series, track, "accuracy").scaled(100),
                "gap": measures.gap(series, track).scaled(100),
            }
            | _standing(view, cells, tell)
        )
    return ranking(_views(measured), Table("gap", "In-domain and cross-cohort", GAP, tuple(rows)))


def centers_table(measured: Measured) -> Table:
    """Accuracy per centre of the primary track, and the worst one."""
    rows, sizes = [], dict[str, str]()
    tell = has_unranked(_views(measured))
    for view, measures, series, cells in _headlines(measured):
        track = view.run.protocol.primary_track
        centers = measures.centers(series, track)
        for center in centers:
            sizes[center.name] = f"{center.name} (n={center.n_images}, {center.n_clusters} clusters)"
        found = {f"center_{center.name}": center.accuracy.scaled(100) for center in centers}
        defined = {center.name: center.accuracy.value for center in centers if center.accuracy.value is not None}
        worst: Row = {"worst": min(defined, key=lambda name: defined[name]) if defined else None}
        scores: Row = {"accuracy": measures.estimate(series, track, "accuracy").scaled(100)}
        rows.append(_where(view, series) | scores | found | worst | _standing(view, cells, tell))
    columns = tuple(
        Column(f"center_{name}", sizes[name], "accuracy of this centre's images; clusters are resampled", "percent")
        for name in sorted(sizes)
    )
    note = "Each centre has its own classes and few clusters: read the intervals. Worst is the lowest mean accuracy."
    worst_column = Column("worst", "worst", "centre of the lowest accuracy")
    columns = (*WHERE, METHOD, *columns, worst_column)
    return ranking(_views(measured), Table("centers", "Per centre", columns, tuple(rows), (note,)))


def _views(measured: Measured) -> list[RunView]:
    return [view for view, _ in measured]


def _headlines(measured: Measured) -> Iterator[tuple[RunView, Measures, Series, list[Tried]]]:
    for view, measures in measured:
        for series, cells in view.headline().items():
            yield view, measures, series, cells


def _tested(view: RunView) -> str:
    facts = view.run.protocol
    part = facts.tracks[facts.primary_track]
    return (
        f"Run {view.label}: track `{facts.primary_track}` of protocol `{facts.name}`, {part.n_images} images of "
        f"{part.n_clusters} clusters; no image of it was used for training."
    )


def _where(view: RunView, series: Series, track: str = "") -> Row:
    return {
        "run": view.label,
        "track": track or view.run.protocol.primary_track,
        "backbone": series.backbone,
        "augmentation": series.augmentation,
        "method": series.method,
    }


def _scores(view: RunView, measures: Measures, series: Series, track: str = "") -> Row:
    track = track or view.run.protocol.primary_track
    return {
        "accuracy": measures.estimate(series, track, "accuracy").scaled(100),
        "f1": measures.estimate(series, track, "f1_macro_present").scaled(100),
        "auc": measures.estimate(series, track, "auroc_ovr_macro_present").scaled(100),
        "gain": measures.gain(series, view.control(series), track, "accuracy").scaled(100),
    }


def _counts(view: RunView, measures: Measures, series: Series, cells: list[Tried]) -> Row:
    generated = [tried.record for tried in view.generated(series.method) if tried.record is not None]
    counts = [min((record.outputs.get("per_class") or {"": 0}).values()) for record in generated]
    usable = sum(tried.ok for tried in cells)
    return {
        "n_per_class": min(counts, default=0),
        "repetitions": f"{usable}/{len(cells)}",
        "status": view.summary(cells),
        "ranked": usable > 0 and view.rankable(series.method),
    }


def _standing(view: RunView, cells: list[Tried], tell: bool) -> Row:
    """Whether a row is ranked; with `tell` also its status, where a table shows it for the unranked rows' sake."""
    status: Row = {"status": view.summary(cells)} if tell else {}
    return {"ranked": view.rankable(cells[0].cell.method)} | status


def _main_row(view: RunView, measures: Measures, series: Series, cells: list[Tried]) -> Row:
    extractor = headline_extractor(view)
    records = fidelity_records(view, series.method, extractor, "heldout")
    fidelity: Row = {name: metric_estimate(records, name) for name in ("kid", "fid", "recognition")}
    pretraining = view.run.methods[series.method].pretraining
    fits = [
        tried.record.outputs.get("fit_seconds") for tried in view.generated(series.method) if tried.record and tried.ok
    ]
    costs: Row = {
        "extractor": extractor,
        "train_seconds": over_repetitions(fits).value,
        "pretraining_seconds": _number(pretraining.get("seconds")),
        "pretraining_images": pretraining.get("images"),
    }
    counts = _counts(view, measures, series, cells)
    return _where(view, series) | fidelity | _scores(view, measures, series) | costs | counts


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
