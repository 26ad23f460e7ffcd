"""Reading one image file: any PNG becomes grey uint8 at the working size."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import Image

from benchmark.errors import BenchError, UsageError

Progress = Callable[[str, int, int], None]
"""Called with (phase, done, total) from one thread, often."""

DECODER_VERSION = f"grey-squash-bicubic-1/pillow-{PIL.__version__}"
"""Enters every pixel cache key: another way of decoding or another Pillow decodes again."""

MAX_PIXELS = 50_000_000
MIN_SIZE, MAX_SIZE = 8, 1024
_BLACK = (0, 0, 0, 255)
_SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I")

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def to_grey(image: Image.Image) -> Image.Image:
    """An 8-bit grey copy (mode L) of a grey, palette, colour or 16-bit image.

    Colour goes to luma (ITU-R 601, Pillow's); transparent pixels lie over black, as on a scanner's screen;
    16-bit grey keeps its upper byte. Raises ValueError for any other mode.
    """
    if image.mode in ("L", "1"):
        return image.convert("L")
    if image.mode in _SIXTEEN_BITS:
        values = np.asarray(image).astype(np.int64)
        return Image.fromarray(np.clip(values >> 8, 0, 255).astype(np.uint8))
    if image.mode in ("RGB", "P", "RGBA", "LA", "PA"):
        if image.mode != "RGB" and (image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info):
            colour = image.convert("RGBA")
            return Image.alpha_composite(Image.new("RGBA", colour.size, _BLACK), colour).convert("L")
        return image.convert("RGB").convert("L")
    raise ValueError(f"mode {image.mode} is not an image of grey or colour")


def decode_image(path: Path, size: int, where: str = "") -> NDArray[np.uint8]:
    """Grey uint8 pixels, shape (size, size), 0..255, of a PNG file.

    The whole frame is squashed to a square with Pillow's bicubic filter, whose support grows with the scale
    (antialiased). `where` names the table and row in the error. Raises BenchError if the file cannot be read.
    """
    try:
        with Image.open(path, formats=("PNG",)) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ValueError(f"{image.width}x{image.height} pixels exceed the limit of {MAX_PIXELS}")
            grey = to_grey(image)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        place = f"{where}: " if where else ""
        raise BenchError(
            f"{place}the image {path} cannot be read as a PNG ({error}). "
            "Replace the file by the published one and run `fulora-bench prepare` again."
        ) from error
    if grey.size != (size, size):
        grey = grey.resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(grey, dtype=np.uint8)


def check_size(size: int) -> None:
    """Raise UsageError unless the working size lies in [8, 1024] pixels."""
    if not MIN_SIZE <= size <= MAX_SIZE:
        raise UsageError(f"image size {size} is out of range: choose {MIN_SIZE} to {MAX_SIZE} pixels.")


def in_threads(work: Callable[[_Item], _Result], items: Sequence[_Item]) -> Iterator[_Result]:
    """Results of `work` in the order of `items`, computed by a few threads; the first error is raised."""
    pool = ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1))
    try:
        yield from pool.map(work, items)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def told(
    results: Iterable[_Result], phase: str, total: int, progress: Progress | None
) -> Iterator[tuple[int, _Result]]:
    """Enumerate results and tell `progress` after each."""
    for index, result in enumerate(results):
        yield index, result
        if progress is not None:
            progress(phase, index + 1, total)
