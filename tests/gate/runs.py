"""Pairs of small runs whose differences are known: 60 images of 20 patients, three of each, in two centres."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.leaderboard.fake_run import FakeMethod, FakeRun, N

METHODS = (FakeMethod("real_only", 0.7, synthesizes=False), FakeMethod("made", 0.7))
MIXED = "resnet10t / light / made / real+synthetic / natural"
NATURAL = "resnet10t / light / real_only / real / natural"
AGAINST_HELDOUT = "made / ultrasound / heldout"
AGAINST_TRAIN = "made / ultrasound / train"

ALL = list(range(N))
TWO_OF_THREE = [image for image in ALL if image % 3 != 2]
"""Every patient loses one image of three: patients do not differ, so the interval is narrow."""

WITHOUT_TWO_PATIENTS = list(range(6, N))
"""All errors are in two patients: a drop of ten points that clusters cannot tell from chance."""


def fake(
    folder: Path,
    right: Sequence[int] = ALL,
    methods: tuple[FakeMethod, ...] = METHODS,
    repetitions: int = 3,
    **changes: Any,
) -> Path:
    """A run in which the classifiers of method `made` with real images have these images right, in every repetition."""
    known = {("made", "", repetition): list(right) for repetition in range(repetitions)}
    return FakeRun(folder, methods=methods, repetitions=repetitions, controls=("",), known=known, **changes).write()


def edit_records(folder: Path, kind: str, change: Callable[[dict[str, Any]], None], reference: str = "") -> None:
    """Change what the records of one kind tell, as another run would have written them."""
    for path in sorted((folder / "store" / kind).glob("*/*/record.json")):
        record = json.loads(path.read_text())
        if record["cell"]["reference"] == reference:
            change(record)
            path.write_text(json.dumps(record))


def edit_fidelity(folder: Path, metric: str, change: Callable[[float, int], float], reference: str = "heldout") -> None:
    """Change one fidelity metric of every repetition, from its value and the number of the repetition."""

    def apply(record: dict[str, Any]) -> None:
        entry = record["metrics"][metric]
        entry["value"] = change(entry["value"], record["cell"]["repetition"])

    edit_records(folder, "fidelity", apply, reference)


def edit_predictions(folder: Path, old: str, new: str) -> None:
    """Replace a text in every predictions file."""
    for path in folder.glob("store/utility/*/*/predictions/*.csv"):
        path.write_text(path.read_text().replace(old, new))


def edit_manifest(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the run's manifest."""
    path = folder / "run.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))
