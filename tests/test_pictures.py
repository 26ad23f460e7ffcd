"""Pictures: nothing that must not be published gets into one that may be; the closest pairs are the records'."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmark.classes import CLASSES
from benchmark.errors import BenchError
from benchmark.keys import named_seed
from benchmark.pictures import Grids, RealImages, write_sample_grids
from tests.leaderboard.fake_run import SIZE, FakeMethod, FakeRun

REAL_LEVEL = 5
TILE_PIXELS = 90 * 90
METHODS = (FakeMethod("real_only", 0.5, synthesizes=False), FakeMethod("better", 0.9))


def real() -> RealImages:
    """Six images of each class, of one dark level."""
    labels = tuple(name for name in CLASSES for _ in range(6))
    return RealImages(np.full((len(labels), SIZE, SIZE), REAL_LEVEL, dtype=np.uint8), labels)


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


def test_copies_of_the_phantom_are_shown_since_what_escaped_the_search_is_no_sample(tmp_path: Path) -> None:
    grids(tmp_path, "phantom", flagged=(0, 4))
    for position in (0, 1):
        level = named_seed("better", CLASSES[0], position) % 200 + 40
        assert holds(tmp_path / "out" / "samples-better.png", level), position


def test_nothing_of_a_set_that_holds_many_copies_is_published(tmp_path: Path) -> None:
    """What is left of it may be copies that were not found."""
    found = grids(tmp_path, "spain-africa", flagged=(0, 4))
    assert found.published == []
    assert any("2 of 15 samples are copies" in note for note in found.notes)
    assert found.private


def test_a_grid_without_a_near_copy_check_is_withheld_and_says_what_to_do(tmp_path: Path) -> None:
    folder = FakeRun(tmp_path / "run", protocol="spain-africa", methods=METHODS, repetitions=1).write()
    for path in folder.glob("store/fidelity/*/*/record.json"):
        record = json.loads(path.read_text())
        record["metrics"].pop("near_copies", None)
        path.write_text(json.dumps(record))
    found = write_sample_grids(folder, tmp_path / "out", real())
    assert found.published == []
    assert "Add `train` to the profile's fidelity references" in found.notes[0]


def with_pairs(folder: Path, pairs: dict[int, list[tuple[int, int, float, float | None]]]) -> Path:
    """The run with closest pairs (synthetic, train, correlation, distance ratio) in its records, by repetition."""
    for path in folder.glob("store/fidelity/*/*/record.json"):
        record = json.loads(path.read_text())
        if record["cell"]["reference"] == "train" and record["cell"]["repetition"] in pairs:
            found = [
                dict(zip(("synthetic", "train", "correlation", "distance_ratio"), pair, strict=True))
                for pair in pairs[record["cell"]["repetition"]]
            ]
            largest = max(pair["correlation"] for pair in found)
            record["metrics"]["closest_pairs"] = {"value": largest, "direction": "none", "n": 15, "pairs": found}
            record["metrics"]["near_copies"] |= {"limit": 0.91, "largest_correlation_of_heldout": 0.89}
            path.write_text(json.dumps(record))
    return folder


def two_repetitions(tmp_path: Path, protocol: str = "spain-africa") -> Path:
    return FakeRun(tmp_path / "run", protocol=protocol, methods=METHODS, repetitions=2, flagged=(4,)).write()


def levels(n: int) -> RealImages:
    """Training images of levels that no synthetic one and no other training one has."""
    return RealImages(np.arange(n, dtype=np.uint8)[:, None, None].repeat(SIZE, 1).repeat(SIZE, 2), (CLASSES[0],) * n)


def test_closest_pairs_show_the_repetition_with_the_closest_one_and_the_images_that_the_record_numbers(
    tmp_path: Path,
) -> None:
    """Position 4 is the second image of the second class, 12 the first of the last."""
    folder = with_pairs(two_repetitions(tmp_path), {0: [(0, 7, 0.9, 1.1)], 1: [(4, 3, 0.95, 0.4), (12, 9, 0.7, None)]})
    found = write_sample_grids(folder, tmp_path / "out", levels(12))
    picture = tmp_path / "out" / "private" / "closest-better.png"
    assert picture in found.private
    assert picture not in found.published
    drawn = [named_seed("better", CLASSES[label], index) % 200 + 40 for label, index in ((1, 1), (4, 0))]
    assert all(holds(picture, level) for level in (*drawn, 3, 9))
    assert not holds(picture, 7)


def test_a_copy_among_the_closest_pairs_is_framed(tmp_path: Path) -> None:
    """A frame adds dark pixels around the pair; 4 is flagged, 3 is not."""
    ink = {}
    for position in (3, 4):
        folder = with_pairs(two_repetitions(tmp_path / str(position)), {0: [(position, 3, 0.95, 0.4)]})
        write_sample_grids(folder, tmp_path / "out", levels(12))
        picture = np.asarray(Image.open(tmp_path / "out" / "private" / "closest-better.png"))
        ink[position] = int((picture == 20).sum())
    assert ink[4] > ink[3] + 1000


def test_closest_pairs_of_the_phantom_may_be_published(tmp_path: Path) -> None:
    folder = with_pairs(two_repetitions(tmp_path, "phantom"), {0: [(0, 7, 0.9, 1.1)]})
    found = write_sample_grids(folder, tmp_path / "out", levels(12))
    assert tmp_path / "out" / "closest-better.png" in found.published
    assert not found.private


def test_without_closest_pairs_in_the_records_the_other_pictures_are_drawn_and_a_note_says_so(tmp_path: Path) -> None:
    found = grids(tmp_path, "spain-africa")
    assert [path.name for path in found.private] == ["with-real-better.png"]
    assert any("no picture of its closest pairs" in note for note in found.notes)


@pytest.mark.parametrize("pair", [(15, 0, 0.9, 1.0), (0, 12, 0.9, 1.0)], ids=["synthetic", "train"])
def test_a_pair_that_is_not_there_is_an_error_that_says_what_to_do(
    tmp_path: Path, pair: tuple[int, int, float, float]
) -> None:
    folder = with_pairs(two_repetitions(tmp_path), {0: [pair]})
    with pytest.raises(BenchError, match=r"beyond the 15 stored samples or the 12 training images\. Run again"):
        write_sample_grids(folder, tmp_path / "out", levels(12))


def test_a_method_without_a_synthetic_set_is_said_and_the_others_are_drawn(tmp_path: Path) -> None:
    methods = (*METHODS, FakeMethod("late", 0.5, faults={0: "timeout"}))
    folder = FakeRun(tmp_path / "run", methods=methods, repetitions=1).write()
    found = write_sample_grids(folder, tmp_path / "out")
    assert [path.name for path in found.published] == ["samples-better.png", "samples.png"]
    assert found.notes == ["late: no synthetic set is ok, so there is no picture of it."]
