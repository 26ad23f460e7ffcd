"""The table of the study (Wang et al., arXiv 2407.20072, Table 1) in its own definitions, ours beside the published."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pandas as pd

from benchmark.leaderboard.measures import Measures
from benchmark.leaderboard.ranking import has_unranked
from benchmark.leaderboard.tables import Column, Table, Value
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


def paper_tables(measured: list[tuple[RunView, Measures]]) -> list[Table]:
    """Ours, data x model on the primary track; for `spain-africa` also the published rows."""
    rows: list[dict[str, Value]] = []
    for view, measures in measured:
        track = view.run.protocol.primary_track
        for series, cells in view.utility().items():
            if series.mix == "synthetic":
                continue
            row: dict[str, Value] = {
                "run": view.label,
                "track": track,
                "data": "real" if series.mix == "real" else f"real + {series.method}",
                "augmentation": series.augmentation,
                "model": series.backbone,
                "repetitions": f"{sum(tried.ok for tried in cells)}/{len(cells)}",
            }
            rows.append(row | {key: measures.estimate(series, track, key).scaled(100) for key in _SHOWN})
    rows.sort(key=lambda row: (row["run"], row["augmentation"], row["data"] != "real", row["data"], row["model"]))
    note = "Protocol `paper-2407.20072`; means over repetitions with 95 % intervals over clusters and repetitions."
    notes = [note, *(_unranked(view) for view, _ in measured if has_unranked([view]))]
    tables = [Table("paper", "In the shape of the paper's Table 1", OURS, tuple(rows), tuple(notes))]
    if any(view.run.protocol.name == "spain-africa" for view, _ in measured):
        tables.append(_published())
    return tables


def _unranked(view: RunView) -> str:
    names = ", ".join(method for method in view.run.methods if not view.rankable(method))
    return f"Not ranked in run {view.label}, see the leaderboard: {names}."


def _published() -> Table:
    title = "The paper's Table 1, as reported (percent)"
    path = reference_file()
    if path is None:
        note = (
            f"The published rows ({REFERENCE}) are not part of this installation; see results/reference of the source."
        )
        return Table("paper_as_reported", title, PUBLISHED, (), (note,))
    frame = pd.read_csv(path, dtype={"data": str, "model": str})
    rows = tuple(
        {"data": row["data"], "model": row["model"]}
        | {key: float(row[published]) for key, published in _PUBLISHED_KEYS.items()}
        for row in frame.to_dict("records")
    )
    columns = tuple(Column(c.key, c.title, c.definition, c.unit, 2) for c in PUBLISHED)
    return Table("paper_as_reported", title, columns, rows, (AS_REPORTED,))


def reference_file() -> Path | None:
    """The published rows: beside this package when installed, else in the checkout; `None` if in neither."""
    installed = Path(str(files("benchmark.leaderboard"))) / "reference" / REFERENCE
    checkout = Path(__file__).parents[2] / "results" / "reference" / REFERENCE
    return next((path for path in (installed, checkout) if path.is_file()), None)
