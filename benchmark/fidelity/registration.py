"""How alike are two images once one is laid over the other? The best correlation under small displacements.

A query is compared with a reference that is mirrored left to right, upside down or not, turned by up to 18 degrees,
zoomed by up to 1.3 either way and moved by up to 12 % of the side; the size of the normalised cross-correlation over
what both show knows no gain and no offset, and a negative is as like as its positive. Two stages: a coarse grid over
all pairs at 16 x 16, then a compass search (Hooke and Jeeves 1961) from the best cell of the grid for the most
promising references of each query, which ends at 32 x 32.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

COARSE_SIDE, FINE_SIDE = 16, 32
CANDIDATES = 3
"""References per query that leave the coarse stage."""

ANGLES = (-10.0, 0.0, 10.0)
ZOOMS = (0.87, 1.0, 1.15)
SHIFTS = (-1.4 / COARSE_SIDE, 0.0, 1.4 / COARSE_SIDE)
"""The coarse grid: degrees, factors, shares of the side; times four for the mirrors, 324 placements."""

_LIMITS = (np.deg2rad(18.0), np.log(1.3), 0.12, 0.12)
_STEPS = (np.deg2rad(5.0), 0.07, 0.7 / COARSE_SIDE, 0.7 / COARSE_SIDE)
_COARSE_ROUNDS, _FINE_ROUNDS = 2, 3
_INSIDE = 0.97
"""Pixels that fall beyond this share of the reference's half side are not compared: a copy has a fill there."""
_CHUNK = 500
_FLAT = 1e-3
"""Standard deviation in grey levels below which an image has no content."""


