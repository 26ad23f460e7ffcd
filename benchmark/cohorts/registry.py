"""The cohorts by name: list, prepare, load. Importing this module loads no numpy, pandas or Pillow."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.cohorts.cache import cache_dir, written_whole
from benchmark.cohorts.sources import PUBLISHED, how_to_get
from benchmark.errors import UnknownNameError, UsageError
from benchmark.keys import content_key, tree_sha256

if TYPE_CHECKING:
    from benchmark.cohorts.cohort import Cohort
    from benchmark.cohorts.images import Progress
    from benchmark.cohorts.tables import Imported

VERIFIED_SIZE = 64
"""`prepare` decodes every image once, at this size, and so proves that it can be read."""


@dataclass(frozen=True)
class CohortInfo:
    """What a listing says of a cohort: `kind` is `phantom` (drawn), `published` or `folder`."""

    name: str
    kind: str
    summary: str
    licence: str = ""
    cite: str = ""


def _published(name: str, summary: str) -> CohortInfo:
    archive = PUBLISHED[name]
    return CohortInfo(name, "published", summary, archive.licence, archive.cite)


COHORTS: dict[str, CohortInfo] = {
    info.name: info
    for info in (
        CohortInfo("phantom-pretraining", "phantom", "wide draw of the phantom, for the embedded models", "MIT"),
        CohortInfo("phantom-source", "phantom", "one hospital's scanners: training and held-out parts", "MIT"),
        CohortInfo("phantom-target", "phantom", "five centres with scanners of their own: test only", "MIT"),
        _published("spain", "FETAL_PLANES_DB, two hospitals in Barcelona: source"),
        _published("africa", "fetal planes of Algeria, Egypt, Ghana, Malawi, Uganda: target, test only"),
        CohortInfo("folder", "folder", "any folder <label>/*.png, or a CSV with the columns file,label"),
    )
}


@dataclass(frozen=True)
class PreparedReport:
    """What `prepare` found: numbers of images, patients (within centres), clusters; counts; remarks."""

    name: str
    images: int
    patients: int
    clusters: int
    labels: dict[str, int]
    splits: dict[str, int]
    centers: dict[str, int]
    notes: tuple[str, ...]


def cohort_info(name: str) -> CohortInfo:
    """The entry of a cohort; raises UnknownNameError."""
    if name not in COHORTS:
        raise UnknownNameError("cohort", name, COHORTS)
    return COHORTS[name]


def prepare(
    name: str, source: Path | None = None, offline: bool = False, progress: Progress | None = None
) -> PreparedReport:
    """Verify, index and cache a cohort, so that `load_cohort` finds it later by name.

    Args:
        name: a name of `COHORTS`.
        source: a folder or archive in the published layout (or a CSV, for `folder`). Without it a published
            cohort is downloaded, and a phantom drawn.
        offline: forbid the download; the error then says how to get the archive.
        progress: called with (phase, done, total).

    Raises BenchError naming file and row for anything that does not fit the published layout.
    """
    info = cohort_info(name)
    if info.kind == "phantom":
        if source is not None:
            raise UsageError(f"'{name}' is drawn, not read: run `fulora-bench prepare {name}` without --from.")
        return _report(load_cohort(name, VERIFIED_SIZE))
    from benchmark.cohorts.index import build_index, save_index

    index = build_index(_imported(name, source, offline, progress), progress)
    cohort = index.cohort(VERIFIED_SIZE, progress)
    save_index(index)
    return _report(cohort)


def load_cohort(name: str, size: int, seed: int = 0, progress: Progress | None = None) -> Cohort:
    """A cohort at `size` x `size` pixels; pixels come from the cache, or are decoded (drawn) into it.

    `seed` draws another phantom; real cohorts do not use it. Raises BenchError when a real cohort was not
    prepared on this machine, or when its files have gone or changed since.
    """
    info = cohort_info(name)
    from benchmark.cohorts.images import check_size

    check_size(size)
    if info.kind == "phantom":
        return phantom_cohort(name, size, seed)
    from benchmark.cohorts.index import read_index

    return read_index(name, _how(name)).cohort(size, progress)


def phantom_cohort(name: str, size: int, seed: int = 0, images: int | None = None, draw: int = 0) -> Cohort:
    """A draw of the phantom, kept in the cache under the digest of its arguments and of the drawing code."""
    import numpy as np
    import pandas as pd

    from benchmark.cohorts import phantom
    from benchmark.cohorts.cache import kept_pixels, open_pixels
    from benchmark.cohorts.cohort import Cohort

    code = tree_sha256(Path(phantom.__file__).parent, ["**/*.py"])
    arguments = {"domain": name, "size": size, "seed": seed, "images": images, "draw": draw}
    key = content_key({"version": phantom.PHANTOM_VERSION, "code": code, "numpy": np.__version__} | arguments)
    pixels_file = cache_dir() / "phantom" / f"{key}.npy"
    table_file = pixels_file.with_suffix(".json")
    if table_file.is_file():
        kept = json.loads(table_file.read_text(encoding="utf-8"))
        table = pd.DataFrame(kept["rows"])
        pixels = open_pixels(pixels_file, (len(table), size, size))
        if pixels is not None:
            return Cohort(name, table, pixels, tuple(kept["notes"]))
    drawn = phantom.draw_phantom(name, size=size, seed=seed, images=images, draw=draw)
    with written_whole(table_file) as temporary:
        value = {"rows": drawn.table.to_dict("list"), "notes": list(drawn.notes)}
        temporary.write_text(json.dumps(value), encoding="utf-8")
    pixels = kept_pixels(pixels_file, drawn.pixels.shape, partial(np.copyto, src=drawn.pixels))
    return Cohort(name, drawn.table, pixels, drawn.notes)


def _imported(name: str, source: Path | None, offline: bool, progress: Progress | None) -> Imported:
    from benchmark.cohorts.african_planes import import_africa
    from benchmark.cohorts.archive import extract, is_archive
    from benchmark.cohorts.download import obtain
    from benchmark.cohorts.fetal_planes_db import import_spain
    from benchmark.cohorts.folder import import_folder

    importers: dict[str, Callable[[Path], Imported]] = {
        "spain": import_spain,
        "africa": import_africa,
        "folder": import_folder,
    }
    if source is None:
        if name not in PUBLISHED:
            raise UsageError(f"'{name}' needs its images: {_how(name)}")
        source = obtain(PUBLISHED[name], offline, progress)
    source = source.expanduser().absolute()
    if not source.exists():
        raise UsageError(f"{source} does not exist.\n{_how(name)}")
    if is_archive(source):
        folder = cache_dir() / "extracted" / name
        extract(source, folder, progress)
        source = folder
    return importers[name](source)


def _how(name: str) -> str:
    if name in PUBLISHED:
        return how_to_get(PUBLISHED[name])
    return "run `fulora-bench prepare folder --from PATH`, a folder <label>/*.png or a CSV with columns file,label."


def _report(cohort: Cohort) -> PreparedReport:
    from benchmark.cohorts.index import counts

    table = cohort.table
    return PreparedReport(
        name=cohort.name,
        images=len(cohort),
        patients=len(table[["center", "patient_id"]].drop_duplicates()),
        clusters=int(table["cluster_id"].nunique()),
        labels=counts(table, "label"),
        splits=counts(table, "split"),
        centers=counts(table, "center"),
        notes=cohort.notes,
    )
