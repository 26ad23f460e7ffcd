"""Writing a cohort out as a folder of PNG files with a manifest."""

from __future__ import annotations

import csv
import hashlib
import io
from pathlib import Path

from PIL import Image

from benchmark.cohorts.cache import written_whole
from benchmark.cohorts.cohort import Cohort
from benchmark.cohorts.images import Progress
from benchmark.errors import UsageError

MANIFEST_COLUMNS = ("file", "label", "patient_id", "sha256")


def export_cohort(cohort: Cohort, out: Path, progress: Progress | None = None) -> Path:
    """Write `<label>/<image_id>.png` (8-bit grey) and `manifest.csv` (`file,label,patient_id,sha256`) into `out`.

    The `sha256` is that of the written file. The manifest comes last: a folder without one is unfinished.
    Returns the manifest's path. Raises UsageError when `out` is not empty.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} is not an empty folder: choose another --out.")
    rows = []
    listed = zip(cohort.table["label"], cohort.table["image_id"], cohort.table["patient_id"], strict=True)
    for index, (label, image_id, patient_id) in enumerate(listed):
        content = io.BytesIO()
        Image.fromarray(cohort.pixels[index]).save(content, format="PNG")
        file = f"{label}/{image_id}.png"
        path = out / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.getvalue())
        rows.append((file, label, patient_id, hashlib.sha256(content.getvalue()).hexdigest()))
        if progress is not None:
            progress("writing", index + 1, len(cohort))
    manifest = out / "manifest.csv"
    with written_whole(manifest) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(MANIFEST_COLUMNS)
        writer.writerows(rows)
    return manifest
