"""How often intervals of FID and KID cover the expected distance: `python -m tests.simulation.fidelity`.

Features are Gaussian, cut at 0 and of falling variance; real images come in patients of `per_patient` images with the
correlation `shared`, synthetic ones are shifted and half of their features are wider. The truth is the mean distance
over many draws of both sets. Prints the Markdown table of `docs/fidelity.md`.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from benchmark.fidelity.resampled import frechet_replicates, kernel_replicates
from benchmark.fidelity.uncertainty import KEPT, subsets

Floats = NDArray[np.float64]
DISTANCES = (frechet_replicates, kernel_replicates)


@dataclass(frozen=True)
class World:
    """Sizes of both sets, features, and how real and synthetic images are drawn."""

    n: int
    d: int
    per_patient: int
    shared: float
    shift: float
    wider: float

    def real(self, random: np.random.Generator) -> tuple[Floats, NDArray[np.int64]]:
        """Features and the patient of each image."""
        patients = -(-self.n // self.per_patient)
        of_image = np.repeat(np.arange(patients), self.per_patient)[: self.n]
        common = random.normal(size=(patients, self.d))[of_image]
        own = random.normal(size=(self.n, self.d))
        features = np.sqrt(self.shared) * common + np.sqrt(1 - self.shared) * own
        return np.maximum(features, 0) * self._spread, of_image

    def synthetic(self, random: np.random.Generator) -> Floats:
        """Features."""
        scale = np.where(np.arange(self.d) < self.d // 2, 1.0, self.wider)
        drawn = np.maximum(random.normal(size=(self.n, self.d)), 0)
        return drawn * self._spread * scale + self.shift * self._spread

    @property
    def _spread(self) -> Floats:
        return np.arange(1, self.d + 1) ** -0.5


WORLDS = (
    World(60, 32, 1, 0.0, 0.3, 1.3),
    World(60, 32, 3, 0.5, 0.3, 1.3),
    World(60, 128, 3, 0.5, 0.3, 1.3),
    World(60, 128, 3, 0.5, 0.0, 1.0),
    World(230, 128, 3, 0.5, 0.3, 1.2),
    World(230, 512, 3, 0.5, 0.3, 1.2),
)


def bootstrap(clusters: NDArray[np.int64], replicates: int, random: np.random.Generator) -> NDArray[np.int64]:
    """(R, n) how often each image enters when whole clusters are drawn with replacement."""
    names, codes = np.unique(clusters, return_inverse=True)
    return random.multinomial(len(names), np.full(len(names), 1 / len(names)), size=replicates)[:, codes]


def row(world: World, trials: int, replicates: int, seed: int) -> str:
    """One row of the table."""
    random, once, images = np.random.default_rng(seed), np.ones((1, world.n)), np.arange(world.n)
    points, left_out, repeated = [], [], []
    for _ in range(trials):
        (real, patients), synthetic = world.real(random), world.synthetic(random)
        points.append([distance(real, synthetic, once, once)[0] for distance in DISTANCES])
        kept = subsets(patients, replicates, random), subsets(images, replicates, random)
        left_out.append([distance(real, synthetic, *kept).std(ddof=1) for distance in DISTANCES])
        drawn = bootstrap(patients, replicates, random), bootstrap(images, replicates, random)
        repeated.append([np.percentile(distance(real, synthetic, *drawn), (2.5, 97.5)) for distance in DISTANCES])
    fresh = [
        [distance(world.real(random)[0], world.synthetic(random), once, once)[0] for distance in DISTANCES]
        for _ in range(2 * trials)
    ]
    truth = np.concatenate([points, fresh]).mean(axis=0)
    groups = len(np.unique(patients))
    kept_groups = round(KEPT * groups)
    half = stdtrit(groups - 1, 0.975) * np.array(left_out) * np.sqrt(kept_groups / (groups - kept_groups))
    ours = 100 * (np.abs(np.array(points) - truth) <= half).mean(axis=0)
    percentiles = np.array(repeated)
    theirs = 100 * ((percentiles[..., 0] <= truth) & (truth <= percentiles[..., 1])).mean(axis=0)
    same = "same" if world.shift == 0 and world.wider == 1 else "others"
    cells = [world.n, world.d, groups, same, *(f"{value:.0f}" for value in (*ours, *theirs))]
    return "| " + " | ".join(map(str, cells)) + " |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=300)
    parser.add_argument("--replicates", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    print("| n | features | patients | distributions | FID | KID | FID, bootstrap | KID, bootstrap |")
    print("|---|---|---|---|---|---|---|---|")
    for world in WORLDS:
        print(row(world, chosen.trials, chosen.replicates, chosen.seed), flush=True)


if __name__ == "__main__":
    main()
