"""Tests of paired differences, correction for many of them, and tie groups."""

from __future__ import annotations

import string
from collections.abc import Iterator, Sequence
from itertools import count

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtr

from benchmark.statistics.intervals import Interval

ALPHA = 0.05
_SIGNS_AT_ONCE = 4_000_000
"""Numbers held in memory at once by the permutation test."""


def swap_test(
    method: ArrayLike, control: ArrayLike, clusters: ArrayLike, permutations: int = 9999, seed: int = 0
) -> float:
    """Two-sided p of the paired cluster permutation of the mean difference of an additive score.

    Null: swapping the labels of the two methods within a cluster, for all its images and repetitions together, changes
    no distribution. A swap turns the sign of the cluster's difference, so one permutation is a vector of C signs (Good,
    Permutation, Parametric and Bootstrap Tests of Hypotheses, 2005). All 2^C sign vectors are taken
    where that is no more than `permutations` + 1, which is exact; else `permutations` random ones and the identity, so
    p = (1 + number as extreme) / (1 + permutations) is valid (Phipson and Smyth, Stat. Appl. Genet. Mol. 9, 2010). It
    takes the trained classifiers as given: it asks about new clusters, not about new repetitions.

    Args:
        method: (S, n) score of each image in each repetition, e.g. whether it is right.
        control: (S, n) the same of the control, on the same images and repetitions.
        clusters: (n,) cluster of each image.
        permutations: number of random sign vectors.
        seed: of these.

    Returns:
        p in (0, 1]. Fewer than six clusters can never fall below 0.05.

    Raises:
        ValueError: shapes that do not fit, nothing to compare, or a score that is not finite.
    """
    ours, theirs = np.asarray(method, dtype=np.float64), np.asarray(control, dtype=np.float64)
    ids = np.asarray(clusters).astype(str)
    if ours.ndim != 2 or ours.shape != theirs.shape or ids.shape != ours.shape[1:] or ours.size == 0:
        raise ValueError(
            f"scores must be (S, n) twice and clusters (n,), not {ours.shape}, {theirs.shape}, {ids.shape}"
        )
    difference = (ours - theirs).sum(axis=0)
    if not np.all(np.isfinite(difference)):
        raise ValueError("a score is not finite: leave undefined images out of both methods")
    codes = np.unique(ids, return_inverse=True)[1]
    sums = np.bincount(codes, weights=difference)
    sums = sums[sums != 0]
    # Sums in another order differ in the last bits; equal permutations must count as equal.
    bar = abs(float(sums.sum())) - 1e-9 * float(np.abs(sums).sum())
    if 2 ** len(sums) <= permutations + 1:
        extreme = sum(_count_extreme(signs, sums, bar) for signs in _all_signs(len(sums)))
        return float(extreme / 2 ** len(sums))
    drawn = _random_signs(len(sums), permutations, seed)
    extreme = sum(_count_extreme(signs, sums, bar) for signs in drawn)
    return (1 + extreme) / (1 + permutations)


