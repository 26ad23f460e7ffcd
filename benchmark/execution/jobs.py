"""What a worker is told of one cell: names and paths, never results."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from benchmark.contract import MethodSpec
from benchmark.execution.container import EngineOptions
from benchmark.execution.launch import Launcher, Outcome
from benchmark.execution.launchers import open_launcher
from benchmark.profile import Profile
from benchmark.records import Cell, Status
from benchmark.text import printable

_LONGEST = 800
_ABSOLUTE_PATH = re.compile(r"(?:(?<=file://)|(?<![\w./]))/(?:[\w.+@ -]+/)+([\w.+@-]*)")


@lru_cache(maxsize=4)
def _opened(launcher: str, options: EngineOptions) -> Launcher:
    return open_launcher(launcher, options)


@dataclass(frozen=True)
class Runner:
    """What a cell is started with.

    Attributes:
        launcher: name of the launcher.
        options: how containers are started here.
        start: what the engine starts: an image id, or the path of an image file; empty for processes.
        image: facts of engine and image for the record.
    """

    launcher: str = "process"
    options: EngineOptions = field(default_factory=EngineOptions)
    start: str = ""
    image: dict[str, Any] = field(default_factory=dict)

    def open(self) -> Launcher:
        """The launcher, asked for once in the life of a worker."""
        return _opened(self.launcher, self.options)

    def facts(self, outcome: Outcome | None = None) -> dict[str, Any]:
        """What the record says of the way a cell was started, by the record's fields; also where it never started."""
        if not self.image:
            return {}
        unlimited = list(outcome.unlimited) if outcome else []
        isolation = outcome.isolation if outcome else "container"
        container = {**self.image, "unlimited": unlimited}
        return {"launcher": self.launcher, "isolation": isolation, "container": container}


@dataclass(frozen=True)
class Job:
    """One cell, ready to run.

    Attributes:
        inputs: what the key was hashed from.
        store: folder of the store.
        upstream: attempt folders that the cell builds on: `generate` (its synthetic set), `judge` (a classifier).
        method, model: of generate cells; the model is a folder of verified weights.
        runner: how it is started.
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
    runner: Runner = Runner()


@dataclass(frozen=True)
class CellResult:
    """What came of a cell: the part of its record that the work itself decides."""

    status: Status = "ok"
    reason: str = ""
    log_tail: tuple[str, ...] = ()
    peak_memory_mib: float | None = None
    launcher: str = "engine"
    isolation: str = "none"
    container: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    scores: dict[str, Any] = field(default_factory=dict)

    def with_memory(self, mib: float) -> CellResult:
        """The same result with its peak memory."""
        return replace(self, peak_memory_mib=mib)

    def without_paths(self) -> CellResult:
        """The same result with every absolute path in reason and log cut to its last part: records travel."""
        return replace(self, reason=_told(self.reason), log_tail=tuple(_told(line) for line in self.log_tail))

    def fields(self) -> dict[str, Any]:
        """Its fields by name, for the record."""
        return {entry.name: getattr(self, entry.name) for entry in fields(self)}


def _told(text: str) -> str:
    """As a record keeps it: no path, nothing that steers a terminal, no more than people read."""
    return cut_paths(printable(text))[:_LONGEST]


def cut_paths(text: str) -> str:
    """The text with every absolute path cut to its last part: records and boards travel."""
    return _ABSOLUTE_PATH.sub(r"…/\1", text)
