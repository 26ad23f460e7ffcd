"""The table of the study (Wang et al., arXiv 2407.20072, Table 1) in its own definitions, ours beside the published."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pandas as pd

from benchmark.leaderboard.comparisons import RunScores
from benchmark.leaderboard.rows import percent, told_repetitions
from benchmark.leaderboard.tables import Column, Estimate, Table, Value
from benchmark.leaderboard.views import RunView

REFERENCE = "fu_lora_paper.csv"
_SHOWN = {
    "accuracy": "ACC % (paper)",
    "recall_paper": "recall % (paper)",
    "precision_paper": "precision % (paper)",
    "f1_paper": "F % (paper)",
    "auc_paper": "AUC % (paper, hard labels)",
}
_DEFINITIONS = {
    "accuracy": "share of images with the right label; predicting `other` is an error",
    "recall_paper": "mean recall of the classes present in the target",
    "precision_paper": "mean precision of the classes present in the target",
    "f1_paper": "mean F1 of the classes present in the target",
    "auc_paper": "paper-2407.20072: per present class the area of hard labels, a sample being negative only if another "
    "present class was predicted; never comparable with suite-v1's AUC",
}
_SCORES = tuple(Column(key, title, _DEFINITIONS[key], "percent") for key, title in _SHOWN.items())
OURS = (
    Column("run", "run", optional=True),
    Column("track", "track", optional=True),
    Column("data", "data", "what the classifier was trained on"),
    Column("augmentation", "augmentation"),
    Column("model", "model"),
    *_SCORES,
    Column("repetitions", "repetitions"),
)
PUBLISHED = (Column("data", "data"), Column("model", "model"), *_SCORES)
_PUBLISHED_KEYS = dict(zip(_SHOWN, ("accuracy", "recall", "precision", "f1", "auc"), strict=True))
AS_REPORTED = (
    "As reported, not run here: ES = 6,148 real Spanish images, HB = 1,150 real + 5,000 synthetic, DA = augmentation; "
    "512 px Stable Diffusion v1.5, ImageNet-pretrained backbones, 224 px, one seed, tested on the 233 images "
    "(66 patients) of `official-233`. Other numbers of images, sizes, pre-training and tracks make the rows above "
    "another experiment: compare the shape, not the digits."
)

REPORTED_IMAGES = 233
WILSON = (
    f"Intervals of the reported accuracies are Wilson's at 95 %, computed here from n = {REPORTED_IMAGES}: they take "
    "images as independent and the one seed as given, so they are too narrow. No interval was reported."
)


def paper_tables(runs: list[RunScores]) -> list[Table]:
    """Ours, data x model on the primary track; for `spain-africa` also the published rows."""
    rows: list[dict[str, Value]] = []
    for scores in runs:
        for series in scores.ordered(scores.view.headline()):
            row: dict[str, Value] = {
                "run": scores.view.label,
                "track": scores.primary,
                "data": series.title,
                "augmentation": series.augmentation,
                "model": series.backbone,
                "repetitions": told_repetitions(scores.rows[series]),
            }
            rows.append(row | percent(scores, series, scores.primary, **{key: key for key in _SHOWN}))
    rows.sort(
        key=lambda row: (
            str(row["run"]),
            str(row["augmentation"]),
            "+" in str(row["data"]),
            str(row["data"]),
            str(row["model"]),
        )
    )
    note = "Protocol `paper-2407.20072`; means over repetitions with 95 % intervals over clusters and repetitions."
    views = [scores.view for scores in runs]
    notes = [note, *(_unranked(view) for view in views if any(not view.rankable(name) for name in view.run.methods))]
    tables = [Table("paper", "In the shape of the paper's Table 1", OURS, tuple(rows), tuple(notes))]
    if any(view.run.protocol.name == "spain-africa" for view in views):
        tables.append(_published())
    return tables


def _unranked(view: RunView) -> str:
    names = ", ".join(method for method in view.run.methods if not view.rankable(method))
    return f"Not ranked in run {view.label}, see the leaderboard: {names}."


def _published() -> Table:
    title = "As reported: the paper's Table 1 (percent)"
    path = reference_file()
    if path is None:
        note = (
            f"The published rows ({REFERENCE}) are not part of this installation; see results/reference of the source."
        )
        return Table("paper_as_reported", title, PUBLISHED, (), (note,))
    frame = pd.read_csv(path, dtype={"data": str, "model": str})
    rows = tuple(
        {"data": row["data"], "model": row["model"]}
        | {key: _reported(key, float(row[published])) for key, published in _PUBLISHED_KEYS.items()}
        for row in frame.to_dict("records")
    )
    columns = tuple(Column(c.key, c.title, c.definition, c.unit, 2) for c in PUBLISHED)
    return Table("paper_as_reported", title, columns, rows, (AS_REPORTED, WILSON))


def _reported(key: str, value: float) -> Estimate:
    """A published number, percent; the accuracy with the interval that its number of images allows."""
    if key != "accuracy":
        return Estimate(value)
    from statsmodels.stats.proportion import proportion_confint

    low, high = proportion_confint(round(value / 100 * REPORTED_IMAGES), REPORTED_IMAGES, method="wilson")
    return Estimate(value, 100 * float(low), 100 * float(high), images=REPORTED_IMAGES)


def reference_file() -> Path | None:
    """The published rows: beside this package when installed, else in the checkout; `None` if in neither."""
    installed = Path(str(files("benchmark.leaderboard"))) / "reference" / REFERENCE
    checkout = Path(__file__).parents[2] / "results" / "reference" / REFERENCE
    return next((path for path in (installed, checkout) if path.is_file()), None)
