"""Anybody's images: `<label>/*.png`, or a CSV that lists them."""

from __future__ import annotations

import hashlib
from pathlib import Path, PurePosixPath

from benchmark.classes import CLASSES
from benchmark.cohorts.tables import Imported, ImportedImage, TableReader, check_unique
from benchmark.errors import BenchError

TABLE = "manifest.csv"
REQUIRED = ("file", "label")
LAYOUT = (
    "A folder cohort is either <label>/*.png with the labels "
    f"{', '.join(CLASSES)}, or a {TABLE} with the columns file,label and optionally "
    "image_id,patient_id,center,split,machine,operator,sha256."
)


def import_folder(source: Path) -> Imported:
    """Read `<label>/*.png`, or the CSV given (`source` itself, `manifest.csv`, or the only CSV in the folder).

    Without patients, every image counts as a patient of its own, and the notes say so. Raises BenchError
    naming file and row for what does not fit.
    """
    table = _table(source)
    return _from_labels(source) if table is None else _from_table(table)


def _table(source: Path) -> Path | None:
    if source.is_file():
        if source.suffix.lower() != ".csv":
            raise BenchError(f"{source} is neither a folder nor a CSV.\n{LAYOUT}")
        return source
    if (source / TABLE).is_file():
        return source / TABLE
    found = sorted(path for path in source.glob("*.csv") if not path.name.startswith("."))
    if len(found) > 1:
        raise BenchError(f"{source} holds several tables ({', '.join(p.name for p in found)}): give one of them.")
    return found[0] if found else None


def _from_labels(source: Path) -> Imported:
    folders = sorted(path for path in source.iterdir() if path.is_dir() and not path.name.startswith("."))
    unknown = [path.name for path in folders if path.name not in CLASSES and any(path.glob("*.png"))]
    if unknown:
        raise BenchError(f"{source / unknown[0]}: '{unknown[0]}' is no label.\n{LAYOUT}")
    images = []
    for folder in folders:
        for path in sorted(folder.glob("*.png")) if folder.name in CLASSES else []:
            name = f"{folder.name}-{path.stem}"
            images.append(ImportedImage(name, folder.name, name, f"{folder.name}/{path.name}", 0))
    if not images:
        raise BenchError(f"{source} holds no image.\n{LAYOUT}")
    return Imported("folder", source, "", tuple(images), ("No patients are known: each image counts as its own.",))


def _from_table(path: Path) -> Imported:
    reader = TableReader(path, ",", REQUIRED, exact=False)
    labels = {name: name for name in CLASSES}
    images = []
    anonymous = 0
    for row, values in reader.rows():
        file = _listed_file(reader, row, values["file"])
        _check_digest(reader, row, path.parent / file, values.get("sha256", ""))
        label = reader.plane(row, values["label"], labels)
        fallback = reader.file_name(row, "-".join(file.with_suffix("").parts))
        image_id = reader.file_name(row, values["image_id"]) if values.get("image_id") else fallback
        anonymous += not values.get("patient_id")
        images.append(
            ImportedImage(
                image_id=image_id,
                label=label,
                patient_id=values.get("patient_id") or image_id,
                file=file.as_posix(),
                row=row,
                center=values.get("center", ""),
                split=values.get("split", ""),
                machine=values.get("machine", ""),
                operator=values.get("operator", ""),
            )
        )
    check_unique(images, reader.fail)
    notes = (f"{anonymous} images have no patient: each counts as its own.",) if anonymous else ()
    return Imported("folder", path.parent, path.name, tuple(images), notes)


def _listed_file(reader: TableReader, row: int, name: str) -> PurePosixPath:
    file = PurePosixPath(name)
    if not name or file.is_absolute() or ".." in file.parts or "\\" in name or "\0" in name:
        raise reader.fail(row, f"{name!r} is not a path inside the table's folder")
    if not (reader.path.parent / file).is_file():
        raise reader.fail(row, f"the image {reader.path.parent / file} is missing")
    return file


def _check_digest(reader: TableReader, row: int, path: Path, stated: str) -> None:
    if stated and hashlib.sha256(path.read_bytes()).hexdigest() != stated.lower():
        raise reader.fail(row, f"the image {path} does not have the stated sha256 {stated}")
