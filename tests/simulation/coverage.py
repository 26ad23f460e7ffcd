"""How often nominal 95 % intervals cover a known truth: `python -m tests.simulation.coverage --trials 2000`.

Prints the Markdown tables of `docs/statistics.md`.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import product

import numpy as np
from numpy.typing import NDArray

from benchmark.classes import CLASSES
from benchmark.statistics import cluster_counts, interval, stack
from benchmark.utility.readings import Reading
from benchmark.utility.slices import class_clusters, class_metrics
from tests.simulation import fast
from tests.simulation.candidates import CANDIDATES, Floats, Sample, default
from tests.simulation.world import Boards, World, draw, latents, layout, over_seeds, true_auroc, true_macro_f

METRICS = ("accuracy", "macro-F", "AUROC", "gain")
REPETITIONS = (1, 3, 5)
ACCURACIES = (0.6, 0.75, 0.9)
CORRELATIONS = (0.0, 0.3, 0.7)
SEED_SDS = (0.05, 0.08)
TRUE_GAIN = 0.05
REPLICATES = 500
IMAGE_REPLICATES = 200
BLOCK = 100
DEFAULT = list(CANDIDATES)[-1]
IMAGES = "images, default form"
IMAGES_PERCENTILES = "images, percentiles"
OVER_SEEDS = "default, truth over seeds"
JACKKNIFE = "jackknife / bootstrap"
THORAX = CLASSES.index("thorax")
RARE_IMAGES = (5, 10)
RARE_RECALLS = (0.8, 0.9)
RARE_SEEDS = ((1, 0.0), (3, 0.05))
"""Repetitions, and the standard deviation of a classifier's recall over seeds."""
TRUTHS: dict[str, Callable[[Floats], Floats]] = {
    "accuracy": lambda level: level,
    "macro-F": true_macro_f,
    "AUROC": true_auroc,
}


@dataclass
class Tally:
    """Trials, how many of their intervals held the truth, and the sum of the widths."""

    trials: int = 0
    hits: int = 0
    width: float = 0.0

    def add(self, low: Floats, high: Floats, truth: Floats | float) -> None:
        """Count the intervals of one block."""
        self.trials += len(low)
        self.hits += int(np.sum((low <= truth) & (truth <= high)))
        self.width += float(np.sum(high - low))

    @property
    def coverage(self) -> float:
        """In percent."""
        return 100 * self.hits / self.trials

    @property
    def mean_width(self) -> float:
        """In points of percent."""
        return 100 * self.width / self.trials


@dataclass
class Results:
    """Tallies by (setting, metric, S, candidate), and ratios of jackknife to bootstrap standard errors."""

    tallies: dict[tuple[World, str, int, str], Tally] = field(default_factory=lambda: defaultdict(Tally))
    ratios: dict[str, list[Floats]] = field(default_factory=lambda: defaultdict(list))


def settings() -> list[World]:
    """Every accuracy, correlation and standard deviation over seeds."""
    grid = product(ACCURACIES, CORRELATIONS, SEED_SDS)
    return [World((level, level - TRUE_GAIN), icc, sd, max(REPETITIONS)) for level, icc, sd in grid]


def simulate(worlds: Iterable[World], trials: int, seed: int = 1) -> Results:
    """Run all trials of the given settings; repetitions 1 and 3 are the first of the five."""
    results = Results()
    for world in worlds:
        generator = np.random.default_rng(
            [seed, *(round(1000 * part) for part in (world.accuracy[0], world.icc, world.seed_sd))]
        )
        truths = {name: over_seeds(truth, world.accuracy[0], world.seed_sd) for name, truth in TRUTHS.items()}
        truths["gain"] = world.accuracy[0] - world.accuracy[1]
        for start in range(0, trials, BLOCK):
            boards = draw(world, min(BLOCK, trials - start), generator)
            _count(results, world, boards, truths, generator)
        _compare_jackknife(results, draw(world, BLOCK, generator), generator)
        print(f"{world}: {trials} trials", file=sys.stderr)
    return results


def _count(
    results: Results, world: World, boards: Boards, truths: dict[str, float], generator: np.random.Generator
) -> None:
    of_clusters = measure(boards, fast.of_clusters(REPLICATES, generator), fast.auroc_of_clusters)
    of_images = measure(_first_repetition(boards), fast.of_images(IMAGE_REPLICATES, generator), fast.auroc)
    for metric, count in product(METRICS, REPETITIONS):
        own = of_this_classifier(boards, metric)
        sample = part(of_clusters[metric], metric, count)
        for name, candidate in CANDIDATES.items():
            results.tallies[world, metric, count, name].add(*candidate(sample), own if count == 1 else truths[metric])
        if count == 1:
            images = part(of_images[metric], metric, count)
            results.tallies[world, metric, 1, IMAGES].add(*default(images), own)
            results.tallies[world, metric, 1, IMAGES_PERCENTILES].add(*images.percentiles, own)
            results.tallies[world, metric, 1, OVER_SEEDS].add(*default(sample), truths[metric])


