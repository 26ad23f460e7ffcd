"""What cells read: the protocol's images and stored synthetic sets, each loaded once in a worker."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmark.classes import CLASSES
from benchmark.contract.png import ImageFault, read_gray
from benchmark.errors import BenchError
from benchmark.profile import Profile
from benchmark.protocol import Protocol, load_protocol


@dataclass(frozen=True)
class StoredSet:
    """A synthetic set as the store keeps it: uint8 images (n, size, size) and their class names."""

    images: NDArray[np.uint8]
    labels: tuple[str, ...]

    @property
    def targets(self) -> NDArray[np.int64]:
        """Class indices in canonical order, shape (n,)."""
        return np.array([CLASSES.index(label) for label in self.labels], dtype=np.int64)


def protocol_of(profile: Profile) -> Protocol:
    """The profile's protocol at its image size; memory-mapped, kept for the life of the worker."""
    return _protocol(profile.protocol, profile.image_size)


@lru_cache(maxsize=2)
def _protocol(name: str, size: int) -> Protocol:
    return load_protocol(name, size)


@lru_cache(maxsize=4)
def stored_set(attempt: Path, size: int) -> StoredSet:
    """The synthetic set of a generate attempt, each image checked against the manifest.

    Raises:
        BenchError: an image is missing or was changed after it was validated.
    """
    output = attempt / "output"
    with (output / "manifest.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    images = np.empty((len(rows), size, size), dtype=np.uint8)
    for position, row in enumerate(rows):
        try:
            images[position], digest = read_gray(output / row["file"], size)
        except ImageFault as fault:
            raise BenchError(_damaged(row["file"], str(fault))) from fault
        if digest != row["sha256"]:
            raise BenchError(_damaged(row["file"], "differs from its manifest"))
    return StoredSet(images, tuple(row["label"] for row in rows))


def _damaged(name: str, fault: str) -> str:
    return f"the stored synthetic image {name} {fault}: run again with --recompute all to make it anew."
