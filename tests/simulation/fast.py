"""Metrics and their replicates for all trials at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tests.simulation.world import CLASSES, CLUSTERS, Array, Boards, layout

PRESENT = layout().astype(np.float32)


def of_clusters(replicates: int, generator: np.random.Generator) -> Array:
    """(1 + R, C, K) weight of each image: row 0 takes each once, in the others whole clusters are drawn."""
    drawn = generator.multinomial(CLUSTERS, np.full(CLUSTERS, 1 / CLUSTERS), size=replicates)
    return _images(np.concatenate([np.ones((1, CLUSTERS)), drawn]))


def of_images(replicates: int, generator: np.random.Generator) -> Array:
    """(1 + R, C, K) the same where single images are drawn, as if no two of them were of one patient."""
    size = int(PRESENT.sum())
    weights = np.zeros((1 + replicates, CLUSTERS, CLASSES), dtype=np.float32)
    weights[0] = PRESENT
    weights[1:, layout()] = generator.multinomial(size, np.full(size, 1 / size), size=replicates)
    return weights


def left_out() -> Array:
    """(1 + C, C, K): row 0 takes each image once, row 1 + c leaves cluster c out (jackknife)."""
    return _images(np.concatenate([np.ones((1, CLUSTERS)), 1 - np.eye(CLUSTERS)]))


def _images(clusters: NDArray[np.float64]) -> Array:
    return (clusters[:, :, None] * PRESENT).astype(np.float32)


def accuracy(right: NDArray[np.bool_], weights: Array) -> Array:
    """(B, M, S, W) accuracy under each of W weightings of the images."""
    return _flat(right) @ _flat(weights).T / weights.sum(axis=(1, 2))


def macro_f(boards: Boards, weights: Array) -> Array:
    """(B, M, S, W) mean over the classes of 2 TP / (true + predicted)."""
    total = np.zeros((*boards.right.shape[:3], len(weights)), dtype=np.float32)
    for k in range(CLASSES):
        hits = boards.right[..., k].astype(np.float32) @ weights[..., k].T
        predicted = _flat(boards.predicted == k) @ _flat(weights).T
        total += 2 * hits / (predicted + weights[..., k].sum(axis=1))
    return total / CLASSES


def _flat(values: NDArray[np.generic]) -> Array:
    return values.reshape(*values.shape[:-2], -1).astype(np.float32)


def auroc(boards: Boards, weights: Array) -> Array:
    """(B, M, S, W) mean over the classes of the one-vs-rest area: wins of positive over negative, by weight."""
    total = np.zeros((*boards.right.shape[:3], len(weights)), dtype=np.float32)
    for k in range(CLASSES):
        positive, negative = weights[..., k], _flat(np.delete(weights, k, axis=-1))
        won = _flat(pairs_won(boards, k)[..., None]).reshape(*total.shape[:3], CLUSTERS, -1)
        wins = np.einsum("...wn,wn->...w", positive @ won, negative)
        total += wins / (positive.sum(axis=1) * negative.sum(axis=1))
    return total / CLASSES


def auroc_of_clusters(boards: Boards, weights: Array) -> Array:
    """`auroc` where all images of a cluster have one weight, ten times as fast.

    It is a quadratic form in the weights of the clusters, and linear in the products of two of them.
    """
    clusters = weights.max(axis=-1)
    first, second = np.triu_indices(CLUSTERS)
    products = np.ascontiguousarray((clusters[:, first] * clusters[:, second]).T)
    total = np.zeros((*boards.right.shape[:3], len(weights)), dtype=np.float32)
    for k in range(CLASSES):
        won = pairs_won(boards, k).sum(axis=-1, dtype=np.float32)
        folded = (won + np.swapaxes(won, -1, -2))[..., first, second]
        folded[..., first == second] /= 2
        pairs = weights[..., k].sum(axis=1) * np.delete(weights, k, axis=-1).sum(axis=(1, 2))
        total += (folded @ products) / pairs
    return total / CLASSES


def pairs_won(boards: Boards, k: int) -> NDArray[np.bool_]:
    """(B, M, S, C, C, K - 1) whether cluster c's image of class k scores above cluster d's image of another class."""
    mask = layout()
    absent = np.where(mask, 0, 2).astype(np.float32)
    positive = boards.scores[..., k, k] - absent[:, k]
    negative = np.delete(boards.scores[..., k] + absent, k, axis=-1)
    return positive[..., :, None, None] > negative[..., None, :, :]
