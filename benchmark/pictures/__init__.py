"""Pictures for people: what each method drew, alone, beside real training images, and its closest pairs.

A grid shows the first samples of every class, never chosen ones. Samples that the fidelity records flag as
near-copies of a training image are left out of what may be published, and the grid says how many. The closest pairs
are chosen: the synthetic images most like a training image, for people to judge.
"""

from __future__ import annotations

from benchmark.pictures.grids import FREE_PROTOCOLS, Grids, write_sample_grids
from benchmark.pictures.real import RealImages, real_images

__all__ = ["FREE_PROTOCOLS", "Grids", "RealImages", "real_images", "write_sample_grids"]
