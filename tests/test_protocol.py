"""Who trains on what: patients stay on one side, choices depend on names alone, the target trains nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmark.classes import CLASSES
from benchmark.cohorts import registry
from benchmark.cohorts.cohort import COLUMNS, Cohort
from benchmark.errors import BenchError, UnknownNameError
from benchmark.protocol import adaptation_subset, african_tracks, heldout_positions, list_protocols, load_protocol

Row = tuple[str, str, str]
"""Patient, label, split."""


def cohort(name: str, rows: Sequence[Row], copies: dict[int, int] | None = None) -> Cohort:
    """A cohort whose image i has the bytes of image `copies[i]`."""
    digests = [f"{name}-{(copies or {}).get(i, i)}" for i in range(len(rows))]
    table = pd.DataFrame(
        {
            "image_id": [f"{name}{i:05d}" for i in range(len(rows))],
            "label": [label for _, label, _ in rows],
            "patient_id": [patient for patient, _, _ in rows],
            "center": name,
            "cluster_id": [f"{name}-{patient}" for patient, _, _ in rows],
            "split": [split for _, _, split in rows],
            "machine": "",
            "operator": "",
            "sha256": digests,
        }
    )[list(COLUMNS)]
    return Cohort(name, table, np.zeros((len(rows), 8, 8), np.uint8))


def small_spain(split: str = "train") -> list[Row]:
    """100 images, 20 per class, as the study's adaptation set: most patients have one, some have several."""
    return [(str(i % 80), CLASSES[i % 5], split) for i in range(100)]


def africa(train: int, test: int, copies: int = 0) -> Cohort:
    rows = [(str(i // 4), CLASSES[1 + i % 4], "train" if i < train else "test") for i in range(train + test)]
    return cohort("africa", rows, {train + test - 1 - i: i for i in range(copies)})


def use(monkeypatch: pytest.MonkeyPatch, *cohorts: Cohort) -> None:
    known = {made.name: made for made in cohorts}
    monkeypatch.setattr(registry, "load_cohort", lambda name, size, seed=0, progress=None: known[name])


def ids(part: Cohort) -> set[str]:
    return set(part.table["image_id"])


def test_a_fifth_of_each_class_is_held_out_in_whole_patients(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, cohort("spain", small_spain()), africa(217, 0))
    protocol = load_protocol("spain-africa", 8)
    assert protocol.heldout.table["label"].value_counts().to_dict() == dict.fromkeys(CLASSES, 4)
    assert protocol.train.table["label"].value_counts().to_dict() == dict.fromkeys(CLASSES, 16)
    assert not set(protocol.heldout.table["cluster_id"]) & set(protocol.train.table["cluster_id"])
    assert protocol.adaptation.table["label"].value_counts().to_dict() == dict.fromkeys(CLASSES, 16)


def test_the_choice_depends_on_names_and_not_on_the_order_of_rows() -> None:
    whole = cohort("spain", small_spain())
    turned = whole.part(list(range(100))[::-1])
    assert ids(whole.part(heldout_positions(whole))) == ids(turned.part(heldout_positions(turned)))
    assert ids(adaptation_subset(whole, 5)) == ids(adaptation_subset(turned, 5))


def test_one_more_patient_moves_few_images() -> None:
    whole = cohort("spain", small_spain())
    more = cohort("spain", [*small_spain(), ("900", "brain", "train")])
    before, after = ids(whole.part(heldout_positions(whole))), ids(more.part(heldout_positions(more)))
    assert len(before ^ after) <= 2


def test_the_adaptation_subset_takes_many_patients_before_many_images() -> None:
    rows = [("1", label, "train") for label in CLASSES for _ in range(30)]
    rows += [(f"{label}{i}", label, "train") for label in CLASSES for i in range(19)]
    chosen = adaptation_subset(cohort("spain", rows))
    assert chosen.table["label"].value_counts().to_dict() == dict.fromkeys(CLASSES, 20)
    assert chosen.table["cluster_id"].nunique() == 1 + 19 * 5


def test_with_the_official_test_split_the_whole_training_split_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = small_spain()
    rows += [(str(1000 + i), CLASSES[i % 5], "test") for i in range(50)]
    rows += [("0", "brain", "test")]
    use(monkeypatch, cohort("spain", rows), africa(217, 0))
    protocol = load_protocol("spain-africa", 8)
    assert (len(protocol.train), len(protocol.heldout), len(protocol.adaptation)) == (100, 50, 100)
    assert "1 of patients on both sides left out" in protocol.notes[0]


def test_too_few_patients_to_split_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(label, label, "train") for label in CLASSES for _ in range(20)]
    use(monkeypatch, cohort("spain", rows), africa(217, 0))
    with pytest.raises(BenchError, match="too few patients with other"):
        load_protocol("spain-africa", 8)


def test_the_paper_s_test_split_is_the_primary_track_when_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, cohort("spain", small_spain()), africa(217, 233, copies=47))
    protocol = load_protocol("spain-africa", 8)
    assert {name: len(track) for name, track in protocol.tracks.items()} == {
        "official-233": 233,
        "official-train-217": 217,
        "all-dedup": 403,
    }
    assert protocol.primary_track == "official-233" and not protocol.missing_tracks
    assert not protocol.tracks["all-dedup"].table["sha256"].duplicated().any()


def test_incomplete_tracks_are_named_with_the_reason() -> None:
    tracks, missing = african_tracks(africa(217, 0, copies=16), ("official-233", "official-train-217", "all-dedup"))
    assert list(tracks) == ["official-train-217"]
    assert missing == {
        "official-233": "0 of its 233 images are prepared",
        "all-dedup": "201 of its 403 images are prepared",
    }


def test_no_complete_track_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, cohort("spain", small_spain()), africa(10, 0))
    with pytest.raises(BenchError, match=r"no target track .*official-233: 0 of its 233"):
        load_protocol("spain-africa", 8)


