"""Predictions with a known truth: clusters, classes, seeds and shared difficulty, for many trials at once.

One image is right when its latent uniform lies below the accuracy of its trained classifier. Everything else follows
from that latent, so the truth of every metric is known (accuracy, macro-F: exactly; AUROC: by a large Monte Carlo).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.polynomial import Polynomial
from numpy.typing import NDArray

Array = NDArray[np.float32]
CLASSES = 4
OTHER = 4
MIX = (65, 65, 64, 39)
"""Abdomen, brain, femur, thorax."""
CLUSTERS = 66
TO_OTHER = 0.8
"""Share of the errors that predict `other`; the rest are spread evenly over the other present classes."""
BETWEEN_REPETITIONS = 0.75
"""Correlation of an image's difficulty between two repetitions of one method."""
BETWEEN_METHODS = 0.75
"""Share of a method's difficulty that is also the other method's: between methods the correlation is the product."""


def layout() -> NDArray[np.bool_]:
    """(66, 4) which cluster has an image of which class: clusters of 1, 2, 3 and 4 images in the numbers of `MIX`."""
    present = np.ones((CLUSTERS, CLASSES), dtype=bool)
    present[0, [0, 1]] = False
    present[1:3, 2] = False
    present[np.r_[0:27], 3] = False
    return present


@dataclass(frozen=True)
class World:
    """One setting of the simulation.

    Attributes:
        accuracy: mean over seeds of each method, in the order method, control.
        icc: correlation of the correctness of two images of one cluster.
        seed_sd: standard deviation of a trained classifier's accuracy over seeds.
        repetitions: S.
    """

    accuracy: tuple[float, ...]
    icc: float
    seed_sd: float
    repetitions: int


@dataclass(frozen=True)
class Boards:
    """B trials. M methods, S repetitions, C clusters, K classes; an image is one (cluster, class).

    Attributes:
        skill: (B, M, S) true accuracy of each trained classifier.
        right: (B, M, S, C, K) whether the image is right.
        predicted: (B, M, S, C, K) predicted class, 0 to 4.
        own: (B, M, S, C, K) score of the image's own class.
        others: (B, M, S, C, K, K) score of each present class, last axis (the own class included).
    """

    skill: NDArray[np.float64]
    right: NDArray[np.bool_]
    predicted: NDArray[np.int8]
    scores: Array


def draw(world: World, trials: int, generator: np.random.Generator) -> Boards:
    """Draw independent trials of one setting."""
    skill, latent = latents(world, trials, generator)
    right, predicted, scores = answer(latent, skill[..., None, None], generator)
    return Boards(skill, right, predicted, scores)


def latents(world: World, trials: int, generator: np.random.Generator) -> tuple[NDArray[np.float64], Array]:
    """(B, M, S) accuracy of each trained classifier, and (B, M, S, C, K) latents: lower is right."""
    methods, repetitions = len(world.accuracy), world.repetitions
    skill = np.stack([seeds(mean, world.seed_sd, (trials, repetitions), generator) for mean in world.accuracy], axis=1)
    shape = (trials, methods, repetitions, CLUSTERS)
    of_cluster = _shared((*shape, 1), generator)
    of_image = _shared((*shape, CLASSES), generator)
    joint = generator.random((trials, 1, 1, CLUSTERS, CLASSES), dtype=np.float32) < np.sqrt(world.icc)
    return skill, np.where(joint, of_cluster, of_image)


def seeds(mean: float, deviation: float, shape: tuple[int, ...], generator: np.random.Generator) -> NDArray[np.float64]:
    """Accuracies of trained classifiers: beta distributed, so mean and deviation are exact and none leaves 0 to 1."""
    if deviation == 0:
        return np.full(shape, mean)
    total = mean * (1 - mean) / deviation**2 - 1
    return generator.beta(mean * total, (1 - mean) * total, shape)


