"""FETAL_PLANES_DB, the Spanish cohort (Burgos-Artizzu et al. 2020, doi 10.1038/s41598-020-67076-5)."""

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

TABLE = "FETAL_PLANES_DB_data.csv"
COLUMNS = ("Image_name", "Patient_num", "Plane", "Brain_plane", "Operator", "US_Machine", "Train")
CERVIX = "Maternal cervix"
PLANES = {
    "Fetal abdomen": "abdomen",
    "Fetal brain": "brain",
    "Fetal femur": "femur",
    "Fetal thorax": "thorax",
    "Other": "other",
    CERVIX: "",
}


def import_spain(source: Path) -> Imported:
    """Read the published layout (`FETAL_PLANES_DB_data.csv`, `Images/*.png`) in `source` or a folder below.

    Maternal cervix is no class of the study: its rows are dropped, counted and told in the notes, and their
    images need not be there. Raises BenchError naming file and row for what does not fit.
    """
    path = find_table(source, TABLE, how_to_get(PUBLISHED["spain"]))
    reader = TableReader(path, ";", COLUMNS)
    folder = path.parent / "Images"
    images: list[ImportedImage] = []
    listed: set[Path] = set()
    dropped = 0
    for row, values in reader.rows():
        label = reader.plane(row, values["Plane"], PLANES)
        stem = reader.file_name(row, values["Image_name"])
        if not label:
            dropped += 1
            listed.update((folder / f"{stem}.png", folder / f"{stem}.PNG"))
            continue
        file = image_file(folder, stem)
        if file is None:
            raise reader.fail(row, f"the image {folder / stem}.png is missing")
        listed.add(file)
        images.append(
            ImportedImage(
                image_id=stem,
                label=label,
                patient_id=reader.patient(row, values["Patient_num"]),
                file=file.relative_to(path.parent).as_posix(),
                row=row,
                center="Spain",
                split=reader.split(row, values["Train"]),
                machine=values["US_Machine"],
                operator=values["Operator"],
            )
        )
    if not images:
        raise reader.fail(2, "the table lists no image of the five planes")
    check_unique(images, reader.fail)
    notes = [f"{dropped} images of the maternal cervix were dropped (no class of the study)."]
    notes += unlisted_note([folder], listed)
    return Imported("spain", path.parent, path.name, tuple(images), tuple(notes))
