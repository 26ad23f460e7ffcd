"""What a board is read from: a run's manifest, and for every planned cell its record, if it has one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from benchmark.errors import UsageError
from benchmark.records import REFERENCE_METHOD, Cell, Record
from benchmark.runs import PlannedCell, Run, read_run, run_store

NOT_RUN = "not run"
UPPER_REFERENCE = "target"
"""The mix of rows that were trained on the target itself."""

WEAK_LIMIT = 0.99
"""Limit of the correlation above which a search misses many turned and zoomed copies (docs/memorisation.md). It is so
high where held-out images are few or like the training images."""

COPY_LIMIT = 0.05
"""Share of near-copies of training images in one synthetic set above which a method is not ranked.

Far above the share of unseen real images that the same comparison takes for copies (docs/fidelity.md), so that no
method is flagged by chance, and far below what a method that gives its training images back has.
"""


@dataclass(frozen=True)
class Tried:
    """A planned cell with its record and the folder of that attempt; both are `None` if it never ran."""

    planned: PlannedCell
    record: Record | None
    folder: Path | None

    @property
    def cell(self) -> Cell:
        """The coordinates."""
        return self.planned.cell

    @property
    def ok(self) -> bool:
        """Whether there is a record and it is `ok`."""
        return self.record is not None and self.record.status == "ok"


@dataclass(frozen=True, order=True)
class Series:
    """One row of a utility table: the same training, repeated.

    Attributes:
        mix: `real`, `real+synthetic`, `synthetic`, or `UPPER_REFERENCE`.
        balance: how the classes of the mix are balanced: `natural`, `sampling`, `loss`, `subset`.
        compute: `matched` or `unmatched` numbers of optimiser steps.
        n_real, n_synthetic: images per class; 0 = all of them.
    """

    backbone: str
    augmentation: str
    method: str
    mix: str
    balance: str = "natural"
    compute: str = "matched"
    n_real: int = 0
    n_synthetic: int = 0

    @property
    def is_dose(self) -> bool:
        """Whether the row belongs to the dose-response and to no other table."""
        return bool(self.n_real or self.n_synthetic)

    @property
    def is_upper_reference(self) -> bool:
        """Whether its classifiers were trained on the target: shown for orientation, never ranked."""
        return self.mix == UPPER_REFERENCE

    @property
    def block(self) -> tuple[str, str]:
        """Backbone and augmentation: rows are compared within these."""
        return self.backbone, self.augmentation

    @property
    def title(self) -> str:
        """What the classifier was trained on, as a row of a table says it."""
        if self.is_upper_reference:
            return "target-trained (upper reference)"
        real = "real" if self.method == REFERENCE_METHOD else f"real ({self.method})"
        words = {"real": real, "synthetic": f"{self.method} alone"}.get(self.mix, f"real + {self.method}")
        kinds = {"sampling": "balanced sampling", "loss": "weighted loss", "subset": "balanced subset"}
        kinds |= {"unmatched": "unmatched compute"}
        return ", ".join([words, *(kinds[kind] for kind in (self.balance, self.compute) if kind in kinds)])


def series_of(cell: Cell) -> Series:
    """The series that a utility cell belongs to."""
    return Series(
        backbone=cell.backbone,
        augmentation=cell.augmentation,
        method=cell.method,
        mix=cell.mix,
        balance=cell.balance or "natural",
        compute=cell.compute or "matched",
        n_real=cell.n_real,
        n_synthetic=cell.n_synthetic,
    )


@dataclass(frozen=True)
class Copies:
    """Near-copies of training images in one synthetic set.

    Attributes:
        share: of the samples.
        n: samples.
        limit: of the correlation, above which a sample is called a copy; `None` where the record does not tell.
    """

    share: float
    n: int
    limit: float | None = None

    def __str__(self) -> str:
        return f"copies {100 * self.share:.3g} % of {self.n} samples"


@dataclass(frozen=True)
class RunView:
    """A run as the tables see it.

    Attributes:
        label: the run's name, made unique on this board.
        run: its manifest.
        cells: the planned cells in plan order.
    """

    label: str
    run: Run
    cells: tuple[Tried, ...]

    def of_kind(self, kind: str) -> list[Tried]:
        """The cells of one kind, in plan order."""
        return [tried for tried in self.cells if tried.cell.kind == kind]

    def utility(self) -> dict[Series, list[Tried]]:
        """The utility cells by series, in plan order; within a series by repetition."""
        return dict(self._utility)

    @cached_property
    def _utility(self) -> dict[Series, list[Tried]]:
        grouped: dict[Series, list[Tried]] = {}
        for tried in self.of_kind("utility"):
            grouped.setdefault(series_of(tried.cell), []).append(tried)
        return {series: sorted(cells, key=lambda tried: tried.cell.repetition) for series, cells in grouped.items()}

    def headline(self) -> dict[Series, list[Tried]]:
        """Per backbone, augmentation and method the series that the main table shows.

        That is `real+synthetic`, or `real` for a method that yields nothing; the reference method has a row for each
        way of balancing. Rows with more steps than others, doses and the upper reference stand elsewhere.
        """
        everything = self.utility()
        shown = {series: cells for series, cells in everything.items() if not series.is_dose}
        return {
            series: cells
            for series, cells in shown.items()
            if series.compute == "matched" and series.mix in ("real", "real+synthetic")
        }

    def control(self, series: Series) -> Series | None:
        """What the gain of a row is measured against, if the run planned it.

        Real images alone with class-balanced sampling, same backbone, augmentation and number of real images.
        """
        for other in self._utility:
            same = (other.backbone, other.augmentation, other.n_real) == (
                series.backbone,
                series.augmentation,
                series.n_real,
            )
            wanted = (other.method, other.mix, other.balance, other.compute, other.n_synthetic)
            if same and wanted == (REFERENCE_METHOD, "real", "sampling", "matched", 0):
                return other
        return None

    def generated(self, method: str) -> list[Tried]:
        """The generate cells of a method, by repetition."""
        cells = [tried for tried in self.of_kind("generate") if tried.cell.method == method]
        return sorted(cells, key=lambda tried: tried.cell.repetition)

    def timed_out(self, method: str) -> bool:
        """Whether a synthetic set of this method stopped at its deadline: it is kept, and never ranked."""
        return any(tried.record is not None and tried.record.status == "timeout" for tried in self.generated(method))

    def copies(self, method: str) -> list[Copies]:
        """The near-copies in each synthetic set of this method, from the fidelity cells against `train`."""
        return [
            Copies(float(found["value"]), int(found["n"]), found.get("limit"))
            for record in (tried.record for tried in self.of_kind("fidelity") if tried.ok)
            if record is not None
            and record.cell.method == method
            and (found := record.metrics.get("near_copies", {})).get("value") is not None
        ]

    def copied(self, method: str) -> Copies | None:
        """The synthetic set of this method with the most near-copies, if they are more than `COPY_LIMIT` of it.

        By any extractor. Such a method is kept, and never ranked.
        """
        worst = max(self.copies(method), key=lambda copies: copies.share, default=None)
        return worst if worst is not None and worst.share > COPY_LIMIT else None

    def rankable(self, method: str) -> bool:
        """Whether a rank of this method would mean something.

        No set of it timed out, none copies its training images, and none was left out by a search for copies that the
        run planned.
        """
        return not self.timed_out(method) and self.copied(method) is None and not self.unsearched(method)

    def unsearched(self, method: str) -> int:
        """Synthetic sets of this method for which a search for copies was planned, and none of it ended with a result.

        A run that planned none is told by `unchecked`.
        """
        cells = [
            tried
            for tried in self.of_kind("fidelity")
            if (tried.cell.method, tried.cell.reference) == (method, "train")
        ]
        searched = {
            tried.cell.repetition
            for tried in cells
            if tried.record is not None and tried.ok and tried.record.metrics.get("near_copies")
        }
        usable = {tried.cell.repetition for tried in self.generated(method) if tried.ok}
        return len(usable & {tried.cell.repetition for tried in cells} - searched)

    def weak(self, method: str) -> float | None:
        """The limit of the search for copies, where it is so high that many changed copies would be missed."""
        limits = [copies.limit for copies in self.copies(method) if copies.limit is not None]
        return max((limit for limit in limits if limit > WEAK_LIMIT), default=None)

    def unchecked(self) -> bool:
        """Whether methods yield images here and no fidelity cell against `train` was planned to look for copies."""
        yields = any(facts.synthesizes for facts in self.run.methods.values())
        return yields and not any(tried.cell.reference == "train" for tried in self.of_kind("fidelity"))

    def status(self, tried: Tried) -> str:
        """The status of a cell; one that never ran has that of the synthetic set that it waits for."""
        if tried.record is not None:
            return tried.record.status
        sources = [
            other.record.status
            for other in self.generated(tried.cell.method)
            if other.cell.repetition == tried.cell.repetition and other.record is not None
        ]
        return sources[0] if sources and sources[0] != "ok" else NOT_RUN

    def summary(self, cells: Iterable[Tried]) -> str:
        """A series in words: `ok` or the count of each other status, then what keeps its method from being ranked."""
        cells = list(cells)
        method = cells[0].cell.method
        faults = Counter(status for status in map(self.status, cells) if status != "ok")
        late = sum(self.status(tried) == "timeout" for tried in self.generated(method))
        if late:
            faults["timeout"] = late
        words = [f"{count} {status}" for status, count in sorted(faults.items())] or ["ok"]
        copies = self.copied(method)
        words += [str(copies)] if copies else []
        unsearched, weak = self.unsearched(method), self.weak(method)
        words += [f"{unsearched} not searched for copies"] if unsearched else []
        words += [f"search for copies is weak (limit {weak:.3f})"] if weak else []
        return "; ".join(words if self.rankable(method) else [*words, "not ranked"])


def open_runs(folders: list[Path]) -> list[RunView]:
    """Read the runs of a board; names that occur twice are numbered in the order given.

    Raises:
        UsageError: no folder is given, or one holds no run.
        BenchError: a record is damaged; the message names it.
    """
    if not folders:
        raise UsageError("a leaderboard needs at least one run folder. Make one with: fulora-bench run phantom")
    views, seen = [], Counter[str]()
    for folder in folders:
        run, store = read_run(folder), run_store(folder)
        cells = []
        for planned in run.cells:
            kind, key = planned.cell.kind, planned.key
            found = (store.latest_ok(kind, key) or store.latest(kind, key)) if key else None
            cells.append(Tried(planned, *(found or (None, None))))
        seen[run.name] += 1
        label = run.name if seen[run.name] == 1 else f"{run.name} ({seen[run.name]})"
        views.append(RunView(label, run, tuple(cells)))
    return views
