"""Drawing whole clusters with replacement: the unit that is independent is the cluster, not the image."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def cluster_counts(
    cluster_ids: ArrayLike, replicates: int, seed: int, strata: ArrayLike | None = None
) -> NDArray[np.uint32]:
    """How often each cluster enters each bootstrap replicate when as many clusters are drawn as there are.

    Every metric that is a function of sums over images needs no more than this: its replicates are functions of
    `counts @ sums_of_clusters` (cluster bootstrap: Field and Welsh, J. R. Statist. Soc. B 69, 2007).

    Args:
        cluster_ids: (n,) cluster of each image.
        replicates: number R of replicates.
        seed: of the draw. Equal seeds, clusters and strata give equal draws; the order of the images does not matter.
        strata: (n,) optional stratum of each image; then each stratum keeps its number of clusters. A cluster lies in
            one stratum.

    Returns:
        (R, C) counts; the columns are the clusters in the order of `np.unique(cluster_ids)` as text.

    Raises:
        ValueError: no images, or a cluster in two strata.
    """
    return _draw(_strata_of_clusters(cluster_ids, strata), replicates, seed)


def _strata_of_clusters(cluster_ids: ArrayLike, strata: ArrayLike | None) -> NDArray[np.intp]:
    """(C,) the stratum of each cluster, as a number in the order of names."""
    ids = np.asarray(cluster_ids).astype(str)
    if ids.ndim != 1 or ids.size == 0:
        raise ValueError("cluster_ids must be a non-empty vector")
    _, first, codes = np.unique(ids, return_index=True, return_inverse=True)
    groups = np.zeros(len(ids), dtype=np.intp)
    if strata is not None:
        groups = np.unique(np.asarray(strata).astype(str), return_inverse=True)[1]
    group_of_cluster = groups[first]
    if np.any(groups != group_of_cluster[codes]):
        raise ValueError("a cluster lies in more than one stratum")
    return group_of_cluster


def _draw(groups: NDArray[np.intp], replicates: int, seed: int) -> NDArray[np.uint32]:
    generator = np.random.default_rng(seed)
    counts = np.empty((replicates, len(groups)), dtype=np.uint32)
    for group in np.unique(groups):
        members = np.flatnonzero(groups == group)
        chance = np.full(len(members), 1 / len(members))
        counts[:, members] = generator.multinomial(len(members), chance, size=replicates)
    return counts
