"""A run's folder: its manifest `run.json`, its store of records, and what is published from them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from benchmark.errors import UsageError
from benchmark.records import Cell, Record, Store


class PartFacts(BaseModel):
    """Size of one part of a protocol: images, resampling clusters, images per class and per centre."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    n_images: int
    n_clusters: int
    per_class: dict[str, int]
    per_center: dict[str, int] = Field(default_factory=dict)
    manifest_sha256: str = ""


class ProtocolFacts(BaseModel):
    """What a reader of the board must know of the protocol, without its images."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    version: str
    train: PartFacts
    adaptation: PartFacts
    heldout: PartFacts
    tracks: dict[str, PartFacts]
    missing_tracks: dict[str, str]
    primary_track: str
    notes: tuple[str, ...] = ()


class MethodFacts(BaseModel):
    """One method of a run: who it is and what it was given.

    `pretraining` is empty for methods without a base model; else it holds `images`, `seconds`, `hardware`, `source`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    version: str
    summary: str
    synthesizes: bool
    parameters: dict[str, Any]
    source_sha256: str
    model: str = ""
    model_sha256: str = ""
    pretraining: dict[str, Any] = Field(default_factory=dict)


class PlannedCell(BaseModel):
    """A cell of the run's matrix and its key; the key is empty while what it builds on has no `ok` record."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cell: Cell
    key: str = ""
    waits_for: str = ""


class Run(BaseModel):
    """The manifest of a run: everything the leaderboard needs beside the records. Holds no path, host or user name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    name: str
    profile: dict[str, Any]
    protocol: ProtocolFacts
    methods: dict[str, MethodFacts]
    versions: dict[str, str]
    hardware: dict[str, Any]
    cells: list[PlannedCell]
    wall_seconds: float | None = None

    def write(self, folder: Path) -> None:
        """Write `run.json` into the run's folder, atomically."""
        folder.mkdir(parents=True, exist_ok=True)
        scratch = folder / f".run.json.{os.getpid()}"
        scratch.write_text(self.model_dump_json(indent=1) + "\n")
        scratch.replace(folder / "run.json")


def read_run(folder: Path) -> Run:
    """Read a run's manifest.

    Raises:
        UsageError: the folder holds no run, or one written by another version.
    """
    path = folder / "run.json"
    if not path.is_file():
        raise UsageError(
            f"{folder} holds no run (no run.json). Start one with: fulora-bench run PROFILE --out {folder}"
        )
    try:
        return Run.model_validate_json(path.read_bytes())
    except ValueError as error:
        raise UsageError(f"{path} cannot be read ({error}). Run the profile again into a new --out folder.") from error


def run_store(folder: Path) -> Store:
    """The store of a run's records."""
    return Store(folder / "store")


def run_records(run: Run, store: Store) -> list[tuple[Record, Path]]:
    """For every planned cell that was tried, its latest `ok` attempt, else its latest attempt, in plan order."""
    found = (
        store.latest_ok(planned.cell.kind, planned.key) or store.latest(planned.cell.kind, planned.key)
        for planned in run.cells
        if planned.key
    )
    return [entry for entry in found if entry]
