"""The synthetic images most like a training image, beside it: people see whether a method gives images back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from benchmark.errors import BenchError
from benchmark.execution.inputs import stored_set
from benchmark.pictures.drawing import BACKGROUND, BLOCK_GAP, FAINT, GAP, INK, MARGIN, TILE, Images, tile_of
from benchmark.pictures.real import RealImages
from benchmark.records import Record

UNKNOWN = (
    "there is no picture of its closest pairs, since no fidelity record against `train` holds them. Add `train` to the "
    "profile's fidelity references and run again."
)
_COLUMNS = 4
_FRAME = 7
"""From a tile to the outer edge of its frame, 4 pixels of which are drawn: most images are dark at the border."""
_LINE = 22


@dataclass(frozen=True)
class _Pair:
    synthetic: Images
    train: Images
    under: tuple[str, str]
    is_copy: bool


def closest_picture(
    records: Sequence[tuple[Record, Path]], method: str, real: RealImages, size: int
) -> Image.Image | None:
    """The closest pairs of the repetition that has the closest one, by correlation; `None` if no record holds pairs.

    Raises:
        BenchError: a pair lies beyond the stored samples or the training images.
    """
    cells = [(record, folder) for record, folder in records if record.status == "ok" and record.cell.method == method]
    folders = {record.cell.repetition: folder for record, folder in cells if record.cell.kind == "generate"}
    checked = [
        record
        for record, _ in cells
        if record.cell.reference == "train"
        and record.metrics.get("closest_pairs", {}).get("pairs")
        and record.cell.repetition in folders
    ]
    if not checked:
        return None
    record = min(
        checked,
        key=lambda item: (-item.metrics["closest_pairs"]["value"], item.cell.repetition, item.cell.extractor),
    )
    synthetic = stored_set(folders[record.cell.repetition], size).images
    return _sheet(record, _pairs(record, synthetic, real.pixels))


def _pairs(record: Record, synthetic: Images, train: Images) -> list[_Pair]:
    copies = set(record.metrics["near_copies"]["flagged"])
    told: list[dict[str, Any]] = record.metrics["closest_pairs"]["pairs"]
    if any(pair["synthetic"] >= len(synthetic) or pair["train"] >= len(train) for pair in told):
        raise BenchError(
            f"{record.cell.method}: a closest pair lies beyond the {len(synthetic)} stored samples or the "
            f"{len(train)} training images. Run again."
        )
    return [
        _Pair(
            synthetic[pair["synthetic"]],
            train[pair["train"]],
            (f"correlation {pair['correlation']:.3f}", _distance(pair["distance_ratio"])),
            pair["synthetic"] in copies,
        )
        for pair in told
    ]


def _distance(ratio: float | None) -> str:
    return "" if ratio is None else f"distance {ratio:.2f}"


def _sheet(record: Record, pairs: Sequence[_Pair]) -> Image.Image:
    near, cell = record.metrics["near_copies"], record.cell
    title = f"{cell.method}, repetition {cell.repetition}: the synthetic images most like a training image"
    notes = (
        "Left synthetic, right the training image, before it is turned, zoomed, moved or mirrored onto the left one.",
        f"Framed: copies, correlation above {near['limit']:.3f}. Unseen real images reach "
        f"{near['largest_correlation_of_heldout']:.3f}; their median distance is 1 ({cell.extractor}).",
    )
    large, small = ImageFont.load_default(22), ImageFont.load_default(16)
    columns, rows = min(_COLUMNS, len(pairs)), -(-len(pairs) // _COLUMNS)
    wide, high = 2 * TILE + GAP + BLOCK_GAP, TILE + _LINE + BLOCK_GAP + _FRAME
    widest = max(columns * wide - BLOCK_GAP, large.getlength(title), *(small.getlength(note) for note in notes))
    top = MARGIN + 36 + len(notes) * _LINE + MARGIN
    canvas = Image.new("L", (int(widest) + 2 * MARGIN, top + rows * high), BACKGROUND)
    draw = ImageDraw.Draw(canvas)
    draw.text((MARGIN, MARGIN), title, fill=INK, font=large)
    for number, note in enumerate(notes):
        draw.text((MARGIN, MARGIN + 36 + number * _LINE), note, fill=FAINT, font=small)
    for number, pair in enumerate(pairs):
        x, y = MARGIN + number % _COLUMNS * wide, top + number // _COLUMNS * high
        if pair.is_copy:
            edge = (x - _FRAME, y - _FRAME, x + 2 * TILE + GAP + _FRAME - 1, y + TILE + _FRAME - 1)
            draw.rectangle(edge, outline=INK, width=4)
        for left, image, text in zip((x, x + TILE + GAP), (pair.synthetic, pair.train), pair.under, strict=True):
            canvas.paste(tile_of(image, TILE), (left, y))
            draw.text((left, y + TILE + _FRAME), text, fill=INK, font=small)
    return canvas
