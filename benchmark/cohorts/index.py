"""The prepared index: what a cohort's images are, kept so that later runs need no path."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from benchmark.cohorts.cache import ImageSource, cache_dir, decoded_pixels, write_json
from benchmark.cohorts.cohort import COLUMNS, Cohort
from benchmark.cohorts.images import Progress, in_threads, told
from benchmark.cohorts.tables import Imported, merge_clusters, natural
from benchmark.errors import BenchError
from benchmark.keys import file_sha256

_FORMAT = 1
_FILE_COLUMNS = ("file", "row", "bytes", "mtime_ns")


@dataclass(frozen=True)
class Index:
    """A prepared cohort: where its files lie, its rows (`COLUMNS` and file facts) and what was found."""

    name: str
    root: Path
    table_file: str
    rows: pd.DataFrame
    notes: tuple[str, ...]

    def sources(self) -> list[ImageSource]:
        """One image source per row, in the order of the rows."""
        listed = zip(self.rows["file"], self.rows["sha256"], self.rows["row"], strict=True)
        return [ImageSource(self.root / file, sha256, self._where(row)) for file, sha256, row in listed]

    def cohort(self, size: int, progress: Progress | None = None) -> Cohort:
        """The cohort at this working size; decodes its pixels if they are not in the cache."""
        pixels = decoded_pixels(self.sources(), size, progress)
        return Cohort(self.name, self.rows.loc[:, list(COLUMNS)].copy(), pixels, self.notes)

    def _where(self, row: int) -> str:
        return f"{self.root / self.table_file}, row {row}" if self.table_file else ""


def index_path(name: str) -> Path:
    """Where the index of a prepared cohort is kept."""
    return cache_dir() / "cohorts" / f"{name}.json"


def build_index(imported: Imported, progress: Progress | None = None) -> Index:
    """Digest every file, merge the patients that share identical ones, and order the rows by image id."""
    images = sorted(imported.images, key=lambda image: natural(image.image_id))
    paths = [imported.root / image.file for image in images]
    digests = [digest for _, digest in told(in_threads(file_sha256, paths), "reading", len(paths), progress)]
    patients = [f"{image.center}-{image.patient_id}" if image.center else image.patient_id for image in images]
    clusters = merge_clusters(patients, digests)
    stats = [path.stat() for path in paths]
    rows = pd.DataFrame(
        {
            "image_id": [image.image_id for image in images],
            "label": [image.label for image in images],
            "patient_id": [image.patient_id for image in images],
            "center": [image.center for image in images],
            "cluster_id": clusters,
            "split": [image.split for image in images],
            "machine": [image.machine for image in images],
            "operator": [image.operator for image in images],
            "sha256": digests,
            "file": [image.file for image in images],
            "row": [image.row for image in images],
            "bytes": [stat.st_size for stat in stats],
            "mtime_ns": [stat.st_mtime_ns for stat in stats],
        }
    )
    notes = (*imported.notes, *_identical_notes(rows, len(set(patients))))
    return Index(imported.name, imported.root.absolute(), imported.table, rows, notes)


def _identical_notes(rows: pd.DataFrame, patients: int) -> list[str]:
    copies = len(rows) - rows["sha256"].nunique()
    if not copies:
        return []
    clusters = rows["cluster_id"].nunique()
    notes = [
        f"{copies} images are byte-identical copies of another; patients that share one are one cluster: "
        f"{patients} patients, {clusters} clusters."
    ]
    labels = rows.groupby("sha256")["label"].nunique()
    torn = int((labels > 1).sum())
    if torn:
        notes.append(f"{torn} byte-identical images stand under different labels.")
    return notes


def save_index(index: Index) -> Path:
    """Keep the index in the cache (atomically) and return its path."""
    path = index_path(index.name)
    columns = {name: index.rows[name].tolist() for name in (*COLUMNS, *_FILE_COLUMNS)}
    value = {"format": _FORMAT, "name": index.name, "root": str(index.root), "table": index.table_file}
    write_json(path, value | {"notes": list(index.notes), "rows": columns})
    return path


def read_index(name: str, how: str) -> Index:
    """The prepared index, with every file checked to be there and unchanged.

    `how` tells how to get the cohort. Raises BenchError when the cohort was not prepared, or its files have
    gone or changed since.
    """
    path = index_path(name)
    if not path.is_file():
        raise BenchError(f"the cohort '{name}' is not prepared on this machine.\n{how}")
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        if value["format"] != _FORMAT:
            raise ValueError(f"format {value['format']}")
        rows = pd.DataFrame(value["rows"])[[*COLUMNS, *_FILE_COLUMNS]]
        index = Index(value["name"], Path(value["root"]), value["table"], rows, tuple(value["notes"]))
    except (ValueError, KeyError, TypeError) as error:
        raise BenchError(
            f"{path} cannot be read ({error!r}): run `fulora-bench prepare {name}` again.\n{how}"
        ) from error
    _check_files(index, how)
    return index


def prepared_root(name: str) -> Path | None:
    """The folder that a prepared cohort's files lie in, or `None` where it is not prepared (or drawn, not read)."""
    path = index_path(name)
    return Path(json.loads(path.read_text(encoding="utf-8"))["root"]) if path.is_file() else None


def _check_files(index: Index, how: str) -> None:
    again = f"Run `fulora-bench prepare {index.name} --from PATH` again.\n{how}"
    facts = zip(*(index.rows[name] for name in ("file", "sha256", "bytes", "mtime_ns")), strict=True)
    for file, sha256, size, mtime_ns in facts:
        path = index.root / file
        try:
            stat = path.stat()
        except OSError as error:
            raise BenchError(f"the image {path} of the prepared cohort '{index.name}' has gone. {again}") from error
        same = stat.st_size == size and (stat.st_mtime_ns == mtime_ns or file_sha256(path) == sha256)
        if not same:
            raise BenchError(f"the image {path} has changed since '{index.name}' was prepared. {again}")


def counts(rows: pd.DataFrame, column: str) -> dict[str, int]:
    """How often each non-empty value of a column occurs, most frequent first."""
    return {str(name): number for name, number in Counter(rows[column]).most_common() if name}