def test_a_target_image_among_the_source_images_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    spain, target = cohort("spain", small_spain()), africa(217, 0)
    spain.table.loc[3, "sha256"] = str(target.table["sha256"].iloc[5])
    use(monkeypatch, spain, target)
    with pytest.raises(BenchError, match=r"target track official-train-217 share 1 images by byte-identical"):
        load_protocol("spain-africa", 8)


def test_the_phantom_keeps_its_own_split_and_twenty_images_per_class_adapt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FULORA_BENCH_CACHE", str(tmp_path))
    protocol = load_protocol("phantom", 32)
    assert protocol.train.table["label"].value_counts().to_dict() == dict.fromkeys(CLASSES, 50)
    assert protocol.adaptation.table["label"].value_counts().to_dict() == dict.fromkeys(CLASSES, 20)
    assert ids(protocol.adaptation) <= ids(protocol.train)
    assert set(protocol.heldout.table["split"]) == {"heldout"}
    assert len(protocol.tracks["target"]) == 300 and protocol.primary_track == "target"
    again = load_protocol("phantom", 32)
    assert again.manifest_sha256 == protocol.manifest_sha256


def test_the_digest_follows_the_source_and_not_the_target(monkeypatch: pytest.MonkeyPatch) -> None:
    spain = cohort("spain", small_spain())
    use(monkeypatch, spain, africa(217, 0))
    first = load_protocol("spain-africa", 8).manifest_sha256
    use(monkeypatch, spain, africa(217, 233, copies=47))
    assert load_protocol("spain-africa", 8).manifest_sha256 == first
    spain.table.loc[0, "sha256"] = "changed"
    assert load_protocol("spain-africa", 8).manifest_sha256 != first


def test_an_unknown_protocol_gets_the_nearest_name() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean spain-africa"):
        load_protocol("spain-afrika", 8)
    assert [info.name for info in list_protocols()] == ["phantom", "spain-africa"]
