"""Records: one immutable file per attempt at a cell, and the store that keeps them.

A store is a folder `<kind>/<key>/<attempt>/` with `record.json` and the attempt's artefacts beside it
(`predictions/<track>.csv` of a utility cell, `output/` of a generate cell). An attempt's folder appears by one
rename, so that a reader sees either nothing or all of it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from benchmark.errors import BenchError
from benchmark.files import remove_tree

Kind = Literal["generate", "fidelity", "utility"]
Status = Literal["ok", "failed", "timeout", "oom", "invalid", "skipped"]
REFERENCE_METHOD = "real_only"
"""The method whose classifiers see real images alone: they are the controls of all others, and judge their samples."""
KINDS: tuple[Kind, ...] = ("generate", "fidelity", "utility")
_SCRATCH = ".writing-"


class Cell(BaseModel):
    """The coordinates of a cell, as people name them; fields that do not apply are empty or 0.

    Of a utility cell, `balance` says how the classes of its training mix are balanced (empty: as they are), `compute`
    is `unmatched` where it takes as many epochs as the natural real set instead of as many optimiser steps, `n_real`
    and `n_synthetic` bound the images of each class (0: all).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    protocol: str
    method: str
    repetition: int
    mix: str = ""
    backbone: str = ""
    augmentation: str = ""
    extractor: str = ""
    reference: str = ""
    balance: str = ""
    compute: str = ""
    n_real: int = 0
    n_synthetic: int = 0

    @property
    def title(self) -> str:
        """A short name for logs and progress bars."""
        parts = [self.kind, self.method, f"r{self.repetition}", self.mix, self.balance, self.compute]
        counts = [(self.n_real, "real"), (self.n_synthetic, "synthetic")]
        parts += [f"{count}/class {name}" for count, name in counts if count]
        parts += [self.backbone, self.augmentation, self.extractor, self.reference]
        return " ".join(part for part in parts if part)


class Record(BaseModel):
    """One attempt at a cell.

    `inputs` is what the key was hashed from; `outputs` what downstream cells and tables need (counts, hashes,
    timings in seconds); `scores` maps a target track to a metric protocol to metrics (utility cells), `metrics`
    holds fidelity. `container` names engine, image, its id and digest, and the limits that the engine could not set;
    it is empty for what ran as a plain process. Nothing in a record names a path, a host or a user.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    key: str
    cell: Cell
    status: Status
    reason: str = ""
    log_tail: tuple[str, ...] = ()
    attempt: int = 0
    started_at: datetime
    seconds: float
    peak_memory_mib: float | None = None
    launcher: str = "engine"
    isolation: str = "none"
    container: dict[str, Any] = Field(default_factory=dict)
    device: str
    threads: int
    seed: int
    inputs: dict[str, Any]
    outputs: dict[str, Any] = Field(default_factory=dict)
    metrics: dict[str, Any] = Field(default_factory=dict)
    scores: dict[str, dict[str, dict[str, Any]]] = Field(default_factory=dict)


class Store:
    """The records under one folder, found by kind and key.

    Args:
        root: the folder; it is made when the first record is written.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def attempts(self, kind: Kind, key: str) -> list[Path]:
        """The folders of all attempts at a key, oldest first."""
        folder = self.root / kind / key
        if not folder.is_dir():
            return []
        return sorted(path for path in folder.iterdir() if path.name.isdigit() and (path / "record.json").is_file())

    def read(self, folder: Path) -> Record:
        """The record of one attempt; a damaged file is an error that names it."""
        path = folder / "record.json"
        try:
            return Record.model_validate_json(path.read_bytes())
        except ValueError as error:
            raise BenchError(f"{path} is not a valid record ({error}). Remove that folder and run again.") from error

    def latest(self, kind: Kind, key: str) -> tuple[Record, Path] | None:
        """The latest attempt at a key, whatever its status, with its folder; `None` if there is none."""
        folders = self.attempts(kind, key)
        return (self.read(folders[-1]), folders[-1]) if folders else None

    def latest_ok(self, kind: Kind, key: str) -> tuple[Record, Path] | None:
        """The latest `ok` attempt at a key with its folder; `None` if there is none."""
        for folder in reversed(self.attempts(kind, key)):
            record = self.read(folder)
            if record.status == "ok":
                return record, folder
        return None

    def all_latest(self) -> Iterator[tuple[Record, Path]]:
        """For every key the latest `ok` attempt, else the latest of any status; ordered by kind and key."""
        for kind in KINDS:
            folder = self.root / kind
            for entry in sorted(folder.iterdir()) if folder.is_dir() else []:
                found = self.latest_ok(kind, entry.name) or self.latest(kind, entry.name)
                if found:
                    yield found

    @contextmanager
    def writing(self, kind: Kind, key: str) -> Iterator[Path]:
        """A scratch folder on the store's own disk for an attempt; removed unless `commit` has moved it."""
        parent = self.root / kind / key
        parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=_SCRATCH, dir=parent))
        scratch.chmod(0o755)
        try:
            yield scratch
        finally:
            if scratch.exists():
                remove_tree(scratch)

    def commit(self, scratch: Path, record: Record) -> Record:
        """Write the record into its scratch folder and make it the next attempt, atomically."""
        parent = scratch.parent
        while True:
            taken = [int(path.name) for path in parent.iterdir() if path.name.isdigit()]
            final = record.model_copy(update={"attempt": max(taken, default=0) + 1})
            text = final.model_dump_json(indent=1)
            with (scratch / "record.json").open("w") as stream:
                stream.write(text + "\n")
                stream.flush()
                os.fsync(stream.fileno())
            try:
                scratch.rename(parent / f"{final.attempt:04d}")
            except OSError:
                if not (parent / f"{final.attempt:04d}").exists():
                    raise
                continue
            return final

    def sweep(self) -> int:
        """Remove scratch folders that a killed run left behind; returns how many."""
        stale = [path for kind in KINDS for path in (self.root / kind).glob(f"*/{_SCRATCH}*")]
        for path in stale:
            remove_tree(path)
        return len(stale)
