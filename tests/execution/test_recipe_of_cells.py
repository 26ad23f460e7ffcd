"""How many optimiser steps a mix takes: the recipe's, or with unmatched compute as many epochs as the real set's."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.execution.jobs import Job
from benchmark.execution.utility_cell import _recipe
from benchmark.profile import load_profile
from benchmark.records import Cell


@pytest.mark.parametrize(
    ("compute", "n_train", "steps"),
    [("", 500, 20), ("", 5, 20), ("unmatched", 100, 20), ("unmatched", 250, 50), ("unmatched", 1, 1)],
)
def test_matched_compute_knows_no_size_and_unmatched_keeps_the_epochs(compute: str, n_train: int, steps: int):
    cell = Cell(kind="utility", protocol="phantom", method="m", repetition=0, mix="real+synthetic", compute=compute)
    job = Job(
        cell=cell,
        key="",
        inputs={},
        seed=0,
        profile=load_profile("smoke"),
        device="cpu",
        store=Path(),
        upstream={},
    )
    assert _recipe(job, n_train, n_natural=100).steps == steps
