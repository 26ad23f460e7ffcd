"""Grids of samples: the first that each method drew of every class, alone and beside real training images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from benchmark.classes import CLASSES
from benchmark.errors import BenchError
from benchmark.execution.inputs import stored_set
from benchmark.pictures.closest import UNKNOWN, closest_picture
from benchmark.pictures.drawing import TILE, Images, Row, grid, nothing, save
from benchmark.pictures.real import RealImages
from benchmark.records import Record
from benchmark.runs import Run, read_run, run_records, run_store

Group = Mapping[str, Images]
"""Images (n, size, size) by class."""

PRIVATE = "private"
FREE_PROTOCOLS = ("phantom",)
"""Protocols whose real images may be published: they are drawn, of nobody."""

MOST_COPIES = 0.1
"""Share of copies in a set above which none of it stands in a published picture beside licensed images."""

_UNCHECKED = (
    "the synthetic-only grid is withheld, since no fidelity record against `train` says which samples are near-copies "
    "of training images. Add `train` to the profile's fidelity references and run again."
)
_SMALL_TILE = 96
_COLUMNS = 8
_BESIDE = 5
_OVERVIEW = 3


@dataclass
class Grids:
    """What was written.

    Attributes:
        published: pictures that hold no real image of a cohort under licence.
        private: pictures with such images; their folder tells git to ignore it.
        notes: what was left out or withheld, one sentence each.
    """

    published: list[Path] = field(default_factory=list)
    private: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Samples:
    """One method's synthetic set: publishable images, all images, and what is said of them."""

    method: str
    publishable: Group
    every: Group
    caption: str
    withheld: str = ""


def write_sample_grids(run_folder: Path, out: Path, real: RealImages | None = None) -> Grids:
    """Draw `samples-<method>.png` per method and `samples.png` of all; with `real` also those that hold real images.

    These are `with-real-<method>.png`, and `closest-<method>.png` with the synthetic images most like a training image.
    Samples that a fidelity record flags as near-copies of images under licence are in these only; captions say how many
    they are.
    Pictures with real images of a cohort under licence go to `out/private`. Without a near-copy check in the fidelity
    records such a cohort's synthetic-only grid is withheld, and `notes` says so.

    Args:
        run_folder: a run.
        out: folder for the pictures; it is made.
        real: the images of `protocol.adaptation`, in its order.

    Raises:
        UsageError: the folder holds no run.
        BenchError: a stored synthetic image is damaged, or the records number images that are not there.
    """
    run = read_run(run_folder)
    free = run.protocol.name in FREE_PROTOCOLS
    records = run_records(run, run_store(run_folder))
    grids = Grids()
    out.mkdir(parents=True, exist_ok=True)
    rows = [_overview_row("real", real.by_class())] if free and real else []
    for method, facts in run.methods.items():
        if not facts.synthesizes:
            continue
        samples = _samples(run, records, method, free)
        if samples is None:
            grids.notes.append(f"{method}: no synthetic set is ok, so there is no picture of it.")
            continue
        if samples.withheld:
            grids.notes.append(samples.withheld)
        else:
            picture = grid(samples.caption, [""], [Row(n, [samples.publishable[n][:_COLUMNS]]) for n in CLASSES], TILE)
            grids.published.append(save(picture, out / f"samples-{method}.png"))
            rows.append(_overview_row(method, samples.publishable))
        if real:
            written, target = (grids.published, out) if free else (grids.private, _private(out))
            written.append(save(_beside(samples, real.by_class()), target / f"with-real-{method}.png"))
            closest = closest_picture(records, method, real, int(run.profile["image_size"]))
            if closest is None:
                grids.notes.append(f"{method}: {UNKNOWN}")
            else:
                written.append(save(closest, target / f"closest-{method}.png"))
    if rows:
        title = f"Synthetic images by method, protocol {run.protocol.name}: the first {_OVERVIEW} of every class"
        grids.published.append(save(grid(title, list(CLASSES), rows, _SMALL_TILE), out / "samples.png"))
    return grids


def _samples(run: Run, records: list[tuple[Record, Path]], method: str, free: bool) -> _Samples | None:
    """The first repetition of a method that is ok, without flagged samples; `None` if there is none."""
    sets = [entry for entry in records if entry[0].cell.kind == "generate" and entry[0].cell.method == method]
    usable = sorted((entry for entry in sets if entry[0].status == "ok"), key=lambda entry: entry[0].cell.repetition)
    if not usable:
        return None
    record, folder = usable[0]
    stored = stored_set(folder, int(run.profile["image_size"]))
    flagged = _flagged(records, record)
    withheld = "" if free else _why_withheld(method, flagged, len(stored.labels))
    if flagged and max(flagged) >= len(stored.labels):
        raise BenchError(f"{method}: a near-copy is flagged beyond the {len(stored.labels)} stored samples. Run again.")
    kept = np.ones(len(stored.labels), dtype=bool)
    kept[list(flagged or ())] = False
    labels = np.asarray(stored.labels)
    caption = f"{method}, repetition {record.cell.repetition}: the first of {len(labels)} synthetic images"
    if free:
        # What is drawn, of nobody, may be shown, and what escaped the search is no sample of the set.
        kept[:] = True
        caption += f"; {len(flagged)} are near-copies of training images" if flagged else ""
    elif flagged is not None:
        caption += f"; {len(flagged)} near-copies of training images left out"
    return _Samples(
        method,
        {name: stored.images[(labels == name) & kept] for name in CLASSES},
        {name: stored.images[labels == name] for name in CLASSES},
        caption,
        withheld,
    )


def _why_withheld(method: str, flagged: set[int] | None, count: int) -> str:
    """Why a grid that would stand beside licensed images is not published; empty if it may be.

    The rest of a set that is mostly copies is not what was found to be one, and may still be.
    """
    if flagged is None:
        return f"{method}: {_UNCHECKED}"
    if len(flagged) > MOST_COPIES * count:
        return f"{method}: {len(flagged)} of {count} samples are copies of training images, so its grid is withheld."
    return ""


def _flagged(records: list[tuple[Record, Path]], generated: Record) -> set[int] | None:
    """Positions of near-copies in the manifest, by any extractor; `None` if nothing was checked."""
    wanted = (generated.cell.method, generated.cell.repetition, "train")
    checks = [
        record.metrics["near_copies"]["flagged"]
        for record, _ in records
        if (record.cell.method, record.cell.repetition, record.cell.reference) == wanted
        and record.status == "ok"
        and "near_copies" in record.metrics
    ]
    return {int(position) for flagged in checks for position in flagged} if checks else None


def _overview_row(label: str, group: Group | None) -> Row:
    return Row(label, [(group or {}).get(name, nothing())[:_OVERVIEW] for name in CLASSES])


def _beside(samples: _Samples, real: Group) -> Image.Image:
    rows = [
        Row(name, [real.get(name, nothing())[:_BESIDE], samples.every[name][:_BESIDE]]) for name in CLASSES
    ]  # fmt: skip
    title = f"{samples.method}: real source-training images beside the first synthetic ones"
    return grid(title, ["real", "synthetic"], rows, TILE)


def _private(out: Path) -> Path:
    """The folder for pictures that must not be published; git is told to leave it alone."""
    folder = out / PRIVATE
    folder.mkdir(exist_ok=True)
    (folder / ".gitignore").write_text("*\n")
    return folder