def best_correlation(
    queries: NDArray[np.uint8], reference: NDArray[np.uint8]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Largest correlation of every query with any reference image under registration, and that image's position.

    Args:
        queries, reference: grey images (n, h, w) and (m, h', w'), m >= 1.

    Returns:
        float64 (n,) in [0, 1], and int64 (n,). A featureless image has 0.
    """
    import torch

    with torch.inference_mode():
        fixed = {side: _shrink(reference, side) for side in (COARSE_SIDE, FINE_SIDE)}
        parts = [
            _best(queries[start : start + _CHUNK], fixed) for start in range(0, len(queries), _CHUNK)
        ]  # fmt: skip
    if not parts:
        return np.empty(0), np.empty(0, dtype=np.int64)
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


def _best(queries: NDArray[np.uint8], fixed: dict[int, Tensor]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    import torch

    small, large = _shrink(queries, COARSE_SIDE), _shrink(queries, FINE_SIDE)
    coarse, placed = _coarse(small, fixed[COARSE_SIDE])
    candidates = min(CANDIDATES, len(fixed[COARSE_SIDE]))
    match = coarse.topk(candidates, dim=1).indices
    rows = torch.arange(len(queries)).repeat_interleave(candidates)
    flat = match.flatten()
    found, placements = _climb(
        small[rows], fixed[COARSE_SIDE][flat], placed[rows, flat], torch.tensor(_STEPS), _COARSE_ROUNDS
    )
    which = found.view(len(queries), candidates).argmax(dim=1)
    one = torch.arange(len(queries))
    best, start = match[one, which], placements.view(len(queries), candidates, -1)[one, which]
    steps = torch.tensor(_STEPS) / 2**_COARSE_ROUNDS
    correlation, _ = _climb(large, fixed[FINE_SIDE][best], start, steps, _FINE_ROUNDS)
    return correlation.numpy().astype(np.float64).clip(0, 1), best.numpy().astype(np.int64)


def _coarse(queries: Tensor, reference: Tensor) -> tuple[Tensor, Tensor]:
    """The best correlation of each pair over the grid (n, m), and the placement that gave it (n, m, 6)."""
    import torch

    grid = torch.tensor(
        [
            (np.deg2rad(angle), np.log(zoom), dx, dy, mirror, flip)
            for flip, mirror, angle, zoom, dx, dy in itertools.product(
                (1.0, -1.0), (1.0, -1.0), ANGLES, ZOOMS, SHIFTS, SHIFTS
            )
        ],
        dtype=torch.float32,
    )
    flat = queries.flatten(1)
    scores = torch.empty(len(grid), len(queries), len(reference))
    for number, placement in enumerate(grid):
        moved, shared = _placed(reference, placement.expand(len(reference), -1))
        inside = shared[0].flatten()
        scores[number] = (_units(flat[:, inside]) @ _units(moved.flatten(1)[:, inside]).T).abs()
    best, where = scores.max(dim=0)
    return best, grid[where]


def _climb(queries: Tensor, reference: Tensor, placements: Tensor, steps: Tensor, rounds: int) -> tuple[Tensor, Tensor]:
    """Improve the placement of every pair, one parameter at a time, halving the steps; never gets worse."""
    import torch

    best = _correlation(queries, reference, placements)
    limits = torch.tensor(_LIMITS, dtype=torch.float32)
    for size in (steps / 2**number for number in range(rounds)):
        for _, axis, sign in itertools.product(range(2), range(4), (1, -1)):
            tried = placements.clone()
            tried[:, axis] = (tried[:, axis] + sign * size[axis]).clamp(-limits[axis], limits[axis])
            found = _correlation(queries, reference, tried)
            better = found > best
            best = torch.where(better, found, best)
            placements = torch.where(better[:, None], tried, placements)
    return best, placements


def _correlation(queries: Tensor, reference: Tensor, placements: Tensor) -> Tensor:
    """Size of the normalised cross-correlation of pairs (n, side, side) where both show pixels; 0 without content."""
    moved, shared = _placed(reference, placements)
    weight = shared.flatten(1).float()
    count = weight.sum(dim=1, keepdim=True)
    a, b = queries.flatten(1) * weight, moved.flatten(1) * weight
    a = a - weight * (a.sum(dim=1, keepdim=True) / count)
    b = b - weight * (b.sum(dim=1, keepdim=True) / count)
    product = (a.square().sum(dim=1) * b.square().sum(dim=1)).sqrt()
    # Flat where either side is: the product of the lengths is below that of two images with the least content.
    return (a * b).sum(dim=1).abs() / product.clamp(min=1.0) * (product > count[:, 0] * _FLAT)


def _placed(reference: Tensor, placements: Tensor) -> tuple[Tensor, Tensor]:
    """The references as the placements (n, 6: angle, log zoom, dx, dy, mirrors) lay them, and where they lie."""
    import torch
    from torch.nn import functional

    angle, zoom, dx, dy, mirror, flip = placements.unbind(dim=1)
    cos, sin = torch.cos(angle) / torch.exp(zoom), torch.sin(angle) / torch.exp(zoom)
    # The sampling grid runs from -1 to 1, so a share of the side counts twice.
    x = torch.stack([mirror * cos, mirror * sin, -2 * mirror * (cos * dx + sin * dy)], dim=1)
    y = torch.stack([-flip * sin, flip * cos, -2 * flip * (cos * dy - sin * dx)], dim=1)
    grid = functional.affine_grid(torch.stack([x, y], dim=1), [len(reference), 1, *reference.shape[1:]], False)
    moved = functional.grid_sample(reference[:, None], grid, padding_mode="border", align_corners=False)[:, 0]
    return moved, (grid.abs() <= _INSIDE).all(dim=-1)


def _units(rows: Tensor) -> Tensor:
    """Rows without their mean, at length 1; rows without content become 0."""
    centred = rows - rows.mean(dim=1, keepdim=True)
    length = centred.norm(dim=1, keepdim=True)
    return centred / length.clamp(min=1.0) * (length > _FLAT * rows.shape[1] ** 0.5)


def _shrink(images: NDArray[np.uint8], side: int) -> Tensor:
    """Area means on a grid of side x side, float32 (n, side, side)."""
    import torch
    from torch.nn import functional

    pixels = torch.from_numpy(np.ascontiguousarray(images)).float()[:, None]
    return functional.adaptive_avg_pool2d(pixels, side)[:, 0]
