"""What is told of the gap between centres where it has no interval, or no value at all."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from benchmark.score_tables import Shown, score_tables
from benchmark.utility.scores import score

Build = Callable[..., pd.DataFrame]


def _between(frame: pd.DataFrame) -> Shown:
    return list(score_tables(score(frame, replicates=100)))[-1]


def test_one_centre_is_named_once_and_why_there_is_no_gap_is_told(frame_of: Build) -> None:
    frame = frame_of(["abdomen", "brain"] * 4, np.eye(5)[[1, 2, 1, 1] * 2]).assign(center="Ghana")
    shown = _between(frame)
    assert shown.rows[1][:4] == ["gap", "all", "Ghana", "-"]
    reason = "there is one centre alone: nothing to compare it with"
    assert shown.notes[:2] == (f"gap, all classes: {reason}", f"gap, shared classes: {reason}")


def test_why_an_extreme_has_no_interval_is_told(frame_of: Build) -> None:
    frame = frame_of(["brain"] * 8, np.eye(5)[[2, 2, 0, 2] * 2]).assign(center=["Ghana"] * 7 + ["Malawi"])
    notes = _between(frame).notes
    assert notes[0].startswith("worst, all classes: Malawi: no interval: all images that count are of one cluster")
    assert notes[1].startswith("gap, all classes: Malawi: no interval")


def test_centres_that_are_equal_are_two_names(frame_of: Build) -> None:
    frame = frame_of(["brain"] * 8, np.eye(5)[[2, 0] * 4]).assign(center=["Ghana"] * 4 + ["Malawi"] * 4)
    assert _between(frame).rows[1][:4] == ["gap", "all", "Ghana - Malawi", "0.0000"]