def mcnemar(method: ArrayLike, control: ArrayLike) -> float:
    """Two-sided exact p of McNemar's test on right and wrong images. It ignores clustering, so it is too small.

    Of the images that only one of the two has right, each has it with probability 1/2 under the null (McNemar,
    Psychometrika 12, 1947). 1 where there are none.

    Args:
        method: (n,) whether each image is right.
        control: (n,) the same of the control.

    Raises:
        ValueError: vectors of different length.
    """
    from scipy.stats import binomtest

    ours, theirs = np.asarray(method, dtype=bool), np.asarray(control, dtype=bool)
    if ours.ndim != 1 or ours.shape != theirs.shape:
        raise ValueError(f"both must be (n,) for the same images, not {ours.shape} and {theirs.shape}")
    gained, lost = int(np.sum(ours & ~theirs)), int(np.sum(theirs & ~ours))
    return float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down adjusted p values, in the given order; the family is what is not `None`.

    Reject where the adjusted p is at most alpha: the chance of any false rejection in the family is then at most alpha
    (Holm, Scand. J. Statist. 6, 1979).
    """
    from statsmodels.stats.multitest import multipletests

    known = [p for p in p_values if p is not None]
    if not known:
        return list(p_values)
    adjusted = iter(multipletests(known, method="holm")[1])
    return [None if p is None else float(next(adjusted)) for p in p_values]


def interval_p(interval: Interval) -> float | None:
    """Two-sided p of no difference from the standard error of a paired interval: Student's t.

    It is at most 1 - level exactly where the interval leaves out 0. Unlike the permutation it counts the repetitions.
    `None` where the interval has no standard error.
    """
    if interval.value is None or interval.se is None or interval.df is None:
        return None
    if interval.se == 0:
        return float(interval.value == 0)
    return float(2 * stdtr(interval.df, -abs(interval.value) / interval.se))


def separated(p_holm: float | None, interval: Interval, alpha: float = ALPHA) -> bool:
    """Whether a difference may be shown as one: the corrected permutation and the paired interval both say so.

    The permutation takes the trained classifiers as given: alone it calls two identical methods different as soon as
    their seeds differ. The interval counts the repetitions. Where many rows are compared, correct the larger of the two
    p of each row, `max(swap_test(...), interval_p(...))`: the interval alone is not corrected for their number
    (`docs/statistics.md` has the error of both ways).
    """
    if p_holm is None or interval.low is None or interval.high is None:
        return False
    return p_holm <= alpha and not interval.low <= 0.0 <= interval.high


def letters(names_in_order: Sequence[str], separated: set[frozenset[str]]) -> dict[str, str]:
    """Compact letter display: two names share a letter if and only if they are not separated.

    The insert-and-absorb algorithm of Piepho (J. Comput. Graph. Statist. 13, 2004): start with one group of all; for
    each separated pair, split every group that holds both; drop groups inside others. After `z` follow `a1`, `b1`, ...

    Args:
        names_in_order: rows of the board, best first; the first group by this order gets `a`.
        separated: pairs of names that differ.

    Returns:
        The letters of each name, in alphabetical order.

    Raises:
        ValueError: a name that stands twice, or a pair that is not two of the names.
    """
    place = {name: index for index, name in enumerate(names_in_order)}
    if len(place) != len(names_in_order):
        raise ValueError("a name stands twice")
    pairs = sorted(tuple(sorted(place[name] for name in pair if name in place)) for pair in separated)
    if any(len(pair) != 2 for pair in pairs):
        raise ValueError("every separated pair must be two of the names")
    groups = {frozenset(range(len(place)))} if place else set()
    for pair in pairs:
        split = {group - {name} for group in groups if group.issuperset(pair) for name in pair}
        groups = _absorb({group for group in groups if not group.issuperset(pair)} | split)
    symbols = _symbols()
    shown: dict[str, str] = dict.fromkeys(names_in_order, "")
    for group in sorted(groups, key=sorted):
        symbol = next(symbols)
        for index in sorted(group):
            shown[names_in_order[index]] += symbol
    return shown


def _absorb(groups: set[frozenset[int]]) -> set[frozenset[int]]:
    return {group for group in groups if not any(group < other for other in groups)}


def _symbols() -> Iterator[str]:
    yield from string.ascii_lowercase
    yield from (f"{letter}{number}" for number in count(1) for letter in string.ascii_lowercase)


def _count_extreme(signs: NDArray[np.float64], sums: NDArray[np.float64], bar: float) -> int:
    return int(np.sum(np.abs(signs @ sums) >= bar))


def _all_signs(length: int) -> Iterator[NDArray[np.float64]]:
    bits = (np.arange(2**length)[:, None] >> np.arange(length)) & 1
    yield np.where(bits, 1.0, -1.0)


def _random_signs(length: int, permutations: int, seed: int) -> Iterator[NDArray[np.float64]]:
    generator = np.random.default_rng(seed)
    step = max(1, _SIGNS_AT_ONCE // length)
    for start in range(0, permutations, step):
        rows = min(step, permutations - start)
        yield np.where(generator.integers(0, 2, size=(rows, length)), 1.0, -1.0)