def _first_repetition(boards: Boards) -> Boards:
    return Boards(boards.skill[:, :, :1], boards.right[:, :, :1], boards.predicted[:, :, :1], boards.scores[:, :, :1])


def _compare_jackknife(results: Results, boards: Boards, generator: np.random.Generator) -> None:
    bootstrap = measure(boards, fast.of_clusters(REPLICATES, generator), fast.auroc_of_clusters)
    jackknife = measure(boards, fast.left_out(), fast.auroc_of_clusters)
    for metric, count in product(METRICS, REPETITIONS):
        deleted = part(jackknife[metric], metric, count).mean
        error = np.sqrt(part(bootstrap[metric], metric, count).variances[0])
        known = error > 0
        results.ratios[metric].append(np.sqrt(deleted.var(axis=-1) * (deleted.shape[-1] - 1))[known] / error[known])


def measure(
    boards: Boards, weights: fast.Array, auroc: Callable[[Boards, fast.Array], fast.Array]
) -> dict[str, Floats]:
    """(B, S, 1 + R) of each metric: the points first, then the replicates."""
    method = Boards(boards.skill[:, :1], boards.right[:, :1], boards.predicted[:, :1], boards.scores[:, :1])
    accuracy = fast.accuracy(boards.right, weights).astype(np.float64)
    return {
        "accuracy": accuracy[:, 0],
        "macro-F": fast.macro_f(method, weights)[:, 0].astype(np.float64),
        "AUROC": auroc(method, weights)[:, 0].astype(np.float64),
        "gain": accuracy[:, 0] - accuracy[:, 1],
    }


def part(values: Floats, metric: str, count: int) -> Sample:
    """The first repetitions of a metric."""
    return Sample(values[:, :count, 0], values[:, :count, 1:], bounded=metric != "gain")


def of_this_classifier(boards: Boards, metric: str) -> Floats:
    """(B,) truth of the first trained classifier."""
    if metric == "gain":
        return boards.skill[:, 0, 0] - boards.skill[:, 1, 0]
    return TRUTHS[metric](boards.skill[:, 0, 0])


