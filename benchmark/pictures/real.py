"""The real images that a generator was given, as pictures need them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmark.classes import CLASSES
from benchmark.cohorts.cohort import Cohort
from benchmark.pictures.drawing import Images


@dataclass(frozen=True)
class RealImages:
    """Source training images uint8 (n, size, size), in the order in which records number them, and their classes."""

    pixels: Images
    labels: tuple[str, ...]

    def by_class(self) -> dict[str, Images]:
        """The images of every class, in their order; none where a class has none."""
        labels = np.asarray(self.labels)
        return {name: np.asarray(self.pixels[np.flatnonzero(labels == name)]) for name in CLASSES}


def real_images(cohort: Cohort) -> RealImages:
    """The images of a cohort in its order; for `write_sample_grids` that of `protocol.adaptation`."""
    return RealImages(np.asarray(cohort.pixels), tuple(cohort.table["label"]))
