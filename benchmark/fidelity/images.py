"""A folder of anybody's images as one grey array."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from benchmark.errors import UsageError

SUFFIXES = frozenset({".png", ".jpg", ".jpeg"})


def image_files(folder: Path) -> list[Path]:
    """The PNG and JPEG files under `folder`, at any depth, ordered by their path as text.

    Text order is torch-fidelity's order, so that equal seeds draw equal KID subsets.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder; give a folder that holds PNG or JPEG images.")
    files = [path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file()]
    if not files:
        raise UsageError(f"{folder} holds no PNG or JPEG image; give the folder that holds them.")
    return sorted(files, key=str)


def folder_labels(folder: Path) -> list[str] | None:
    """The label of each image, in the order of `read_folder`, where it is laid out as `<label>/<image>`.

    None where any image lies at the top: such a folder has no labels.
    """
    parents = [path.relative_to(folder).parts[:-1] for path in image_files(folder)]
    return [parts[0] for parts in parents] if all(parents) else None


def read_patients(table: Path, folder: Path) -> list[str]:
    """The patient of each image, in the order of `read_folder`, from a CSV file with columns `file`, `patient_id`.

    `file` is the path of an image below `folder`: the manifest of `fulora-bench export` is such a table. Rows of
    other images are passed over. Raises UsageError where a column, an image or a patient is missing, or an image has
    two patients.
    """
    try:
        rows = pd.read_csv(table, dtype=str)
    except (OSError, ValueError) as error:
        raise UsageError(f"{table} cannot be read as CSV ({error}); it needs the columns file, patient_id.") from error
    if missing := {"file", "patient_id"} - set(rows.columns):
        raise UsageError(f"{table} has no column {', '.join(sorted(missing))}; it needs the columns file, patient_id.")
    named = rows.dropna(subset=["file", "patient_id"]).drop_duplicates(["file", "patient_id"])
    if twice := named["file"][named["file"].duplicated()].tolist():
        raise UsageError(f"{table} gives more than one patient to {twice[0]}; leave one of its rows.")
    patients = dict(zip(named["file"], named["patient_id"], strict=True))
    names = [path.relative_to(folder).as_posix() for path in image_files(folder)]
    if without := [name for name in names if name not in patients]:
        raise UsageError(
            f"{table} names no patient for {len(without)} of {len(names)} images of {folder}, e.g. {without[0]}; "
            "add their rows, with paths below that folder."
        )
    return [patients[name] for name in names]


def _grey(path: Path, size: int | None) -> NDArray[np.uint8]:
    try:
        with Image.open(path) as image:
            grey = image.convert("L")
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise UsageError(f"{path} cannot be read as an image ({error}); mend or remove it.") from error
    if size is not None and grey.size != (size, size):
        grey = grey.resize((size, size), Image.Resampling.BOX if min(grey.size) > size else Image.Resampling.BILINEAR)
    return np.asarray(grey, dtype=np.uint8)


def read_folder(folder: Path, size: int | None = None) -> NDArray[np.uint8]:
    """All images of a folder, in grey: uint8, shape (n, h, w), 0 to 255.

    Colour is turned to grey by ITU-R 601 luma (Pillow's mode L): a tint must not be measured as a fault.
    With `size`, images of another size are resized to size x size (box filter down, bilinear up); without it
    they keep their size, which must then be the same for all.
    """
    files = image_files(folder)
    images = [_grey(path, size) for path in files]
    for path, image in zip(files, images, strict=True):
        if image.shape != images[0].shape:
            raise UsageError(
                f"{folder} mixes image sizes: {files[0].name} is {_size(images[0])}, {path.name} is {_size(image)}. "
                "Distances between sets of mixed sizes mean little; resize both folders alike, e.g. with --size 64."
            )
    return np.stack(images)


def _size(image: NDArray[np.uint8]) -> str:
    height, width = image.shape
    return f"{width}x{height}"
