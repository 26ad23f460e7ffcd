from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from benchmark.contract import BadRequest, ClassSpec, read_request, read_training_set, write_request
from benchmark.errors import BenchError
from tests.contract.conftest import make_request, make_train


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    request = make_request(parameters={"rank": 8, "rate": 0.5, "mode": "a", "flag": True})
    pixels, table = make_train()
    write_request(tmp_path / "in", request, pixels, table)
    again = read_request(tmp_path / "in")
    train = read_training_set(tmp_path / "in", again)
    assert again == request
    assert [type(value) for value in again.parameters.values()] == [int, float, str, bool]
    assert np.array_equal(train.images, pixels)
    assert train.labels == tuple(table["label"]) and train.patients == tuple(table["patient_id"])


def test_equal_requests_are_equal_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_request(tmp_path / name, make_request(), *make_train())
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*") if path.is_file())
    assert len(files) == 6
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in files)


def test_a_used_folder_is_refused(tmp_path: Path) -> None:
    write_request(tmp_path / "in", make_request(), *make_train())
    with pytest.raises(BenchError, match="not empty"):
        write_request(tmp_path / "in", make_request(), *make_train())


def test_labels_outside_the_request_are_refused(tmp_path: Path) -> None:
    request = make_request(classes=(ClassSpec(name="brain", prompt="x"),))
    with pytest.raises(BenchError, match="femur"):
        write_request(tmp_path / "in", request, *make_train())


@pytest.mark.parametrize(
    "change",
    [
        {"classes": ()},
        {"classes": (ClassSpec(name="brain", prompt="a"), ClassSpec(name="brain", prompt="b"))},
        {"images_per_class": -1},
        {"deadline_seconds": 0},
        {"device": "tpu"},
        {"contract_version": 2},
        {"colour": "red"},
    ],
)
def test_a_wrong_field_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        make_request(**change)


def test_class_names_cannot_leave_the_folder() -> None:
    with pytest.raises(ValidationError):
        ClassSpec(name="../brain", prompt="x")


def test_an_unknown_field_in_the_file_is_named(folders: dict[str, str]) -> None:
    file = Path(folders["BENCH_INPUT"]) / "request.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"sed": 3}))
    with pytest.raises(BadRequest, match="sed"):
        read_request(file.parent)


def test_a_changed_training_image_is_named_with_its_row(folders: dict[str, str]) -> None:
    root = Path(folders["BENCH_INPUT"])
    (root / "train/femur/00001.png").write_bytes((root / "train/brain/00000.png").read_bytes())
    with pytest.raises(BadRequest, match=r"row 3.*SHA-256"):
        read_training_set(root, read_request(root))


def test_a_training_manifest_cannot_reach_outside(folders: dict[str, str]) -> None:
    root = Path(folders["BENCH_INPUT"])
    manifest = root / "train/manifest.csv"
    manifest.write_text(manifest.read_text().replace("brain/00000.png", "../../brain.png"))
    with pytest.raises(BadRequest, match="outside"):
        read_training_set(root, read_request(root))
