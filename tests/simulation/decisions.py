"""How often a board separates and the gate fires, rightly or not: `python -m tests.simulation.decisions --trials 2000`.

Prints the Markdown tables of `docs/statistics.md`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtridf, stdtrit

from benchmark.statistics import GATE_LEVEL, swap_test
from benchmark.statistics.gains import PAIRED_SHARE
from tests.simulation import fast
from tests.simulation.candidates import Floats, Sample, default_half, default_reach, reach
from tests.simulation.world import CLASSES, CLUSTERS, Boards, World, draw, latents, layout

ACCURACY = 0.75
CORRELATIONS = (0.0, 0.3, 0.7)
SEED_SDS = (0.05, 0.08)
REPETITIONS = (3, 5)
LEVELS = (0.95, 0.98, 0.99, 0.995)
TOLERANCES = {"accuracy": 0.02, "macro-F": 0.02, "AUROC": 0.01}
PERMUTATIONS = 999
REPLICATES = 400
BLOCK = 100
ALPHA = 0.05
ROWS = 8
BOARDS = 5
"""Boards for each run of the gate: accuracy alone is cheap, and 6 % needs more than 2,000 to be told from 5 %."""


@dataclass(frozen=True)
class Setting:
    """Correlation within clusters, standard deviation over seeds, repetitions."""

    icc: float
    seed_sd: float
    repetitions: int


@dataclass(frozen=True)
class Outcome:
    """What B trials of a setting gave.

    Attributes:
        fires: (L, B) whether the gate fires, at each of `LEVELS`.
        paired: (B,) whether it would fire at `GATE_LEVEL` with paired repetitions alone.
        detectable: (B,) smallest detectable difference in accuracy.
    """

    fires: NDArray[np.bool_]
    paired: NDArray[np.bool_]
    detectable: Floats


def simulate(setting: Setting, drop: float, trials: int, seed: int = 1) -> Outcome:
    """Compare a method with a control that is better by `drop` in accuracy, seeds drawn independently."""
    seeded = [seed, *(round(1000 * part) for part in (setting.icc, setting.seed_sd, setting.repetitions, drop))]
    generator = np.random.default_rng(seeded)
    world = World((ACCURACY - drop, ACCURACY), setting.icc, setting.seed_sd, setting.repetitions)
    blocks = []
    for start in range(0, trials, BLOCK):
        boards = draw(world, min(BLOCK, trials - start), generator)
        blocks.append(_decide(boards, fast.of_clusters(REPLICATES, generator)))
    return Outcome(
        *(np.concatenate(parts, axis=-1) for parts in zip(*(vars(block).values() for block in blocks), strict=True))
    )


def _decide(boards: Boards, weights: fast.Array) -> Outcome:
    values = {
        "accuracy": fast.accuracy(boards.right, weights).astype(np.float64),
        "macro-F": fast.macro_f(boards, weights).astype(np.float64),
        "AUROC": fast.auroc_of_clusters(boards, weights).astype(np.float64),
    }
    fires = [_any(values, lambda own, level=level: gate_half(own, level)) for level in LEVELS]
    paired = _any(values, lambda own: default_half(replace(gain(own), level=GATE_LEVEL)))
    return Outcome(np.stack(fires), paired, detectable(gain(values["accuracy"])))


def _any(values: dict[str, Floats], half: Callable[[Floats], Floats]) -> NDArray[np.bool_]:
    """(B,) whether any metric is worse by more than its tolerance, and its interval leaves out 0."""
    fires = []
    for name, tolerance in TOLERANCES.items():
        value = gain(values[name]).value
        fires.append((value < -tolerance) & (value + half(values[name]) < 0))
    return np.any(fires, axis=0)


def gain(values: Floats) -> Sample:
    """The difference of both methods from (B, 2, S, 1 + R) points and replicates."""
    difference = values[:, 0] - values[:, 1]
    return Sample(difference[..., 0], difference[..., 1:], bounded=False)


def gate_half(values: Floats, level: float) -> Floats:
    """(B,) half the width of `benchmark.statistics.gate_gain`; a test holds the two together."""
    difference = gain(values)
    count = difference.repetitions
    paired_tail = (1 + level) / 2 if count == 1 else 1 - PAIRED_SHARE * (1 - level) / 2
    paired = default_half(replace(difference, level=2 * paired_tail - 1))
    if count == 1:
        return paired
    of_seeds = values[..., 0].var(axis=-1, ddof=1).sum(axis=1) / count
    tail = 1 - (1 - PAIRED_SHARE) * (1 - level) / 2
    return np.minimum(paired, reach(difference, of_seeds, 2 * (count - 1), tail)[0])


def detectable(difference: Sample) -> Floats:
    """(B,) `benchmark.statistics.smallest_detectable`; a test holds the two together."""
    half, error = default_reach(difference)
    return half + stdtrit(stdtridf(difference.tail, half / error), 0.8) * error


def permuted(right: NDArray[np.bool_], generator: np.random.Generator) -> Floats:
    """(B,) p of `swap_test` on accuracy, from (B, 2, S, C, K) right images."""
    right = right[..., layout()]
    clusters = np.repeat(np.arange(CLUSTERS), CLASSES).reshape(CLUSTERS, CLASSES)[layout()]
    seeds = generator.integers(0, 2**31, len(right))
    return np.array(
        [swap_test(one[0], one[1], clusters, PERMUTATIONS, int(seed)) for one, seed in zip(right, seeds, strict=True)]
    )


def _percent(hits: NDArray[np.bool_]) -> str:
    return f"{100 * np.mean(hits):.1f}"


def separated_table(settings: list[Setting], trials: int, seed: int) -> str:
    """How often two identical methods are separated (one comparison: Holm changes nothing)."""
    heads = ["S", "ICC", "seed SD", "permutation alone", "interval alone", "separated"]
    rows = [_row(heads), "|---" * len(heads) + "|"]
    for setting in settings:
        permutation, spread = family(setting, 1, trials, seed)
        hits = [permutation <= ALPHA, spread <= ALPHA, np.maximum(permutation, spread) <= ALPHA]
        rows.append(_row([*_shown(setting), *(f"{100 * np.mean(hit):.1f}" for hit in hits)]))
    return "\n".join(rows)


def null_table(null: dict[Setting, Outcome]) -> str:
    """How often the gate fires on identical methods."""
    paired = f"paired alone, {100 * GATE_LEVEL:g} %"
    heads = ["S", "ICC", "seed SD", *(f"gate, {100 * level:g} %" for level in LEVELS), paired]
    rows = [_row(heads), "|---" * len(heads) + "|"]
    for setting, outcome in null.items():
        rows.append(
            _row([*_shown(setting), *(f"{100 * np.mean(hit):.1f}" for hit in [*outcome.fires, outcome.paired])])
        )
    return "\n".join(rows)


def drop_table(null: dict[Setting, Outcome], settings: list[Setting], trials: int, seed: int) -> str:
    """How often the gate finds a true drop of twice max(tolerance, smallest detectable difference)."""
    heads = ["S", "ICC", "seed SD", "smallest detectable (points)", "true drop (points)", "gate", "paired alone"]
    rows = [_row(heads), "|---" * len(heads) + "|"]
    for setting in settings:
        least = float(np.median(null[setting].detectable))
        drop = 2 * max(TOLERANCES["accuracy"], least)
        found = simulate(setting, drop, trials, seed)
        fired = [np.mean(found.fires[LEVELS.index(GATE_LEVEL)]), np.mean(found.paired)]
        cells = [100 * least, 100 * drop, *(100 * float(share) for share in fired)]
        rows.append(_row([*_shown(setting), *(f"{cell:.1f}" for cell in cells)]))
    return "\n".join(rows)


def p_table(settings: list[Setting], trials: int, seed: int) -> str:
    """The distribution of p of two exchangeable methods."""
    values = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75)
    rows = [_row(["ICC", *(f"p <= {value:g}" for value in values)]), "|---" * (1 + len(values)) + "|"]
    for setting in settings:
        p, _ = family(setting, 1, trials, seed)
        rows.append(_row([f"{setting.icc:.1f}", *(f"{np.mean(p <= value):.3f}" for value in values)]))
    return "\n".join(rows)


def family(setting: Setting, rows: int, trials: int, seed: int = 1) -> tuple[Floats, Floats]:
    """(B, rows) p of the permutation and of the interval of identical methods against one control, in accuracy."""
    parts = (setting.icc, setting.seed_sd, setting.repetitions, rows)
    generator = np.random.default_rng([seed, *(round(1000 * part) for part in parts)])
    world = World((ACCURACY,) * (rows + 1), setting.icc, setting.seed_sd, setting.repetitions)
    permutation, spread = np.empty((2, trials, rows))
    for start in range(0, trials, BLOCK):
        block = slice(start, min(start + BLOCK, trials))
        skill, latent = latents(world, block.stop - start, generator)
        right = latent < skill[..., None, None]
        values = fast.accuracy(right, fast.of_clusters(REPLICATES, generator)).astype(np.float64)
        for row in range(rows):
            pair = [row + 1, 0]
            difference = gain(values[:, pair])
            half, error = default_reach(difference)
            df = stdtridf(difference.tail, half / error)
            permutation[block, row] = permuted(right[:, pair], generator)
            spread[block, row] = 2 * stdtr(df, -np.abs(difference.value) / error)
    return permutation, spread


def family_table(settings: list[Setting], rows: int, trials: int, seed: int) -> str:
    """How often any of several identical methods is separated from the control."""
    heads = ["S", "ICC", "seed SD", "Holm of the permutations, and the interval", "Holm of the larger p"]
    shown = [_row(heads), "|---" * len(heads) + "|"]
    for setting in settings:
        permutation, spread = family(setting, rows, trials, seed)
        apart = [_holm(permutation) & (spread <= ALPHA), _holm(np.maximum(permutation, spread))]
        shown.append(_row([*_shown(setting), *(f"{100 * np.mean(np.any(one, axis=1)):.1f}" for one in apart)]))
    return "\n".join(shown)


def _holm(p: Floats) -> NDArray[np.bool_]:
    """`holm` for many families at once, one a row."""
    order = np.argsort(p, axis=1)
    rows = p.shape[1]
    adjusted = np.maximum.accumulate(np.take_along_axis(p, order, axis=1) * np.arange(rows, 0, -1), axis=1)
    rejected = np.empty(p.shape, dtype=bool)
    np.put_along_axis(rejected, order, adjusted <= ALPHA, axis=1)
    return rejected


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _shown(setting: Setting) -> list[str]:
    return [str(setting.repetitions), f"{setting.icc:.1f}", f"{setting.seed_sd:.2f}"]


def main() -> None:
    """Run all settings and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    grid = [Setting(icc, sd, count) for count, icc, sd in product(REPETITIONS, CORRELATIONS, SEED_SDS)]
    # One repetition compares two given classifiers: they are identical where they are equally accurate.
    alone = [Setting(icc, 0.0, 1) for icc in CORRELATIONS]
    unseen = [Setting(icc, sd, 1) for icc, sd in product(CORRELATIONS, SEED_SDS)]
    boards = BOARDS * options.trials
    shown = separated_table([*grid, *alone, *unseen], boards, options.seed)
    print(f"Identical methods, {boards} boards, in percent\n\n{shown}\n")
    null = {setting: simulate(setting, 0.0, options.trials, options.seed) for setting in [*grid, *alone, *unseen]}
    print(f"Identical methods, {options.trials} runs, in percent\n\n{null_table(null)}\n")
    print(f"True drops\n\n{drop_table(null, [*grid, *alone], options.trials, options.seed)}\n")
    print(f"Share of p, exchangeable methods\n\n{p_table(alone, boards, options.seed)}\n")
    many = [Setting(0.3, 0.08, count) for count in REPETITIONS]
    print(f"Any of {ROWS} identical methods is separated, in percent\n")
    print(family_table(many, ROWS, options.trials, options.seed))


if __name__ == "__main__":
    sys.exit(main())
