"""A run reduced to what two runs are compared by: per row and metric a number a repetition, and one a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.errors import BenchError, UsageError
from benchmark.gate.metrics import FIDELITY, METRICS, Kind, is_gated
from benchmark.gate.scores import Score, utility_scores
from benchmark.keys import content_key
from benchmark.leaderboard.fidelity_tables import group_of
from benchmark.leaderboard.repetitions import number_of
from benchmark.leaderboard.views import RunView, Series, Tried, open_runs
from benchmark.utility.predictions import cluster_of, read_predictions
from benchmark.utility.readings import Reading, open_reading

ANY_METHOD = "*"
SCRATCH = "none"
"""How a profile says that a backbone starts without weights."""


@dataclass(frozen=True)
class Row:
    """One row of utility or of fidelity.

    Attributes:
        scores: by metric; one that is undefined in a repetition is left out.
        faults: planned repetitions without a result, and why.
        comparability: of fidelity, what must agree before two figures may be compared; empty without any record.
    """

    scores: dict[str, Score]
    faults: dict[int, str] = field(default_factory=dict)
    comparability: str = ""


@dataclass(frozen=True)
class Target:
    """The images of the primary track; `sha256` is that of every image with its label and cluster, in sorted order."""

    protocol: str
    track: str
    images: int
    clusters: int
    sha256: str

    def __str__(self) -> str:
        sizes = f"{self.images} images of {self.clusters} clusters"
        return f"{self.protocol}, track {self.track}, {sizes} ({self.sha256[:12]})"


@dataclass(frozen=True)
class Snapshot:
    """What is kept of a run.

    Attributes:
        label: its name.
        profile: the settings that make two runs the same experiment.
        target: what its classifiers were tested on; `None` if no utility cell is ok.
        environment: versions of packages, and hardware.
        utility, fidelity: rows by name.
    """

    label: str
    profile: dict[str, Any]
    target: Target | None
    environment: dict[str, str]
    utility: dict[str, Row]
    fidelity: dict[str, Row]

    @property
    def rows(self) -> dict[Kind, dict[str, Row]]:
        """Rows by kind and name."""
        return {"utility": self.utility, "fidelity": self.fidelity}

    @property
    def has_gated(self) -> bool:
        """Whether there is any figure that the gate could hold a run to; a baseline without one would pass all."""
        return any(
            is_gated(metric, name) for rows in self.rows.values() for name, row in rows.items() for metric in row.scores
        )


def take(folder: Path, method: str = "") -> Snapshot:
    """Read a run's records and predictions.

    Args:
        folder: the run's folder.
        method: only the rows of this method; their names then hold `*` in its place, so that two methods can be paired.

    Raises:
        UsageError: no run, or no such method in it.
        BenchError: a record or a predictions file is damaged or missing.
    """
    view = open_runs([folder])[0]
    if method and method not in view.run.methods:
        raise UsageError(f"{folder} has no method '{method}'. It has: {', '.join(sorted(view.run.methods))}.")
    reader = _Reader(view)
    utility = {
        row_name(series, method): reader.utility_row(cells)
        for series, cells in view.utility().items()
        if method in ("", series.method)
    }
    fidelity = {
        fidelity_name(where, method): _fidelity_row(view, cells)
        for where, cells in _fidelity_cells(view).items()
        if method in ("", where[0])
    }
    label = f"{view.label}:{method}" if method else view.label
    return Snapshot(label, _profile(view), reader.target, _environment(view), utility, fidelity)


def row_name(series: Series, method: str = "") -> str:
    """The name of a utility row: its coordinates, without those that say nothing."""
    parts = [series.backbone, series.augmentation, ANY_METHOD if method else series.method, series.mix, series.balance]
    parts += [series.compute] if series.compute != "matched" else []
    counts = ((series.n_real, "real"), (series.n_synthetic, "synthetic"))
    return " / ".join([*parts, *(f"{count} {kind}" for count, kind in counts if count)])


def fidelity_name(where: tuple[str, str, str], method: str = "") -> str:
    """The name of a fidelity row: method, extractor, reference."""
    return " / ".join((ANY_METHOD if method else where[0], *where[1:]))


class _Reader:
    """Reads the predictions of one run on its primary track, and sees that all are of the same images."""

    def __init__(self, view: RunView) -> None:
        self._view = view
        self._track = view.run.protocol.primary_track
        self.target: Target | None = None

    def utility_row(self, cells: Sequence[Tried]) -> Row:
        """The scores of the repetitions that are ok."""
        faults = {tried.cell.repetition: _why(self._view, tried) for tried in cells if not tried.ok}
        readings = {
            tried.cell.repetition: self._reading(tried.folder)
            for tried in cells
            if tried.ok and tried.folder is not None
        }
        return Row(utility_scores(readings) if readings else {}, faults)

    def _reading(self, folder: Path) -> Reading:
        path = folder / "predictions" / f"{self._track}.csv"
        if not path.is_file():
            raise BenchError(
                f"{path} is missing although its record is ok. Remove that attempt's folder and run again."
            )
        frame = read_predictions(path)
        clusters = cluster_of(frame)
        images = sorted(zip(clusters.tolist(), frame["image_id"], frame["label"], strict=True))
        target = Target(
            self._view.run.protocol.name, self._track, len(frame), len(np.unique(clusters)), content_key(images)
        )
        self.target = self.target or target
        if target != self.target:
            raise BenchError(
                f"{path} holds predictions for other images of track {self._track} than the rest of the run, "
                "so nothing can be paired. Run the profile again with --recompute all."
            )
        return open_reading(frame)


def _fidelity_cells(view: RunView) -> dict[tuple[str, str, str], list[Tried]]:
    found: dict[tuple[str, str, str], list[Tried]] = {}
    for tried in view.of_kind("fidelity"):
        found.setdefault((tried.cell.method, tried.cell.extractor, tried.cell.reference), []).append(tried)
    return found


def _fidelity_row(view: RunView, cells: Sequence[Tried]) -> Row:
    faults = {tried.cell.repetition: _why(view, tried) for tried in cells if not tried.ok}
    records = {tried.cell.repetition: tried.record for tried in cells if tried.ok and tried.record is not None}
    if not records:
        return Row({}, faults)
    told = {number: group_of(record) for number, record in records.items()}
    first = told[min(told)]
    for number, other in told.items():
        if other != first:
            faults[number] = f"cannot be compared with repetition {min(told)}: {apart(first, other)}"
            del records[number]
    scores = {}
    for name in FIDELITY:
        scale = METRICS[name].scale
        points = {number: number_of(record.metrics.get(name)) for number, record in records.items()}
        known = {number: scale * value for number, value in points.items() if value is not None}
        spreads = {number: _own_sd(record.metrics.get(name)) for number, record in records.items()}
        if known and len(known) == len(points):
            sd = {number: scale * value for number, value in spreads.items() if value is not None}
            scores[name] = Score(known, sd=sd)
    return Row(scores, faults, first)


def _own_sd(entry: Any) -> float | None:
    return number_of(entry.get("sd")) if isinstance(entry, dict) else None


def differing(one: dict[str, Any], other: dict[str, Any]) -> str:
    """What two mappings do not agree in, as `name: this, that`."""
    names = [name for name in {**one, **other} if one.get(name) != other.get(name)]
    return "; ".join(f"{name} {one.get(name, 'not told')} / {other.get(name, 'not told')}" for name in names)


def apart(one: str, other: str) -> str:
    """The parts in which two texts of comparability differ: `this / that`."""
    sides = [text.split("; ") for text in (one, other)]
    left, right = ([part for part in mine if part not in theirs] for mine, theirs in (sides, sides[::-1]))
    return f"{'; '.join(left) or 'nothing more'} / {'; '.join(right) or 'nothing more'}"


def _why(view: RunView, tried: Tried) -> str:
    if tried.record is None:
        return tried.planned.waits_for or view.status(tried)
    return f"{tried.record.status}: {tried.record.reason}" if tried.record.reason else tried.record.status


def _profile(view: RunView) -> dict[str, Any]:
    plan = view.run.profile
    utility = plan.get("utility") or {}
    names = ("image_size", "seed", "repetitions", "images_per_class", "generator_steps", "base_model")
    facts: dict[str, Any] = {
        "name": view.run.name,
        "protocol": view.run.protocol.name,
        "version": view.run.protocol.version,
    }
    facts |= {name: plan.get(name) for name in names}
    facts |= {"recipe": utility.get("recipe"), "steps": utility.get("steps"), "weights": _weights(utility)}
    return {name: value for name, value in facts.items() if value is not None}


def _weights(utility: dict[str, Any]) -> str | None:
    """Backbones that do not start from scratch, and from what; `None` if all do."""
    started = [
        f"{entry['name']} {entry['weights']}"
        for entry in utility.get("backbones") or []
        if entry.get("weights", SCRATCH) != SCRATCH
    ]
    return ", ".join(sorted(started)) or None


def _environment(view: RunView) -> dict[str, str]:
    facts = {name: str(value) for name, value in view.run.versions.items()}
    facts |= {name: str(value) for name, value in view.run.hardware.items()}
    records = [tried.record for tried in view.of_kind("utility") if tried.record is not None]
    digests = {record.cell.backbone: record.inputs.get("weights_sha256") for record in records}
    return facts | {f"weights of {name}": str(digest)[:12] for name, digest in sorted(digests.items()) if digest}
