"""The response folder: what a method hands back, and the checks before anything of it is scored."""

from __future__ import annotations

import csv
import io
import os
import stat
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from benchmark.contract.method import MethodSpec, first_fault
from benchmark.contract.png import ImageFault, read_bounded, read_gray
from benchmark.contract.request import Request
from benchmark.errors import BenchError
from benchmark.keys import content_key

RESPONSE_COLUMNS = ("file", "label", "seed", "sha256")
RESULT_LIMIT = 1 << 20
BYTES_PER_ROW = 512
MAX_OTHER_FILES = 10_000


class InvalidResponse(BenchError):  # noqa: N818 -- the recorded status is `invalid`
    """The response breaks the contract; the message is the recorded reason of status `invalid`."""


_LARGEST = 2**53
"""The last whole number that a float holds exactly: tables compute with floats."""

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Result(BaseModel):
    """What a method tells about its own run; `result.json` holds exactly these fields.

    Attributes:
        timings: seconds per stage, e.g. `fit_seconds`, `sample_seconds`.
        peak_memory_mib: largest resident memory of the process.
        peak_gpu_memory_mib: largest memory allocated on the accelerator, if one was used.
        trained_parameters: numbers that the optimiser could change.
        steps: optimiser steps of the generator that were really taken.
        notes: what a reader of the leaderboard should know, one sentence each.
        versions: versions of the packages that made the images.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    timings: dict[str, Seconds] = Field(default_factory=dict)
    peak_memory_mib: float = Field(ge=0, allow_inf_nan=False)
    peak_gpu_memory_mib: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    trained_parameters: int = Field(ge=0, le=_LARGEST)
    steps: int = Field(ge=0, le=_LARGEST)
    notes: tuple[str, ...] = ()
    versions: dict[str, str] = Field(default_factory=dict)


@dataclass(frozen=True)
class SyntheticSet:
    """A validated synthetic set, in memory: what was checked is what is scored.

    Attributes:
        images: uint8, shape (n, size, size), grey, in manifest order (classes of the request, then index).
        labels, seeds, sha256, files: one per image.
        result: what the method told about its run.
    """

    images: NDArray[np.uint8]
    labels: tuple[str, ...]
    seeds: tuple[int, ...]
    sha256: tuple[str, ...]
    files: tuple[str, ...]
    result: Result

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def manifest_sha256(self) -> str:
        """Digest of labels and image digests in order; equal for every set without images."""
        return content_key([list(pair) for pair in zip(self.labels, self.sha256, strict=True)])


def validate_response(output: Path, request: Request, spec: MethodSpec, *, partial: bool = False) -> SyntheticSet:
    """Check a response folder against the contract and load it.

    Args:
        output: the response folder.
        request: what was asked for.
        spec: the method; `synthesizes = false` demands an empty manifest.
        partial: accept fewer images than asked for (a method that ended at its deadline).

    Raises:
        InvalidResponse: with the first reason found.
    """
    files = _regular_files(output, request)
    result = _read_result(output)
    rows = _read_manifest(output, request)
    _check_counts(Counter(row[1] for row in rows), request, spec, partial=partial)
    unlisted = {name for name in files if name.startswith("images/")} - {row[0] for row in rows}
    if unlisted:
        raise InvalidResponse(f"{min(unlisted)} is not in manifest.csv.")
    images = np.empty((len(rows), request.image_size, request.image_size), dtype=np.uint8)
    for i, (name, _, _, expected) in enumerate(rows):
        try:
            images[i], digest = read_gray(output / name, request.image_size)
        except ImageFault as fault:
            raise InvalidResponse(f"{name} {fault}.") from fault
        if digest != expected:
            raise InvalidResponse(f"{name} does not have the SHA-256 that manifest.csv gives.")
    return SyntheticSet(
        images=images,
        labels=tuple(row[1] for row in rows),
        seeds=tuple(int(row[2]) for row in rows),
        sha256=tuple(row[3] for row in rows),
        files=tuple(row[0] for row in rows),
        result=result,
    )


def _regular_files(output: Path, request: Request) -> set[str]:
    """Names of all files under `output`, relative; links, devices, pipes and hard links are refused."""
    if output.is_symlink() or not output.is_dir():
        raise InvalidResponse("the response is not a folder.")
    limit = request.images_per_class * len(request.classes) + MAX_OTHER_FILES
    names: set[str] = set()
    waiting = [output]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                name = Path(entry.path).relative_to(output).as_posix()
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(status.st_mode):
                    waiting.append(Path(entry.path))
                    continue
                _check_regular(name, status)
                names.add(name)
                if len(names) > limit:
                    raise InvalidResponse(f"more than {limit} files were written.")
    return names


def _check_regular(name: str, status: os.stat_result) -> None:
    if stat.S_ISLNK(status.st_mode):
        raise InvalidResponse(f"{name} is a symbolic link; only regular files are allowed.")
    if not stat.S_ISREG(status.st_mode):
        raise InvalidResponse(f"{name} is a device, pipe or socket; only regular files are allowed.")
    if status.st_nlink > 1:
        raise InvalidResponse(f"{name} is a hard link; only files with one name are allowed.")


def _read_result(output: Path) -> Result:
    name = "result.json"
    try:
        return Result.model_validate_json(read_bounded(output / name, RESULT_LIMIT))
    except FileNotFoundError as error:
        raise InvalidResponse(f"{name} is missing.") from error
    except (OSError, ImageFault) as error:
        raise InvalidResponse(f"{name}: {error}.") from error
    except ValidationError as error:
        raise InvalidResponse(f"{name}: {first_fault(error)}.") from error


def _read_manifest(output: Path, request: Request) -> list[list[str]]:
    """Rows of `manifest.csv`, each checked: known label, files in the one possible order, whole seeds."""
    limit = BYTES_PER_ROW * (request.images_per_class * len(request.classes) + 2)
    try:
        text = read_bounded(output / "manifest.csv", limit).decode("utf-8")
    except FileNotFoundError as error:
        raise InvalidResponse("manifest.csv is missing.") from error
    except (OSError, ImageFault, UnicodeDecodeError) as error:
        raise InvalidResponse(f"manifest.csv: {error}.") from error
    try:
        header, *rows = list(csv.reader(io.StringIO(text, newline=""), strict=True)) or [[]]
    except csv.Error as error:
        raise InvalidResponse(f"manifest.csv is not CSV: {error}.") from error
    if tuple(header) != RESPONSE_COLUMNS:
        raise InvalidResponse(f"manifest.csv: the header must be {','.join(RESPONSE_COLUMNS)}.")
    order = {label: position for position, label in enumerate(request.labels)}
    counts: Counter[str] = Counter()
    last = 0
    for number, row in enumerate(rows, start=2):
        if len(row) != len(RESPONSE_COLUMNS):
            raise InvalidResponse(f"manifest.csv row {number}: {len(row)} fields instead of 4.")
        if row[1] not in order:
            raise InvalidResponse(f"manifest.csv row {number}: label '{row[1]}' was not asked for.")
        if order[row[1]] < last:
            raise InvalidResponse(f"manifest.csv row {number}: classes must follow the request's order.")
        last = order[row[1]]
        _check_row(number, row, counts[row[1]])
        counts[row[1]] += 1
    return rows


def _check_row(number: int, row: list[str], index: int) -> None:
    name, label, seed, _ = row
    head, _, tail = name.rpartition("/")
    stem = tail.removesuffix(".png")
    numbered = stem.isascii() and stem.isdigit() and len(stem) <= 9 and tail == f"{stem}.png"
    if head != f"images/{label}" or not numbered or int(stem) != index:
        raise InvalidResponse(
            f"manifest.csv row {number}: file must be images/{label}/{index}.png "
            f"(leading zeros are allowed), not '{name[:100]}'."
        )
    if not (seed.isascii() and seed.isdigit() and len(seed) <= 19):
        raise InvalidResponse(f"manifest.csv row {number}: seed must be a whole number, not '{seed[:40]}'.")


def _check_counts(counts: Counter[str], request: Request, spec: MethodSpec, *, partial: bool) -> None:
    wanted = request.images_per_class if spec.synthesizes else 0
    for label in request.labels:
        found = counts[label]
        if found > wanted or (found < wanted and not partial):
            raise InvalidResponse(f"{found} images of class '{label}' instead of {wanted}.")
