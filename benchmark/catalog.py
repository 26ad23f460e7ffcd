"""What there is, by name: the listings behind `fulora-bench list` and `fulora-bench info`. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from benchmark.cohorts.registry import COHORTS
from benchmark.errors import UnknownNameError
from benchmark.fidelity.extractors import EXTRACTORS, extractor_info
from benchmark.methods import find_methods
from benchmark.profile import list_profiles, load_profile
from benchmark.protocol import PROTOCOLS
from benchmark.utility.backbones import BACKBONES
from benchmark.utility.definitions import METRICS

_FIDELITY_METRICS: dict[str, str] = {
    "fid": "Frechet distance of Gaussians fitted to features (lower is better)",
    "kid": "unbiased squared MMD with a cubic kernel, mean over subsets (lower is better)",
    "fid_infinity": "FID extrapolated over 1/n to infinitely many images (lower is better)",
    "precision": "share of synthetic images in the manifold of the real ones (higher is better)",
    "recall": "share of real images in the manifold of the synthetic ones (higher is better)",
    "density": "real neighbourhoods that a synthetic image lies in, over k; may exceed 1 (higher is better)",
    "coverage": "share of real images with a synthetic image in their neighbourhood (higher is better)",
    "recognition": "share of synthetic images given their own label by the real-only classifier (higher is better)",
    "near_copies": "share of synthetic images that are near-copies of a training image (lower is better)",
    "exact_copies": "share of synthetic images that are pixel for pixel a training image (lower is better)",
    "nn_ratio": "median distance to the nearest training image, over that of held-out images (1: as unseen images)",
    "authenticity": "share of synthetic images farther from their nearest training image than its own neighbour",
}


def _methods() -> dict[str, str]:
    return {name: spec.summary for name, spec in find_methods().items()}


def _metrics() -> dict[str, str]:
    found = dict(_FIDELITY_METRICS)
    for protocol, definitions in METRICS.items():
        found |= {metric.name: f"{metric.summary} [{protocol}]" for metric in definitions if metric.name not in found}
    return found


CATALOG: dict[str, Callable[[], dict[str, str]]] = {
    "methods": _methods,
    "cohorts": lambda: {name: info.summary for name, info in COHORTS.items()},
    "protocols": lambda: {name: info.summary for name, info in PROTOCOLS.items()},
    "profiles": list_profiles,
    "metrics": _metrics,
    "extractors": lambda: {name: str(extractor_info(name)["summary"]) for name in EXTRACTORS},
    "backbones": lambda: {name: info.summary for name, info in BACKBONES.items()},
}
"""Kind of thing -> its names and one-sentence summaries."""


def listing(kind: str | None) -> dict[str, dict[str, str]]:
    """Names and summaries of one kind, or of all kinds.

    Raises:
        UnknownNameError: no such kind.
    """
    if kind is None:
        return {name: read() for name, read in CATALOG.items()}
    if kind not in CATALOG:
        raise UnknownNameError("kind", kind, CATALOG)
    return {kind: CATALOG[kind]()}


def describe(name: str) -> dict[str, Any]:
    """One thing in full, whatever its kind.

    Raises:
        UnknownNameError: nothing has this name.
    """
    described: dict[str, Callable[[str], dict[str, Any]]] = {
        "methods": lambda key: find_methods()[key].model_dump(mode="json"),
        "cohorts": lambda key: asdict(COHORTS[key]),
        "protocols": lambda key: asdict(PROTOCOLS[key]),
        "profiles": lambda key: load_profile(key).model_dump(mode="json"),
        "metrics": _describe_metric,
        "extractors": extractor_info,
        "backbones": lambda key: asdict(BACKBONES[key]),
    }
    every: set[str] = set()
    matches: list[dict[str, Any]] = []
    for kind, names in listing(None).items():
        every |= names.keys()
        if name in names:
            matches.append({"kind": kind.removesuffix("s"), **described[kind](name)})
    if not matches:
        raise UnknownNameError("name", name, every)
    return matches[0] if len(matches) == 1 else {"name": name, "entries": matches}


def _describe_metric(name: str) -> dict[str, Any]:
    if name in _FIDELITY_METRICS:
        return {"name": name, "summary": _FIDELITY_METRICS[name], "room": "fidelity"}
    found = {protocol: [m for m in definitions if m.name == name] for protocol, definitions in METRICS.items()}
    return {"name": name, "definitions": {key: asdict(value[0]) for key, value in found.items() if value}}
