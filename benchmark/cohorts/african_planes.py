"""The African planes of five countries (Sendra-Balcells et al. 2023, doi 10.1038/s41598-023-29490-3)."""

from __future__ import annotations

from pathlib import Path

from benchmark.cohorts.sources import PUBLISHED, how_to_get
from benchmark.cohorts.tables import (
    Imported,
    ImportedImage,
    TableReader,
    check_unique,
    find_table,
    image_file,
    unlisted_note,
)
from benchmark.errors import UnknownNameError

TABLE = "African_planes_database.csv"
COLUMNS = ("Patient_num", "Plane", "Train", "Center", "Filename")
CENTERS = ("Algeria", "Egypt", "Ghana", "Malawi", "Uganda")
PLANES = {
    "Fetal abdomen": "abdomen",
    "Fetal brain": "brain",
    "Fetal femur": "femur",
    "Fetal thorax": "thorax",
}


def import_africa(source: Path) -> Imported:
    """Read the published layout (`African_planes_database.csv`, `<country>/*.png`) in `source` or below.

    `Filename` may stand with or without `.png`. Patient numbers repeat across countries: a patient is the pair
    of centre and number. Raises BenchError naming file and row for what does not fit.
    """
    path = find_table(source, TABLE, how_to_get(PUBLISHED["africa"]))
    reader = TableReader(path, ",", COLUMNS)
    images: list[ImportedImage] = []
    listed: set[Path] = set()
    for row, values in reader.rows():
        center = values["Center"]
        if center not in CENTERS:
            raise reader.fail(row, str(UnknownNameError("centre", center, CENTERS)).rstrip("."))
        stem = reader.file_name(row, values["Filename"])
        file = image_file(path.parent / center, stem)
        if file is None:
            raise reader.fail(row, f"the image {path.parent / center / stem}.png is missing")
        listed.add(file)
        images.append(
            ImportedImage(
                image_id=stem,
                label=reader.plane(row, values["Plane"], PLANES),
                patient_id=reader.patient(row, values["Patient_num"]),
                file=file.relative_to(path.parent).as_posix(),
                row=row,
                center=center,
                split=reader.split(row, values["Train"]),
            )
        )
    check_unique(images, reader.fail)
    notes = unlisted_note([path.parent / center for center in CENTERS], listed)
    return Imported("africa", path.parent, path.name, tuple(images), tuple(notes))