def default_table(results: Results) -> str:
    """Coverage of the default in every setting."""
    heads = [f"{metric} {count}" for metric in METRICS for count in REPETITIONS]
    rows = ["| accuracy | ICC | seed SD | " + " | ".join(heads) + " |", "|---" * (3 + len(heads)) + "|"]
    for world in _worlds(results):
        cells = [
            _flag(results.tallies[world, metric, count, DEFAULT].coverage)
            for metric in METRICS
            for count in REPETITIONS
        ]
        rows.append(f"| {world.accuracy[0]:.2f} | {world.icc:.1f} | {world.seed_sd:.2f} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def candidate_table(results: Results, count: int) -> str:
    """Lowest, mean and highest coverage of each candidate over the settings, and its mean width.

    For one repetition several are the same; the first of them is shown.
    """
    rows: dict[str, str] = {}
    for name in CANDIDATES:
        cells = []
        for metric in METRICS:
            tallies = [results.tallies[world, metric, count, name] for world in _worlds(results)]
            covered = [tally.coverage for tally in tallies]
            width = np.mean([tally.mean_width for tally in tallies])
            cells.append(f"{min(covered):.1f} / {np.mean(covered):.1f} / {max(covered):.1f} ({width:.1f})")
        rows.setdefault(" | ".join(cells), name)
    head = ["| interval | " + " | ".join(METRICS) + " |", "|---" * (1 + len(METRICS)) + "|"]
    return "\n".join([*head, *(f"| {name} | {cells} |" for cells, name in rows.items())])


def one_repetition_table(results: Results, names: dict[str, str]) -> str:
    """Mean coverage over the settings of each correlation, for one repetition."""
    rows = ["| ICC | interval | " + " | ".join(METRICS) + " |", "|---" * (2 + len(METRICS)) + "|"]
    for icc, (name, shown) in product(sorted({world.icc for world in _worlds(results)}), names.items()):
        chosen = [world for world in _worlds(results) if world.icc == icc]
        cells = [np.mean([results.tallies[world, metric, 1, name].coverage for world in chosen]) for metric in METRICS]
        rows.append(f"| {icc:.1f} | {shown} | " + " | ".join(f"{cell:.1f}" for cell in cells) + " |")
    return "\n".join(rows)


def jackknife_table(results: Results) -> str:
    """How near the delete-one-cluster jackknife comes to the bootstrap."""
    rows = ["| metric | median of jackknife / bootstrap standard error | 5th to 95th percentile |", "|---|---|---|"]
    for metric, ratios in results.ratios.items():
        low, middle, high = np.percentile(np.concatenate(ratios), [5, 50, 95])
        rows.append(f"| {metric} | {middle:.3f} | {low:.3f} to {high:.3f} |")
    return "\n".join(rows)


def _worlds(results: Results) -> list[World]:
    return list(dict.fromkeys(key[0] for key in results.tallies))


def _flag(coverage: float) -> str:
    return f"{coverage:.1f}" if 93 <= round(coverage, 1) <= 97 else f"**{coverage:.1f}**"


def rare_recall(images: int, recall: float, seeds: tuple[int, float], trials: int, seed: int = 1) -> dict[str, Tally]:
    """Intervals of the recall of a class with few images, one a cluster of 66, made as score and board make them.

    `of the class` counts on the clusters that hold the class, as the suite does; `all` on every cluster.
    """
    repetitions, seed_sd = seeds
    generator = np.random.default_rng([seed, images, round(1000 * recall), repetitions])
    skill, latent = latents(World((recall,), 0.0, seed_sd, repetitions), trials, generator)
    right = latent[:, 0] < skill[:, 0, :, None, None]
    present = layout()
    present[:, -1] = np.arange(len(present)) < images
    rows, columns = np.nonzero(present)
    labels, names = columns + 1, np.array([f"c{row:02d}" for row in rows])
    found = {"of the class": Tally(), "all": Tally()}
    for trial in range(trials):
        readings = [_reading(labels, right[trial, s][present], names) for s in range(repetitions)]
        counts = np.concatenate([np.ones((1, len(present))), cluster_counts(names, REPLICATES, trial)])
        own = [class_metrics(reading, counts)["recall"][:, THORAX] for reading in readings]
        for name, clusters in (
            ("of the class", class_clusters(readings)["recall"][THORAX]),
            ("all", len(present)),
        ):
            shown = interval(stack([float(one[0]) for one in own], [one[1:] for one in own], clusters), (0.0, 1.0))
            found[name].add(np.array([shown.low]), np.array([shown.high]), recall)
    return found


def _reading(labels: NDArray[np.int64], right: NDArray[np.bool_], clusters: NDArray[np.str_]) -> Reading:
    """Predictions of one repetition; what is wrong is taken for `other`."""
    predicted = np.where(right, labels, CLASSES.index("other"))
    every = tuple(range(len(CLASSES)))
    return Reading(
        labels, predicted, np.eye(len(CLASSES))[predicted], every[1:], every, clusters, np.full(len(labels), "")
    )


def rare_table(trials: int, seed: int = 1) -> str:
    """Coverage and mean width of the recall of a rare class, with its own number of clusters and with that of all."""
    rows = ["| images | true recall | S | clusters of the class (default) | all clusters |", "|---" * 5 + "|"]
    for images, recall, seeds in product(RARE_IMAGES, RARE_RECALLS, RARE_SEEDS):
        tallies = rare_recall(images, recall, seeds, trials, seed).values()
        cells = [f"{tally.coverage:.1f} ({tally.mean_width:.1f})" for tally in tallies]
        rows.append(f"| {images} | {recall:.1f} | {seeds[0]} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def main() -> None:
    """Run all settings and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    results = simulate(settings(), options.trials, options.seed)
    print(f"Coverage of the default, {options.trials} trials (outside 93 to 97: bold)\n\n{default_table(results)}\n")
    for count in REPETITIONS:
        print(
            f"S = {count}: lowest / mean / highest coverage (mean width, points)\n\n{candidate_table(results, count)}\n"
        )
    shown = {
        DEFAULT: "clusters (default)",
        IMAGES_PERCENTILES: "images, percentiles",
        OVER_SEEDS: "default, for the mean over seeds",
    }
    print(f"S = 1\n\n{one_repetition_table(results, shown)}\n")
    print(jackknife_table(results))
    print(f"\nRecall of a rare class: coverage (mean width, points)\n\n{rare_table(options.trials, options.seed)}")


if __name__ == "__main__":
    sys.exit(main())
