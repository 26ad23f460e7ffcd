"""The training images: a folder of grey PNGs, one sub-folder per class, decoded once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from benchmark.classes import CLASSES
from benchmark.errors import UsageError

SIZE = 64


@dataclass(frozen=True)
class ImageSet:
    """Grey images (n, 64, 64) uint8, their class numbers (n,) int64, and a digest of both."""

    pixels: np.ndarray
    labels: np.ndarray
    sha256: str


def load_folder(images: Path, cache: Path) -> ImageSet:
    """Read `<class>/*.png` under `images` in sorted order; the decoded pixels are kept in `cache`.

    The cache is used while names and file sizes are unchanged. Raises UsageError for a folder without
    the five classes or an image that is not a grey PNG of 64 x 64.
    """
    files = [(label, path) for label in CLASSES for path in sorted((images / label).glob("*.png"))]
    missing = [label for label in CLASSES if not any(name == label for name, _ in files)]
    if missing:
        raise UsageError(
            f"{images} holds no PNG for {', '.join(missing)}; "
            "write the images with `fulora-bench export phantom-pretraining --out DIR`"
        )
    listing = "\n".join(f"{label}/{path.name} {path.stat().st_size}" for label, path in files)
    stored = cache / f"images-{hashlib.sha256(listing.encode()).hexdigest()[:16]}.npz"
    if not stored.exists():
        cache.mkdir(parents=True, exist_ok=True)
        pixels = np.stack([_decode(path) for _, path in files])
        labels = np.array([CLASSES.index(label) for label, _ in files], dtype=np.int64)
        partial = stored.with_name(f"partial-{stored.name}")
        np.savez(partial, pixels=pixels, labels=labels)
        partial.replace(stored)
    with np.load(stored) as arrays:
        pixels, labels = arrays["pixels"], arrays["labels"]
    digest = hashlib.sha256(pixels.tobytes() + labels.tobytes()).hexdigest()
    return ImageSet(pixels, labels, digest)


def _decode(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        if image.mode != "L" or image.size != (SIZE, SIZE):
            raise UsageError(
                f"{path} is {image.mode} of {image.size}; the base pipeline is trained on grey "
                f"{SIZE} x {SIZE} PNGs: export the cohort with `--size {SIZE}`"
            )
        return np.asarray(image, dtype=np.uint8)
