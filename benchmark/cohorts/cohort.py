"""A cohort: labelled grey images with their patients, centres and clusters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.classes import CLASSES
from benchmark.keys import content_key

COLUMNS: tuple[str, ...] = (
    "image_id",
    "label",
    "patient_id",
    "center",
    "cluster_id",
    "split",
    "machine",
    "operator",
    "sha256",
)
"""One row per image; all are strings. `split` is `train`, `test` or empty, as the cohort's authors set it."""


@dataclass(frozen=True)
class Cohort:
    """Labelled images of one cohort, or of a part of one.

    Attributes:
        name: the cohort's name, e.g. `spain`.
        table: one row per image with the string columns `COLUMNS`; index 0..n-1.
            `cluster_id` names the smallest unit that may be resampled: a patient within a centre, or several
            that share images. `sha256` is the digest of the image's file (or of its pixels where there is no file).
        pixels: uint8, shape (n, size, size), grey; may be a read-only memory map.
        notes: what the importer dropped, merged or found, one sentence each.
    """

    name: str
    table: pd.DataFrame
    pixels: NDArray[np.uint8]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        missing = [column for column in COLUMNS if column not in self.table.columns]
        if missing:
            raise ValueError(f"cohort {self.name}: the table lacks the columns {missing}")
        if len(self.table) != len(self.pixels) or self.pixels.ndim != 3 or self.pixels.dtype != np.uint8:
            raise ValueError(f"cohort {self.name}: pixels must be uint8 of shape ({len(self.table)}, size, size)")
        unknown = sorted(set(self.table["label"]) - set(CLASSES))
        if unknown:
            raise ValueError(f"cohort {self.name}: unknown labels {unknown}")

    def __len__(self) -> int:
        return len(self.table)

    @property
    def size(self) -> int:
        """Side of the square images in pixels."""
        return int(self.pixels.shape[1])

    @property
    def labels(self) -> NDArray[np.int64]:
        """Class indices in the canonical order of `CLASSES`, shape (n,)."""
        index = {name: i for i, name in enumerate(CLASSES)}
        return np.array([index[label] for label in self.table["label"]], dtype=np.int64)

    @property
    def manifest_sha256(self) -> str:
        """Digest of the rows and of the working size: changes when any image, label or cluster does."""
        rows = self.table.loc[:, list(COLUMNS)].to_numpy().tolist()
        return content_key({"rows": rows, "size": self.size})

    def part(self, positions: Sequence[int] | NDArray[np.int64], name: str | None = None) -> Cohort:
        """The images at these positions, in this order."""
        where = np.asarray(positions, dtype=np.int64)
        table = self.table.iloc[where].reset_index(drop=True)
        return replace(self, name=name or self.name, table=table, pixels=self.pixels[where])
