"""A small run as the engine writes it, made by hand: manifest, records, predictions, synthetic images."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from benchmark.classes import CLASSES
from benchmark.keys import content_key, file_sha256, named_seed
from benchmark.records import REFERENCE_METHOD, Cell, Record, Status, Store
from benchmark.runs import MethodFacts, PartFacts, PlannedCell, ProtocolFacts, Run, run_store
from benchmark.utility.predictions import prediction_frame, write_predictions

SIZE = 32
PER_CLASS = 3
CENTERS = ("Algeria", "Ghana")
TRACK = "target"
N = 60
"""Images of the track: 20 patients of 3, the first half in Algeria."""

LABELS = [CLASSES[1 + i % 4] for i in range(N)]


@dataclass
class FakeMethod:
    """How a method of the run behaves.

    `skill` is the share of target images that its classifiers get right; `faults` maps repetitions to the status of
    their generate cell, `copies` to the number of near-copies among its 15 images; `n_synthetic` is what its fidelity
    records tell, so that sets of other sizes cannot be compared. `unsearched` are the repetitions whose fidelity cell
    against `train` failed, `limit` is that of the correlation of a copy, `no_ratio` the repetitions without a ratio.
    """

    name: str
    skill: float
    synthesizes: bool = True
    faults: dict[int, Status] = field(default_factory=dict)
    copies: dict[int, int] = field(default_factory=dict)
    pretraining: dict[str, Any] = field(default_factory=dict)
    n_synthetic: int = 15
    unsearched: tuple[int, ...] = ()
    limit: float = 0.91
    no_ratio: tuple[int, ...] = ()


METHODS = (
    FakeMethod("real_only", 0.5, synthesizes=False),
    FakeMethod("twin", 0.5),
    FakeMethod("better", 0.9, pretraining={"images": 4000, "seconds": 5400.0, "hardware": "2 cores"}),
    FakeMethod("flaky", 0.7, faults={2: "failed"}),
    FakeMethod("late", 0.95, faults={0: "timeout", 1: "timeout", 2: "timeout"}),
)


@dataclass
class FakeRun:
    """Writes the run into `folder`; everything may be changed before.

    Attributes:
        controls: how classifiers of real images alone are balanced; their skill is that of `real_only`, plus what
            `skills` has for `balance`.
        skills: added to the skill of a row, by mix, balance, compute or augmentation.
        upper: skill of the upper reference; 0 leaves it out.
        doses: numbers of real and of synthetic images; the skill of a row grows with both.
        known: predictions of a row by (title, repetition) as the positions of images that are right.
    """

    folder: Path
    protocol: str = "phantom"
    methods: tuple[FakeMethod, ...] = METHODS
    repetitions: int = 3
    flagged: tuple[int, ...] = ()
    references: tuple[str, ...] = ("heldout", "train")
    controls: tuple[str, ...] = ("", "sampling")
    augmentations: tuple[str, ...] = ("light",)
    unmatched: bool = False
    skills: dict[str, float] = field(default_factory=dict)
    upper: float = 0.0
    doses: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())
    known: dict[tuple[str, str, int], list[int]] = field(default_factory=dict)

    def write(self) -> Path:
        """Write manifest and records; returns the folder."""
        store = run_store(self.folder)
        planned = [
            entry for method in self.methods for r in range(self.repetitions) for entry in self._cells(store, method, r)
        ]
        part = PartFacts(n_images=N, n_clusters=20, per_class=dict.fromkeys(CLASSES, 12))
        target = PartFacts(n_images=N, n_clusters=20, per_class={}, per_center=dict.fromkeys(CENTERS, 30))
        facts = ProtocolFacts(
            name=self.protocol, version="1", train=part, adaptation=part, heldout=part, tracks={TRACK: target},
            missing_tracks={"official-233": "the images of the test split are not here"}, primary_track=TRACK,
        )  # fmt: skip
        Run(
            name="fake", profile={"seed": 1, "image_size": SIZE, "repetitions": self.repetitions}, protocol=facts,
            methods={method.name: _facts(method) for method in self.methods}, versions={"torch": "2.15.0"},
            hardware={"cores": 2}, cells=planned, wall_seconds=100.0,
        ).write(self.folder)  # fmt: skip
        return self.folder

    def _cells(self, store: Store, method: FakeMethod, repetition: int) -> Iterator[PlannedCell]:
        status = method.faults.get(repetition, "ok")
        yield self._generate(store, method, repetition, status)
        start = {"protocol": self.protocol, "method": method.name, "repetition": repetition}
        fidelity = [
            Cell(kind="fidelity", extractor="ultrasound", reference=reference, **start)
            for reference in self.references if method.synthesizes
        ]  # fmt: skip
        utility = [
            Cell(kind="utility", backbone="resnet10t", augmentation=augmentation, **start, **mix)
            for augmentation in self.augmentations
            for mix in self._mixes(method)
        ]
        for cell in [*fidelity, *utility]:
            if status != "ok":
                yield PlannedCell(cell=cell, waits_for=f"generate {method.name} did not end ok")
            elif cell.kind == "fidelity":
                yield self._fidelity(store, method, cell)
            else:
                yield self._utility(store, method, cell)

    def _mixes(self, method: FakeMethod) -> Iterator[dict[str, Any]]:
        real, synthetic = self.doses
        if method.synthesizes:
            yield from ({"mix": mix} for mix in ("real+synthetic", "synthetic"))
            if self.unmatched:
                yield {"mix": "real+synthetic", "compute": "unmatched"}
            for n in real:
                for k in synthetic:
                    yield {"mix": "real+synthetic", "balance": "sampling", "n_real": n, "n_synthetic": k}
        elif method.name == REFERENCE_METHOD:
            yield from ({"mix": "real", "balance": balance} for balance in self.controls)
            yield from ({"mix": "real", "balance": "sampling", "n_real": n} for n in real if n)
            if self.upper:
                yield {"mix": "target"}
        else:
            yield {"mix": "real"}

    def _generate(self, store: Store, method: FakeMethod, repetition: int, status: Status) -> PlannedCell:
        cell = Cell(kind="generate", protocol=self.protocol, method=method.name, repetition=repetition)
        per_class = dict.fromkeys(CLASSES, PER_CLASS) if method.synthesizes else {}
        outputs = {
            "n_images": sum(per_class.values()), "per_class": per_class, "fit_seconds": 10.0 + repetition,
            "sample_seconds": 2.0, "wall_seconds": 15.0, "steps": 200, "trained_parameters": 1234, "notes": [],
        }  # fmt: skip
        key = content_key(cell.model_dump())
        with store.writing("generate", key) as scratch:
            _write_images(scratch / "output", method.name, per_class)
            reason = "" if status == "ok" else f"ended as {status} | with a reason"
            store.commit(scratch, _record(key, cell, status=status, reason=reason, outputs=outputs))
        return PlannedCell(cell=cell, key=key)

    def _fidelity(self, store: Store, method: FakeMethod, cell: Cell) -> PlannedCell:
        metrics: dict[str, Any] = {
            "fid": {"value": 12.5 + cell.repetition, "direction": "lower", "ratio": 2.0, "floor": 6.0, "floor_n": 15,
                    "ci_low": 11.0, "ci_high": 15.0, "sd_reference": 0.5},
            "kid": {"value": 0.0125, "direction": "lower", "std": 0.001, "subset_size": 12, "ratio": 3.0},
        }  # fmt: skip
        if cell.reference == "train" and cell.repetition in method.unsearched:
            return _commit(store, cell, status="failed", reason="stopped")
        if cell.repetition in method.no_ratio:
            for entry in metrics.values():
                entry.pop("ratio")
        if cell.reference == "heldout":
            metrics["recognition"] = {"value": 0.8, "direction": "higher", "n": 15}
        else:
            flagged = self.flagged or tuple(range(method.copies.get(cell.repetition, 0)))
            metrics["near_copies"] = {
                "value": len(flagged) / 15, "direction": "lower", "n": 15, "flagged": list(flagged),
                "limit": method.limit, "n_heldout": 60,
            }  # fmt: skip
        outputs = {
            "extractor": "ultrasound", "weights_sha256": "ab", "n_real": 60, "n_synthetic": method.n_synthetic,
            "comparability": f"60 real and {method.n_synthetic} synthetic images; reference: {self.protocol} 0a",
            "per_class": {"brain": {"fid": {"value": 20.0}, "kid": {"value": 0.02}}}, "warnings": ["60 images are few"],
        }  # fmt: skip
        return _commit(store, cell, outputs=outputs, metrics=metrics)

    def _utility(self, store: Store, method: FakeMethod, cell: Cell) -> PlannedCell:
        key = content_key(cell.model_dump())
        outputs = {"n_real": 60, "n_synthetic": 15, "steps": 600, "train_seconds": 4.0}
        tracks = (TRACK,) if cell.mix == "target" else (TRACK, "heldout")
        with store.writing("utility", key) as scratch:
            for track in tracks:
                right = self._right(method, cell, track)
                write_predictions(scratch / "predictions" / f"{track}.csv", _predictions(track, right))
            scores: dict[str, Any] = {track: {} for track in tracks}
            store.commit(scratch, _record(key, cell, outputs=outputs, scores=scores))
        return PlannedCell(cell=cell, key=key)

    def _right(self, method: FakeMethod, cell: Cell, track: str) -> list[int]:
        known = self.known.get((method.name, cell.balance, cell.repetition))
        if known is not None and track == TRACK and cell.mix != "synthetic":
            return known
        skill = self.upper if cell.mix == "target" else method.skill
        skill += sum(self.skills.get(name, 0) for name in (cell.mix, cell.balance, cell.compute, cell.augmentation))
        skill += 0.004 * cell.n_real + 0.002 * cell.n_synthetic
        drawn = np.random.default_rng(named_seed(track, cell.repetition)).random(N)
        return [int(i) for i in np.flatnonzero(drawn < skill)]


def _predictions(track: str, right: list[int]) -> pd.DataFrame:
    """60 images of 20 patients in two centres; what is not right is taken for `other`."""
    probabilities = np.full((N, len(CLASSES)), 0.1)
    for i, label in enumerate(LABELS):
        probabilities[i, CLASSES.index(label) if i in right else 0] = 0.6
    identity = pd.DataFrame(
        {
            "image_id": [f"{track}-{i}" for i in range(N)],
            "patient_id": [f"p{i // 3}" for i in range(N)],
            "center": [CENTERS[i // 30] for i in range(N)],
        }
    )
    return prediction_frame(identity, LABELS, probabilities)


def _facts(method: FakeMethod) -> MethodFacts:
    return MethodFacts(
        name=method.name, version="1.0.0", summary="", synthesizes=method.synthesizes, parameters={},
        source_sha256="cd", pretraining=method.pretraining,
    )  # fmt: skip


def _record(key: str, cell: Cell, status: Status = "ok", **facts: Any) -> Record:
    return Record(
        key=key, cell=cell, status=status, started_at=datetime(2026, 1, 1, tzinfo=UTC), seconds=15.0,
        peak_memory_mib=300.0, device="cpu", threads=1, seed=7, inputs={}, **facts,
    )  # fmt: skip


def _commit(store: Store, cell: Cell, **facts: Any) -> PlannedCell:
    key = content_key(cell.model_dump())
    with store.writing(cell.kind, key) as scratch:
        store.commit(scratch, _record(key, cell, **facts))
    return PlannedCell(cell=cell, key=key)


def _write_images(output: Path, method: str, per_class: dict[str, int]) -> None:
    """Every image has a level of its own, so that a grid tells which image stands where."""
    rows = []
    for label, count in per_class.items():
        for index in range(count):
            name = f"images/{label}/{index:05d}.png"
            (output / name).parent.mkdir(parents=True, exist_ok=True)
            level = named_seed(method, label, index) % 200 + 40
            Image.fromarray(np.full((SIZE, SIZE), level, dtype=np.uint8)).save(output / name)
            rows.append([name, label, index, file_sha256(output / name)])
    output.mkdir(parents=True, exist_ok=True)
    with (output / "manifest.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([["file", "label", "seed", "sha256"], *rows])
