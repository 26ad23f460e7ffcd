"""What a worker is told of one cell: names and paths, never results."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.contract import MethodSpec
from benchmark.profile import Profile
from benchmark.records import Cell


@dataclass(frozen=True)
class Job:
    """One cell, ready to run.

    Attributes:
        inputs: what the key was hashed from.
        store: folder of the store.
        upstream: attempt folders that the cell builds on: `generate` (its synthetic set), `judge` (a classifier).
        method, model: of generate cells; the model is a folder of verified weights.
    """

    cell: Cell
    key: str
    inputs: dict[str, Any]
    seed: int
    profile: Profile
    device: str
    store: Path
    upstream: dict[str, Path]
    method: MethodSpec | None = None
    model: Path | None = None
