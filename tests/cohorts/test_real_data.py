"""The published images themselves, where FULORA_BENCH_REAL_DATA names a folder that holds them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmark.cohorts.registry import load_cohort, prepare
from benchmark.protocol import load_protocol

VARIABLE = "FULORA_BENCH_REAL_DATA"
pytestmark = pytest.mark.skipif(VARIABLE not in os.environ, reason=f"{VARIABLE} names no folder of real images")


@pytest.fixture
def data(cache: Path) -> Path:
    return Path(os.environ[VARIABLE])


def test_the_african_duplicates_are_found_as_counted_by_hand(data: Path) -> None:
    report = prepare("africa", data)
    table = load_cohort("africa", 64).table
    train = table[table["split"] == "train"]
    assert len(train) == 217
    pairs = train[train["sha256"].duplicated()]["center"].value_counts().to_dict()
    assert pairs == {"Malawi": 11, "Algeria": 4, "Egypt": 1}
    if report.images == 450:
        assert table["sha256"].nunique() == 403
        assert table[table["sha256"].duplicated()]["center"].value_counts().to_dict() == {
            "Algeria": 24,
            "Malawi": 20,
            "Egypt": 3,
        }


def test_the_real_protocol_has_the_tracks_whose_images_are_there(data: Path) -> None:
    prepare("spain", data)
    prepare("africa", data)
    protocol = load_protocol("spain-africa", 64)
    assert len(protocol.tracks["official-train-217"]) == 217
    assert len(protocol.tracks) + len(protocol.missing_tracks) == 3
    for part in (protocol.train, protocol.heldout, protocol.tracks["official-train-217"]):
        assert 20 < part.pixels.mean() < 120
        assert part.pixels.std(axis=(1, 2)).min() > 10
