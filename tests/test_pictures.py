"""Sample grids: nothing that must not be published gets into a picture that may be."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from benchmark.classes import CLASSES
from benchmark.keys import named_seed
from benchmark.pictures import Grids, write_sample_grids
from tests.leaderboard.fake_run import SIZE, FakeMethod, FakeRun

REAL_LEVEL = 5
TILE_PIXELS = 90 * 90
METHODS = (FakeMethod("real_only", 0.5, synthesizes=False), FakeMethod("better", 0.9))


def real() -> dict[str, np.ndarray]:
    return {name: np.full((6, SIZE, SIZE), REAL_LEVEL, dtype=np.uint8) for name in CLASSES}


def holds(path: Path, level: int) -> bool:
    """Whether a tile of this grey level stands in the picture."""
    return int((np.asarray(Image.open(path)) == level).sum()) >= TILE_PIXELS


def grids(tmp_path: Path, protocol: str, flagged: tuple[int, ...] = ()) -> Grids:
    folder = FakeRun(tmp_path / "run", protocol=protocol, methods=METHODS, repetitions=1, flagged=flagged).write()
    return write_sample_grids(folder, tmp_path / "out", real())


def test_real_images_of_a_cohort_stand_only_in_private_pictures(tmp_path: Path) -> None:
    found = grids(tmp_path, "spain-africa")
    assert [path.name for path in found.published] == ["samples-better.png", "samples.png"]
    assert not any(holds(path, REAL_LEVEL) for path in found.published)
    assert [holds(path, REAL_LEVEL) for path in found.private] == [True]
    assert (tmp_path / "out" / "private" / ".gitignore").read_text() == "*\n"


def test_the_phantom_may_be_shown_beside_its_synthetic_images(tmp_path: Path) -> None:
    found = grids(tmp_path, "phantom")
    assert not found.private
    assert {path.name for path in found.published if holds(path, REAL_LEVEL)} == {"with-real-better.png", "samples.png"}


def test_near_copies_are_left_out_of_what_is_published(tmp_path: Path) -> None:
    """Position 4 of the manifest is the second image of the second class."""
    copied, kept = (named_seed("better", CLASSES[1], index) % 200 + 40 for index in (1, 2))
    found = grids(tmp_path, "spain-africa", flagged=(4,))
    for path in found.published:
        assert not holds(path, copied)
        assert holds(path, kept)
    assert holds(found.private[0], copied)


def test_a_grid_without_a_near_copy_check_is_withheld_and_says_what_to_do(tmp_path: Path) -> None:
    folder = FakeRun(tmp_path / "run", protocol="spain-africa", methods=METHODS, repetitions=1).write()
    for path in folder.glob("store/fidelity/*/*/record.json"):
        record = json.loads(path.read_text())
        record["metrics"].pop("near_copies", None)
        path.write_text(json.dumps(record))
    found = write_sample_grids(folder, tmp_path / "out", real())
    assert found.published == []
    assert "Add `train` to the profile's fidelity references" in found.notes[0]


def test_a_method_without_a_synthetic_set_is_said_and_the_others_are_drawn(tmp_path: Path) -> None:
    methods = (*METHODS, FakeMethod("late", 0.5, faults={0: "timeout"}))
    folder = FakeRun(tmp_path / "run", methods=methods, repetitions=1).write()
    found = write_sample_grids(folder, tmp_path / "out")
    assert [path.name for path in found.published] == ["samples-better.png", "samples.png"]
    assert found.notes == ["late: no synthetic set is ok, so there is no picture of it."]
