"""How a picture is laid out: labelled blocks of tiles on white, and saved whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Images = NDArray[np.uint8]

TILE = 128
GAP, BLOCK_GAP, MARGIN = 3, 22, 16
BACKGROUND, INK, FAINT = 255, 20, 110


@dataclass(frozen=True)
class Row:
    """A label and blocks of images (n, size, size), one under each heading."""

    label: str
    blocks: Sequence[Images]


def grid(title: str, headings: Sequence[str], rows: Sequence[Row], tile: int) -> Image.Image:
    """Rows of labelled blocks of tiles; a block is as wide as its longest row."""
    counts = [max((len(row.blocks[i]) for row in rows), default=0) for i in range(len(rows[0].blocks))]
    widths = [max(count, 1) * (tile + GAP) - GAP for count in counts]
    large, small = ImageFont.load_default(22), ImageFont.load_default(18)
    labels = max(int(small.getlength(row.label)) for row in rows) + BLOCK_GAP
    lefts = [MARGIN + labels + sum(widths[:i]) + i * BLOCK_GAP for i in range(len(widths))]
    top = MARGIN + 40 + (28 if any(headings) else 0)
    right = max(lefts[-1] + widths[-1], MARGIN + int(large.getlength(title)))
    canvas = Image.new("L", (right + MARGIN, top + len(rows) * (tile + GAP) - GAP + MARGIN), BACKGROUND)
    draw = ImageDraw.Draw(canvas)
    draw.text((MARGIN, MARGIN), title, fill=INK, font=large)
    for left, heading in zip(lefts, headings, strict=True):
        draw.text((left, top - 28), heading, fill=FAINT, font=small)
    for number, row in enumerate(rows):
        y = top + number * (tile + GAP)
        draw.text((MARGIN, y + tile // 2), row.label, fill=INK, font=small, anchor="lm")
        for left, block in zip(lefts, row.blocks, strict=True):
            for position, image in enumerate(block):
                canvas.paste(tile_of(image, tile), (left + position * (tile + GAP), y))
    return canvas


def tile_of(image: Images, side: int) -> Image.Image:
    """One image (size, size) at side x side pixels."""
    return Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC)


def nothing() -> Images:
    """A block without images."""
    return np.empty((0, 1, 1), dtype=np.uint8)


def save(picture: Image.Image, path: Path) -> Path:
    """Write a PNG; the path never holds half of one."""
    scratch = path.with_name(f".{path.name}")
    picture.save(scratch, format="PNG", optimize=True)
    scratch.replace(path)
    return path
