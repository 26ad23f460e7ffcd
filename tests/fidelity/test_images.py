"""Reading a folder of anybody's images."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from benchmark.errors import UsageError
from benchmark.fidelity import folder_labels, read_folder, read_patients


def save(path: Path, value: int = 0, size: tuple[int, int] = (8, 6), mode: str = "L") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, value).convert(mode).save(path)


def test_grey_and_rgb_files_of_the_same_picture_read_alike(tmp_path: Path):
    save(tmp_path / "a.png", 77)
    save(tmp_path / "b.png", 77, mode="RGB")
    images = read_folder(tmp_path)
    assert images.shape == (2, 6, 8)
    assert (images == 77).all()


def test_labels_are_the_first_folders_in_the_order_of_the_images(tmp_path: Path):
    save(tmp_path / "femur" / "0.png", 20)
    save(tmp_path / "brain" / "p1" / "0.png", 10)
    assert folder_labels(tmp_path) == ["brain", "femur"]
    assert read_folder(tmp_path)[:, 0, 0].tolist() == [10, 20]


def test_a_flat_folder_has_no_labels(tmp_path: Path):
    save(tmp_path / "femur" / "0.png")
    save(tmp_path / "1.png")
    assert folder_labels(tmp_path) is None


def test_mixed_sizes_are_refused_unless_a_size_is_given(tmp_path: Path):
    save(tmp_path / "a.png", 50, (8, 8))
    save(tmp_path / "b.png", 50, (16, 12))
    with pytest.raises(UsageError, match=r"a\.png is 8x8, b\.png is 16x12.*--size"):
        read_folder(tmp_path)
    assert read_folder(tmp_path, size=10).shape == (2, 10, 10)


def test_an_unreadable_file_is_named(tmp_path: Path):
    (tmp_path / "bad.png").write_bytes(b"no image")
    with pytest.raises(UsageError, match=r"bad\.png cannot be read"):
        read_folder(tmp_path)


@pytest.mark.parametrize("name", ["missing", "."])
def test_a_folder_without_images_says_so(tmp_path: Path, name: str):
    with pytest.raises(UsageError, match="PNG or JPEG"):
        read_folder(tmp_path / name)


def test_patients_come_from_a_table_in_the_order_of_the_images(tmp_path: Path):
    save(tmp_path / "images" / "femur" / "0.png")
    save(tmp_path / "images" / "brain" / "1.png")
    table = tmp_path / "patients.csv"
    table.write_text("file,patient_id\nfemur/0.png,007\nbrain/1.png,12\nbrain/1.png,12\nelsewhere.png,9\n")
    assert read_patients(table, tmp_path / "images") == ["12", "007"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,woman\na.png,1\n", "no column patient_id"),
        ("file,patient_id\na.png,1\nb.png,\n", r"no patient for 1 of 2 images .*b\.png"),
        ("file,patient_id\na.png,1\na.png,2\nb.png,1\n", r"more than one patient to a\.png"),
        ("", "cannot be read as CSV"),
    ],
)
def test_a_table_of_patients_that_does_not_fit_is_refused(tmp_path: Path, text: str, message: str):
    for name in ("a.png", "b.png"):
        save(tmp_path / "images" / name)
    table = tmp_path / "patients.csv"
    table.write_text(text)
    with pytest.raises(UsageError, match=message):
        read_patients(table, tmp_path / "images")
