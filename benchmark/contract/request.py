"""The request folder: what a method is told and the images it may learn from."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from benchmark.contract.exits import BadRequest
from benchmark.contract.method import Name, ParameterValue, first_fault
from benchmark.contract.png import ImageFault, read_gray, write_gray
from benchmark.errors import BenchError

TRAIN_COLUMNS = ("file", "label", "patient_id", "sha256")


class ClassSpec(BaseModel):
    """One class to synthesise: its label and the caption that stands for it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    prompt: str


class Request(BaseModel):
    """All that a method is told; `request.json` holds exactly these fields.

    Attributes:
        steps: optimiser steps of the generator, the shared budget of the methods that are compared.
        images_per_class: synthetic images wanted of every class.
        image_size: side of the square images in pixels, of training and synthetic images alike.
        deadline_seconds: wall-clock time from the start of the process.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    contract_version: Literal[1] = 1
    method: Name
    parameters: dict[str, ParameterValue] = Field(default_factory=dict)
    seed: int = Field(ge=0, lt=2**63)
    classes: tuple[ClassSpec, ...] = Field(min_length=1)
    images_per_class: int = Field(ge=0, le=100_000)
    image_size: int = Field(ge=8, le=4096)
    steps: int = Field(ge=0)
    device: Literal["cpu", "cuda"] = "cpu"
    deadline_seconds: float = Field(gt=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _classes_differ(self) -> Request:
        if len(set(self.labels)) != len(self.labels):
            raise ValueError("two classes have the same name")
        return self

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names in the order of the request, which is the order of every manifest."""
        return tuple(item.name for item in self.classes)

    @property
    def prompts(self) -> dict[str, str]:
        """Caption of every class."""
        return {item.name: item.prompt for item in self.classes}


@dataclass(frozen=True)
class TrainingSet:
    """Real images that a method may learn from.

    Attributes:
        images: uint8, shape (n, size, size), grey.
        labels: class name per image.
        patients: patient per image; images of one patient are not independent.
        sha256: digest of every file.
    """

    images: NDArray[np.uint8]
    labels: tuple[str, ...]
    patients: tuple[str, ...]
    sha256: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)


def write_request(folder: Path, request: Request, train: NDArray[np.uint8], table: pd.DataFrame) -> None:
    """Write `request.json` and `train/` into a new or empty folder; `request.json` comes last.

    Args:
        folder: the request folder.
        request: what the method is told.
        train: uint8 of shape (n, size, size) with the request's size.
        table: n rows with the columns `label` and `patient_id`, in the order of `train`.

    Raises:
        BenchError: the folder holds something already, or images and request disagree.
    """
    labels = [str(label) for label in table["label"]]
    patients = [str(patient) for patient in table["patient_id"]]
    _check_consistent(request, train, labels)
    if folder.exists() and any(folder.iterdir()):
        raise BenchError(f"{folder} is not empty: a request needs a folder of its own.")
    root = folder / "train"
    for label in sorted(set(labels)):
        (root / label).mkdir(parents=True)
    root.mkdir(parents=True, exist_ok=True)
    rows = []
    for i, (label, patient) in enumerate(zip(labels, patients, strict=True)):
        name = f"{label}/{i:05d}.png"
        rows.append((name, label, patient, write_gray(root / name, np.ascontiguousarray(train[i]))))
    write_rows(root / "manifest.csv", TRAIN_COLUMNS, rows)
    (folder / "request.json").write_text(request.model_dump_json(indent=2) + "\n", encoding="utf-8")


def _check_consistent(request: Request, train: NDArray[np.uint8], labels: Sequence[str]) -> None:
    shape = (len(labels), request.image_size, request.image_size)
    if train.dtype != np.uint8 or train.shape != shape:
        raise BenchError(f"training images must be uint8 of shape {shape}, not {train.dtype} {train.shape}.")
    strange = sorted(set(labels) - set(request.labels))
    if strange:
        raise BenchError(f"training labels {strange} are no classes of the request ({', '.join(request.labels)}).")


def write_rows(path: Path, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Write a manifest as CSV with Unix line ends."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def read_request(folder: Path) -> Request:
    """Read and check `request.json`.

    Raises:
        BadRequest: missing, not JSON, or a field that is wrong.
    """
    file = folder / "request.json"
    try:
        return Request.model_validate_json(file.read_bytes())
    except OSError as error:
        raise BadRequest(f"{file} cannot be read: {error.strerror}. Point BENCH_INPUT at a request folder.") from error
    except ValidationError as error:
        raise BadRequest(f"{file}: {first_fault(error)}.") from error


def read_training_set(folder: Path, request: Request) -> TrainingSet:
    """Read and check `train/` of a request folder: every file, its size, mode and digest.

    Raises:
        BadRequest: the manifest or an image is wrong; the message names the row.
    """
    manifest = folder / "train" / "manifest.csv"
    try:
        with manifest.open(newline="", encoding="utf-8") as stream:
            reader = csv.reader(stream)
            header, rows = tuple(next(reader, ())), list(reader)
    except OSError as error:
        raise BadRequest(f"{manifest} cannot be read: {error.strerror}.") from error
    if header != TRAIN_COLUMNS:
        raise BadRequest(f"{manifest}: the header must be {','.join(TRAIN_COLUMNS)}, not {','.join(header)}.")
    images = np.empty((len(rows), request.image_size, request.image_size), dtype=np.uint8)
    for i, row in enumerate(rows):
        try:
            images[i] = _training_image(manifest.parent, row, request)
        except ImageFault as fault:
            raise BadRequest(f"{manifest} row {i + 2}: {fault}.") from fault
    return TrainingSet(
        images=images,
        labels=tuple(row[1] for row in rows),
        patients=tuple(row[2] for row in rows),
        sha256=tuple(row[3] for row in rows),
    )


def _training_image(root: Path, row: list[str], request: Request) -> NDArray[np.uint8]:
    if len(row) != len(TRAIN_COLUMNS):
        raise ImageFault(f"{len(row)} fields instead of {len(TRAIN_COLUMNS)}")
    name, label, _, expected = row
    if label not in request.labels:
        raise ImageFault(f"label '{label}' is no class of the request")
    path = root / name
    if not path.resolve().is_relative_to(root.resolve()):
        raise ImageFault(f"{name} lies outside the folder")
    pixels, digest = read_gray(path, request.image_size)
    if digest != expected:
        raise ImageFault(f"{name} does not have the SHA-256 of the manifest")
    return pixels
