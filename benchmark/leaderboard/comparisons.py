"""Rows against the control and against each other: gains, corrected tests, tie groups, power, and the order of rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations

from benchmark.keys import named_seed
from benchmark.leaderboard.measures import LIMITS, Measures
from benchmark.leaderboard.tables import Estimate
from benchmark.leaderboard.views import RunView, Series
from benchmark.statistics import (
    Interval,
    Measured,
    holm,
    interval,
    interval_p,
    letters,
    mcnemar,
    paired_gain,
    separated,
    smallest_detectable,
    swap_test,
)

PRIMARY = "accuracy"
PERMUTATIONS = 9999
NO_RESULT = "no repetition of this row is ok"
NOTHING_SHARED = "no repetition is ok in this row and in the control alike"
NO_CONTROL = (
    "this run has no control: real images alone with balanced sampling, same backbone and augmentation. Add `sampling` "
    "to the profile's utility.controls, with real_only among its methods, and run again"
)
CONTROL = Estimate(None, text="control", reason="this row is the control")
Block = tuple[str, str]


@dataclass(frozen=True)
class Compared:
    """A row against its control on the primary metric; fractions.

    Attributes:
        gain: the mean paired difference with its interval; `None` where there is none, `reason` says why.
        p: of the cluster-level permutation, over the repetitions that both have.
        p_holm: the larger of that p and the p of the paired interval, corrected for all rows of the family. The
            permutation takes the trained classifiers as given, and the interval alone knows no number of rows.
        p_mcnemar: exact, on the first repetition that both have; it ignores clustering.
        detectable: the smallest true difference that is found at 80 % power.
        reason: why there is no gain.
    """

    gain: Interval | None = None
    p: float | None = None
    p_holm: float | None = None
    p_mcnemar: float | None = None
    detectable: float | None = None
    reason: str | None = None


class RunScores:
    """A run with its scores on every track and all comparisons between its rows. Everything is computed once.

    A family of tests is one of two: all rows of a track, backbone and augmentation but the control itself and the upper
    reference, whatever they were trained on; or all rows of the dose-response of these. Tie groups are made of all
    pairs of the ranked rows of one track, backbone and augmentation.
    """

    def __init__(self, view: RunView, measures: Measures | None = None) -> None:
        self.view = view
        self.measures = measures or Measures(view)
        self.rows = view.utility()
        self._families: dict[tuple[str, Block, bool], dict[Series, Compared]] = {}
        self._estimates: dict[tuple[Series, str, str], Estimate] = {}
        self._letters: dict[tuple[str, Block], dict[Series, str]] = {}

    @property
    def primary(self) -> str:
        """The track of the headline."""
        return self.view.run.protocol.primary_track

    @cached_property
    def headline(self) -> list[Series]:
        """The rows of the main table in its order, the upper reference last."""
        upper = [series for series in self.rows if series.is_upper_reference]
        return self.ordered([*self.view.headline(), *upper])

    def estimate(self, series: Series, track: str, metric: str) -> Estimate:
        """A metric of a row as a fraction, with its interval."""
        place = (series, track, metric)
        if place not in self._estimates:
            self._estimates[place] = self._estimate(series, track, metric)
        return self._estimates[place]

    def _estimate(self, series: Series, track: str, metric: str) -> Estimate:
        measured = self.measures.measured(series, track, metric)
        if measured is None:
            return Estimate(None, reason=NO_RESULT)
        return told(interval(measured, LIMITS[metric]), len(self.measures.clusters(series, track)), measured.clusters)

    def gain(self, series: Series, track: str) -> Estimate:
        """The gain in accuracy over the control, as a fraction."""
        if self.view.control(series) == series:
            return CONTROL
        found = self.compared(series, track)
        if found.gain is None:
            return Estimate(None, reason=found.reason)
        clusters = self.measures.clusters(series, track)
        return told(_bounded(found.gain), len(clusters), len(set(clusters)))

    def compared(self, series: Series, track: str) -> Compared:
        """A row against its control."""
        family = (track, series.block, series.is_dose)
        if family not in self._families:
            members = [row for row in self.rows if (row.block, row.is_dose) == family[1:]]
            self._families[family] = self._compare(members, track)
        return self._families[family][series]

    def family_size(self, series: Series, track: str) -> int:
        """Number of tests that the p of a row is corrected for."""
        self.compared(series, track)
        family = self._families[track, series.block, series.is_dose]
        return sum(found.p_holm is not None for found in family.values())

    def ties(self, series: Series, track: str) -> str | None:
        """The letters of a ranked row; `None` for a row that is not ranked."""
        place = (track, series.block)
        if place not in self._letters:
            self._letters[place] = self._tie_groups(series.block, track)
        return self._letters[place].get(series)

    def is_ranked(self, series: Series, track: str) -> bool:
        """Whether the place of a row means something: it has a result, and nothing forbids to rank its method."""
        allowed = not series.is_upper_reference and self.view.rankable(series.method)
        return allowed and bool(self.measures.repetitions(series, track))

    def ordered(self, rows: Iterable[Series], track: str = "") -> list[Series]:
        """Rows block by block: ranked by gain, best first; the unranked by name; the upper reference.

        The control stands where a gain of 0 does. In a block without control the order is that of accuracy.
        """
        track = track or self.primary
        return sorted(rows, key=lambda series: self._place(series, track))

    def difference(self, one: Series, other: Series, track: str) -> tuple[Interval, float] | None:
        """The paired difference in accuracy of two rows and the p of its permutation; `None` if they share nothing."""
        both = self.measures.shared(one, other, track)
        pair = [self.measures.measured(series, track, PRIMARY, both) for series in (one, other)]
        if pair[0] is None or pair[1] is None:
            return None
        p = swap_test(
            self.measures.right(one, track, both),
            self.measures.right(other, track, both),
            self.measures.clusters(one, track),
            PERMUTATIONS,
            named_seed("permutation", track),
        )
        return paired_gain(pair[0], pair[1]), p

    def _place(self, series: Series, track: str) -> tuple[object, ...]:
        gain, accuracy = self.gain(series, track), self.estimate(series, track, PRIMARY)
        lost = gain.value is None and gain != CONTROL
        best = (-(gain.value or 0.0), -(accuracy.value or 0.0)) if self.is_ranked(series, track) else (0.0, 0.0)
        return (*series.block, series.is_upper_reference, not self.is_ranked(series, track), lost, *best, series)

    def _compare(self, rows: list[Series], track: str) -> dict[Series, Compared]:
        found = {series: self._against_control(series, track) for series in rows}
        tested = [series for series in rows if not series.is_upper_reference]
        raw = [_larger_p(found[series].gain, found[series].p) for series in tested]
        corrected = dict(zip(tested, holm(raw), strict=True))
        return {series: _corrected(one, corrected.get(series)) for series, one in found.items()}

    def _against_control(self, series: Series, track: str) -> Compared:
        control = self.view.control(series)
        if control is None or control == series:
            return Compared(reason=NO_CONTROL if control is None else CONTROL.reason)
        found = self.difference(series, control, track)
        if found is None:
            return Compared(reason=NOTHING_SHARED if self.measures.repetitions(series, track) else NO_RESULT)
        first = self.measures.shared(series, control, track)[:1]
        pair = [self.measures.right(row, track, first)[0] for row in (series, control)]
        return Compared(found[0], found[1], None, mcnemar(pair[0], pair[1]), smallest_detectable(found[0]))

    def _tie_groups(self, block: Block, track: str) -> dict[Series, str]:
        rows = [s for s in self.ordered(self.view.headline(), track) if s.block == block and self.is_ranked(s, track)]
        pairs = list(combinations(rows, 2))
        found = [self.difference(one, other, track) for one, other in pairs]
        corrected = holm([None if one is None else _larger_p(*one) for one in found])
        apart = {
            frozenset(series.title for series in pair)
            for pair, one, p in zip(pairs, found, corrected, strict=True)
            if one is not None and separated(p, one[0])
        }
        shown = letters([series.title for series in rows], apart)
        return {series: shown[series.title] for series in rows}


def told(found: Interval, images: int = 0, clusters: int | None = None) -> Estimate:
    """An interval as a value of a table, with the numbers of images and clusters behind it."""
    return Estimate(
        found.value, found.low, found.high, found.seed_sd, found.repetitions, images, clusters or 0,
        se=found.se, df=found.df, covers=found.covers if found.low is not None else "", reason=found.reason,
    )  # fmt: skip


def spread_of(measured: Measured | None, images: int, limits: tuple[float, float] | None = (0.0, 1.0)) -> Estimate:
    """The value of a table for repetitions with replicates, which may be missing."""
    if measured is None:
        return Estimate(None, reason=NO_RESULT)
    return told(interval(measured, limits), images, measured.clusters)


def _bounded(found: Interval) -> Interval:
    """A difference of accuracies lies in [-1, 1], though few repetitions may stretch its interval beyond."""
    if found.low is None or found.high is None:
        return found
    return replace(found, low=max(found.low, -1.0), high=min(found.high, 1.0))


def _larger_p(gain: Interval | None, p: float | None) -> float | None:
    """The p that a correction for many rows starts from: a difference counts only where both of its p do."""
    of_interval = None if gain is None else interval_p(gain)
    return None if p is None or of_interval is None else max(p, of_interval)


def _corrected(found: Compared, p_holm: float | None) -> Compared:
    return replace(found, p_holm=p_holm)
