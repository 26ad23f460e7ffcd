"""What the importers share: strict tables, one image per row, patients merged by identical files."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmark.errors import BenchError, UnknownNameError

_IMAGE_ID = re.compile(r"[^/\\\x00-\x1f]{1,200}")
_SEARCH_DEPTH = 3


@dataclass(frozen=True)
class ImportedImage:
    """One image as its authors list it: `file` is relative to the root, `row` counts the header as row 1."""

    image_id: str
    label: str
    patient_id: str
    file: str
    row: int
    center: str = ""
    split: str = ""
    machine: str = ""
    operator: str = ""


@dataclass(frozen=True)
class Imported:
    """What an importer found: the images, the table that lists them (empty if none) and its remarks."""

    name: str
    root: Path
    table: str
    images: tuple[ImportedImage, ...]
    notes: tuple[str, ...] = ()

    def where(self, row: int) -> str:
        """The table and row of an image, for errors; empty when no table lists it."""
        return f"{self.root / self.table}, row {row}" if self.table else ""


@dataclass
class TableReader:
    """Reads a published CSV strictly; every complaint names the file and the row."""

    path: Path
    delimiter: str
    required: tuple[str, ...]
    exact: bool = True
    notes: list[str] = field(default_factory=list)

    def fail(self, row: int, what: str) -> BenchError:
        """The error to raise for a row (the header is row 1)."""
        return BenchError(
            f"{self.path}, row {row}: {what}. Mend the file or get the published one, "
            "then run `fulora-bench prepare` again."
        )

    def rows(self) -> list[tuple[int, dict[str, str]]]:
        """(row number, values by column name), names and values stripped of outer spaces, empty lines left out.

        Raises BenchError for a wrong header, a row of another length, bytes that are not UTF-8, or no rows.
        """
        try:
            with self.path.open(encoding="utf-8-sig", newline="") as stream:
                reader = csv.reader(stream, delimiter=self.delimiter, strict=True)
                header = [name.strip() for name in next(reader, [])]
                self._check_header(header)
                rows = [self._row(reader.line_num, header, values) for values in reader if any(values)]
        except (UnicodeDecodeError, csv.Error) as error:
            raise BenchError(f"{self.path} is not a CSV in UTF-8 ({error}). Get the published file.") from error
        if not rows:
            raise self.fail(2, "the table lists no image")
        return rows

    def _check_header(self, header: list[str]) -> None:
        missing = [name for name in self.required if name not in header]
        surplus = [name for name in header if name not in self.required] if self.exact else []
        if missing or surplus or len(set(header)) != len(header):
            raise self.fail(
                1,
                f"the header is {self.delimiter.join(header)!r}, "
                f"expected {self.delimiter.join(self.required)!r} separated by {self.delimiter!r}",
            )

    def _row(self, row: int, header: list[str], values: list[str]) -> tuple[int, dict[str, str]]:
        if len(values) != len(header):
            raise self.fail(row, f"{len(values)} values, expected {len(header)}")
        return row, dict(zip(header, (value.strip() for value in values), strict=True))

    def plane(self, row: int, plane: str, known: dict[str, str]) -> str:
        """The label of a published plane name; raises BenchError for an unknown one."""
        if plane not in known:
            raise self.fail(row, str(UnknownNameError("plane", plane, known)).rstrip("."))
        return known[plane]

    def patient(self, row: int, number: str) -> str:
        """A patient number without leading zeros or a decimal part written by a spreadsheet."""
        if not re.fullmatch(r"\d+(\.0+)?", number):
            raise self.fail(row, f"the patient number {number!r} is not a number")
        return str(int(number.split(".", maxsplit=1)[0]))

    def split(self, row: int, flag: str) -> str:
        """`train` for 1, `test` for 0."""
        splits = {"1": "train", "0": "test", "1.0": "train", "0.0": "test"}
        if flag not in splits:
            raise self.fail(row, f"the split flag {flag!r} is neither 1 (train) nor 0 (test)")
        return splits[flag]

    def file_name(self, row: int, name: str) -> str:
        """A plain file name without `.png`; raises BenchError for anything that could leave its folder."""
        stem = name[:-4] if name.lower().endswith(".png") else name
        if not _IMAGE_ID.fullmatch(stem) or stem.startswith("."):
            raise self.fail(row, f"{name!r} is not a file name")
        return stem


def find_table(source: Path, name: str, how: str) -> Path:
    """The table called `name` in `source` or a few folders below (copies wrap the published layout in a folder).

    `how` is appended to the error. Raises BenchError when there is none, or two at the same depth.
    """
    if source.is_file() and source.name.casefold() == name.casefold():
        return source
    for depth in range(_SEARCH_DEPTH + 1):
        pattern = "/".join(["*"] * (depth + 1))
        found = [path for path in sorted(source.glob(pattern)) if path.name.casefold() == name.casefold()]
        if len(found) > 1:
            raise BenchError(f"{source} holds {name} twice ({found[0]}, {found[1]}): name one of their folders.")
        if found:
            return found[0]
    raise BenchError(f"{source} holds no {name}.\n{how}")


def image_file(folder: Path, stem: str) -> Path | None:
    """`stem`.png in `folder`, whatever the case of its ending; None if absent."""
    for suffix in (".png", ".PNG"):
        path = folder / f"{stem}{suffix}"
        if path.is_file():
            return path
    return None


def check_unique(images: Iterable[ImportedImage], fail: Callable[[int, str], BenchError]) -> None:
    """Raise the reader's error at the second row that gives an image id or a file again."""
    for attribute in ("image_id", "file"):
        seen: dict[str, int] = {}
        for image in images:
            value = str(getattr(image, attribute))
            if value in seen:
                raise fail(image.row, f"{attribute} {value!r} was given before, in row {seen[value]}")
            seen[value] = image.row


def unlisted_note(folders: Iterable[Path], listed: set[Path]) -> list[str]:
    """A sentence when the folders hold PNG files that the table does not list."""
    extra = sum(
        1
        for folder in folders
        for path in folder.glob("*")
        if path.suffix.lower() == ".png" and not path.name.startswith(".") and path not in listed
    )
    return [f"{extra} PNG files are not listed in the table and were left out."] if extra else []


def natural(name: str) -> list[tuple[int, int | str]]:
    """A sort key under which `9` comes before `10`."""
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in re.split(r"(\d+)", name) if part]


def merge_clusters(patients: Sequence[str], digests: Sequence[str]) -> list[str]:
    """The cluster of each image: patients that share a byte-identical image, directly or by a chain, are one.

    A cluster is named by its first patient in natural order, so that names do not depend on the rows' order.
    """
    parent = {patient: patient for patient in patients}

    def root(patient: str) -> str:
        while parent[patient] != patient:
            parent[patient] = parent[parent[patient]]
            patient = parent[patient]
        return patient

    first_owner: dict[str, str] = {}
    for patient, digest in zip(patients, digests, strict=True):
        owner = root(first_owner.setdefault(digest, patient))
        other = root(patient)
        if owner != other:
            parent[other] = owner
    members: dict[str, list[str]] = defaultdict(list)
    for patient in parent:
        members[root(patient)].append(patient)
    names = {top: min(group, key=natural) for top, group in members.items()}
    return [names[root(patient)] for patient in patients]
