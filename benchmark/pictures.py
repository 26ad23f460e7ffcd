"""Grids of samples: what each method drew, alone and beside real training images.

A grid shows the first samples of every class, never chosen ones. Samples that the fidelity records flag as
near-copies of a training image are left out of what may be published, and the grid says how many.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from benchmark.classes import CLASSES
from benchmark.cohorts.cohort import Cohort
from benchmark.errors import BenchError
from benchmark.execution.inputs import stored_set
from benchmark.records import Record
from benchmark.runs import Run, read_run, run_records, run_store

Images = NDArray[np.uint8]
Group = Mapping[str, Images]
"""Images (n, size, size) by class."""

PRIVATE = "private"
FREE_PROTOCOLS = ("phantom",)
"""Protocols whose real images may be published: they are drawn, of nobody."""

_UNCHECKED = (
    "the synthetic-only grid is withheld, since no fidelity record against `train` says which samples are near-copies "
    "of training images. Add `train` to the profile's fidelity references and run again."
)
_TILE = 128
_SMALL_TILE = 96
_COLUMNS = 8
_BESIDE = 5
_OVERVIEW = 3
_GAP = 3
_BLOCK_GAP = 22
_MARGIN = 16
_BACKGROUND, _INK, _FAINT = 255, 20, 110


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


@dataclass(frozen=True)
class _Row:
    label: str
    blocks: Sequence[Images]


def real_by_class(cohort: Cohort) -> dict[str, Images]:
    """The images of a cohort by class, in its order, for `write_sample_grids`."""
    labels = np.asarray(cohort.table["label"])
    return {name: np.asarray(cohort.pixels[np.flatnonzero(labels == name)]) for name in CLASSES}


def write_sample_grids(run_folder: Path, out: Path, real: Group | None = None) -> Grids:
    """Draw `samples-<method>.png` per method, `samples.png` of all, and `with-real-<method>.png` if `real` is given.

    Pictures with real images of a cohort under licence go to `out/private`. Without a near-copy check in the fidelity
    records such a cohort's synthetic-only grid is withheld, and `notes` says so.

    Args:
        run_folder: a run.
        out: folder for the pictures; it is made.
        real: source training images by class, uint8 (n, size, size).

    Raises:
        UsageError: the folder holds no run.
        BenchError: a stored synthetic image is damaged.
    """
    run = read_run(run_folder)
    free = run.protocol.name in FREE_PROTOCOLS
    records = run_records(run, run_store(run_folder))
    grids = Grids()
    out.mkdir(parents=True, exist_ok=True)
    rows = [_overview_row("real", real)] if free and real else []
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
            picture = _grid(
                samples.caption, [""], [_Row(n, [samples.publishable[n][:_COLUMNS]]) for n in CLASSES], _TILE
            )
            grids.published.append(_save(picture, out / f"samples-{method}.png"))
            rows.append(_overview_row(method, samples.publishable))
        if real:
            picture = _beside(samples, real)
            target = out if free else _private(out)
            place = grids.published if free else grids.private
            place.append(_save(picture, target / f"with-real-{method}.png"))
    if rows:
        title = f"Synthetic images by method, protocol {run.protocol.name}: the first {_OVERVIEW} of every class"
        grids.published.append(_save(_grid(title, list(CLASSES), rows, _SMALL_TILE), out / "samples.png"))
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
    withheld = "" if free or flagged is not None else f"{method}: {_UNCHECKED}"
    if flagged and max(flagged) >= len(stored.labels):
        raise BenchError(f"{method}: a near-copy is flagged beyond the {len(stored.labels)} stored samples. Run again.")
    kept = np.ones(len(stored.labels), dtype=bool)
    kept[list(flagged or ())] = False
    labels = np.asarray(stored.labels)
    caption = f"{method}, repetition {record.cell.repetition}: the first of {len(labels)} synthetic images"
    if flagged is not None:
        caption += f"; {len(flagged)} near-copies of training images left out"
    return _Samples(
        method,
        {name: stored.images[(labels == name) & kept] for name in CLASSES},
        {name: stored.images[labels == name] for name in CLASSES},
        caption,
        withheld,
    )


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


def _overview_row(label: str, group: Group | None) -> _Row:
    return _Row(label, [(group or {}).get(name, _nothing())[:_OVERVIEW] for name in CLASSES])


def _beside(samples: _Samples, real: Group) -> Image.Image:
    rows = [
        _Row(name, [real.get(name, _nothing())[:_BESIDE], samples.every[name][:_BESIDE]]) for name in CLASSES
    ]  # fmt: skip
    title = f"{samples.method}: real source-training images beside the first synthetic ones"
    return _grid(title, ["real", "synthetic"], rows, _TILE)


def _grid(title: str, headings: Sequence[str], rows: Sequence[_Row], tile: int) -> Image.Image:
    """Rows of labelled blocks of tiles; a block is as wide as its longest row."""
    counts = [max((len(row.blocks[i]) for row in rows), default=0) for i in range(len(rows[0].blocks))]
    widths = [max(count, 1) * (tile + _GAP) - _GAP for count in counts]
    large, small = ImageFont.load_default(22), ImageFont.load_default(18)
    labels = max(int(small.getlength(row.label)) for row in rows) + _BLOCK_GAP
    lefts = [_MARGIN + labels + sum(widths[:i]) + i * _BLOCK_GAP for i in range(len(widths))]
    top = _MARGIN + 40 + (28 if any(headings) else 0)
    right = max(lefts[-1] + widths[-1], _MARGIN + int(large.getlength(title)))
    canvas = Image.new("L", (right + _MARGIN, top + len(rows) * (tile + _GAP) - _GAP + _MARGIN), _BACKGROUND)
    draw = ImageDraw.Draw(canvas)
    draw.text((_MARGIN, _MARGIN), title, fill=_INK, font=large)
    for left, heading in zip(lefts, headings, strict=True):
        draw.text((left, top - 28), heading, fill=_FAINT, font=small)
    for number, row in enumerate(rows):
        y = top + number * (tile + _GAP)
        draw.text((_MARGIN, y + tile // 2), row.label, fill=_INK, font=small, anchor="lm")
        for left, block in zip(lefts, row.blocks, strict=True):
            for position, image in enumerate(block):
                canvas.paste(_tile(image, tile), (left + position * (tile + _GAP), y))
    return canvas


def _tile(image: Images, side: int) -> Image.Image:
    return Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC)


def _nothing() -> Images:
    return np.empty((0, 1, 1), dtype=np.uint8)


def _private(out: Path) -> Path:
    """The folder for pictures that must not be published; git is told to leave it alone."""
    folder = out / PRIVATE
    folder.mkdir(exist_ok=True)
    (folder / ".gitignore").write_text("*\n")
    return folder


def _save(picture: Image.Image, path: Path) -> Path:
    scratch = path.with_name(f".{path.name}")
    picture.save(scratch, format="PNG", optimize=True)
    scratch.replace(path)
    return path