def _shared(shape: tuple[int, ...], generator: np.random.Generator) -> Array:
    """Uniforms of shape (B, M, S, ...) that methods share in part and repetitions of one method share more."""
    trials, methods, _, *rest = shape

    def uniform(*size: int) -> Array:
        return generator.random(size, dtype=np.float32)

    of_all, of_method, fresh = uniform(trials, 1, 1, *rest), uniform(trials, methods, 1, *rest), uniform(*shape)
    from_all = uniform(*of_method.shape) < np.sqrt(BETWEEN_METHODS)
    from_method = uniform(*shape) < np.sqrt(BETWEEN_REPETITIONS)
    return np.where(from_method, np.where(from_all, of_all, of_method), fresh)


def answer(
    latent: Array, skill: NDArray[np.float64], generator: np.random.Generator
) -> tuple[NDArray[np.bool_], NDArray[np.int8], Array]:
    """Right or not, predicted class and scores of images of class 0 to 3 (last axis of `latent`).

    The own class has the top score exactly where the image is right. Scores of the four present classes are given;
    they and that of `other` add up to 1.
    """
    level = skill.astype(np.float32)
    right = latent < level
    own = np.where(right, 1 - 0.5 * latent / level, 0.35 * (1 - latent) / np.maximum(1 - level, 1e-6))
    direction = generator.random(latent.shape, dtype=np.float32)
    step = 1 + np.minimum(3 * np.maximum(direction - TO_OTHER, 0) / (1 - TO_OTHER), 2).astype(np.int8)
    classes = np.broadcast_to(np.arange(CLASSES, dtype=np.int8), latent.shape)
    wrong = np.where(direction < TO_OTHER, np.int8(OTHER), (classes + step) % CLASSES).astype(np.int8)
    predicted = np.where(right, classes, wrong)
    # What the own class leaves is split at random; the wrong answer first takes the greater part of it.
    shares = generator.standard_exponential((*latent.shape, CLASSES + 1), dtype=np.float32)
    np.put_along_axis(shares, classes[..., None].astype(np.intp), 0.0, axis=-1)
    shares /= shares.sum(axis=-1, keepdims=True)
    chosen = np.arange(CLASSES + 1) == predicted[..., None]
    rest = np.where(right[..., None], shares, np.where(chosen, 0.6 + 0.4 * shares, 0.4 * shares))
    scores = rest * (1 - own)[..., None]
    np.put_along_axis(scores, classes[..., None].astype(np.intp), own[..., None], axis=-1)
    return right, predicted, scores[..., :CLASSES]


def true_macro_f(skill: NDArray[np.float64]) -> NDArray[np.float64]:
    """Macro-F over the four present classes of classifiers of this accuracy, on endless images in the mix of `MIX`."""
    mix = np.array(MIX) / sum(MIX)
    level = np.asarray(skill)[..., None]
    false = (mix.sum() - mix) * (1 - level) * (1 - TO_OTHER) / (CLASSES - 1)
    return np.mean(2 * mix * level / (mix + mix * level + false), axis=-1)


def true_auroc(skill: NDArray[np.float64]) -> NDArray[np.float64]:
    """One-vs-rest AUROC of classifiers of this accuracy; by symmetry it is the same for every class."""
    return _auroc_curve()(skill)


@cache
def _auroc_curve() -> Polynomial:
    """A polynomial in the accuracy through large Monte Carlo samples; its standard error is below 0.0003."""
    levels = np.linspace(0.1, 0.999, 19)
    generator = np.random.default_rng(11)
    areas = []
    for level in levels:
        _, _, scores = answer(generator.random((100_000, CLASSES), dtype=np.float32), np.array(level), generator)
        negative = np.sort(scores[:, 1:, 0], axis=None)
        areas.append(np.searchsorted(negative, scores[:, 0, 0]).mean() / negative.size)
    return Polynomial.fit(levels, areas, 5)


def over_seeds(truth: NDArray[np.float64] | object, mean: float, deviation: float) -> float:
    """Mean of a metric over seeds; `truth` turns accuracies of classifiers into the metric."""
    levels = seeds(mean, deviation, (400_000,), np.random.default_rng(5))
    return float(np.mean(truth(levels)))  # type: ignore[operator]
