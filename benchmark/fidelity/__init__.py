"""Fidelity: how near a synthetic set lies to a real one. Read it as images -> features -> statistics -> distance.

Functions of arrays and tables: nothing here knows a cell, a record or where a run keeps its files.
"""

from __future__ import annotations

from benchmark.fidelity.distance import KernelDistance, frechet_distance, kernel_distance
from benchmark.fidelity.evaluate import (
    FeatureSet,
    FidelityOptions,
    FidelityResult,
    ImageSet,
    fidelity,
    fidelity_from_features,
)
from benchmark.fidelity.extractors import EXTRACTORS, Extractor, extractor_info, load_extractor
from benchmark.fidelity.features import extract
from benchmark.fidelity.images import folder_labels, read_folder, read_patients
from benchmark.fidelity.memorisation import ClosestPair, Memorisation, memorisation
from benchmark.fidelity.neighbours import NearCopies, Views, near_copies, nearest

__all__ = [
    "EXTRACTORS",
    "ClosestPair",
    "Extractor",
    "FeatureSet",
    "FidelityOptions",
    "FidelityResult",
    "ImageSet",
    "KernelDistance",
    "Memorisation",
    "NearCopies",
    "Views",
    "extract",
    "extractor_info",
    "fidelity",
    "fidelity_from_features",
    "folder_labels",
    "frechet_distance",
    "kernel_distance",
    "load_extractor",
    "memorisation",
    "near_copies",
    "nearest",
    "read_folder",
    "read_patients",
]
