"""A fidelity cell: one synthetic set against one reference by one extractor."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.classes import CLASSES
from benchmark.cohorts.cohort import Cohort
from benchmark.execution.inputs import StoredSet, protocol_of, stored_set
from benchmark.execution.jobs import CellResult, Job
from benchmark.execution.utility_cell import load_judge
from benchmark.fidelity.evaluate import FeatureSet, FidelityOptions, ImageSet, fidelity_from_features
from benchmark.fidelity.extractors import Extractor, load_extractor
from benchmark.fidelity.features import extract
from benchmark.fidelity.memorisation import memorisation
from benchmark.fidelity.neighbours import Views
from benchmark.keys import content_key
from benchmark.profile import ExtractorEntry
from benchmark.utility.training import predict


def fidelity_cell(job: Job, scratch: Path) -> CellResult:
    """Distances to the reference; recognition beside the headline, memorisation beside the diagnostic."""
    del scratch  # a fidelity cell leaves numbers only
    protocol = protocol_of(job.profile)
    synthetic = stored_set(job.upstream["generate"], job.profile.image_size)
    entry = next(item for item in job.profile.fidelity.extractors if item.name == job.cell.extractor)
    extractor = _extractor(entry, job.device)
    features = FeatureSet(
        extract(synthetic.images, extractor), synthetic.labels, described=ImageSet(synthetic.images).described
    )
    reference = protocol.heldout if job.cell.reference == "heldout" else protocol.adaptation
    real = _feature_set(reference, entry, job.device)
    pool = _joined(*(_feature_set(part, entry, job.device) for part in (protocol.train, protocol.heldout)))
    result = fidelity_from_features(real, features, extractor.describe(), FidelityOptions(seed=job.seed), pool)
    told = result.to_json()
    metrics: dict[str, Any] = told.pop("metrics")
    if job.cell.reference == "heldout":
        metrics["recognition"] = _recognition(job, synthetic)
    else:
        heldout = Views(protocol.heldout.pixels, _features(protocol.heldout, entry, job.device))
        train = Views(protocol.adaptation.pixels, real.features)
        metrics |= memorisation(Views(synthetic.images, features.features), train, heldout).to_metrics()
    return CellResult(metrics=metrics, outputs=told)


def _recognition(job: Job, synthetic: StoredSet) -> dict[str, Any]:
    """Share of the synthetic images whose own label the real-only classifier predicts."""
    judge = load_judge(job)
    hits = predict(judge, synthetic.images).argmax(axis=1) == synthetic.targets
    labels = np.asarray(synthetic.labels)
    per_class = {name: float(hits[labels == name].mean()) for name in CLASSES if (labels == name).any()}
    return {
        "value": float(hits.mean()),
        "direction": "higher",
        "definition": "share of synthetic images given their own label by the real-only classifier of the repetition",
        "n": len(hits),
        "per_class": per_class,
    }


@lru_cache(maxsize=2)
def _loaded(name: str, weights: Path | None, device: str) -> Extractor:
    return load_extractor(name, weights, offline=True, device=device)


def _extractor(entry: ExtractorEntry, device: str) -> Extractor:
    return _loaded(entry.name, entry.weights, device)


def _feature_set(cohort: Cohort, entry: ExtractorEntry, device: str) -> FeatureSet:
    table = cohort.table
    # Which images, not their bits: a drawn cohort may differ in a last digit between processors.
    images = content_key(table.loc[:, ["image_id", "label", "cluster_id"]].to_numpy().tolist())
    described = f"{cohort.name} {images[:12]}, {ImageSet(cohort.pixels).described}"
    return FeatureSet(_features(cohort, entry, device), tuple(table["label"]), tuple(table["cluster_id"]), described)


def _joined(first: FeatureSet, second: FeatureSet) -> FeatureSet:
    """All real images of the source: the pool whose halves, by patient, give the floor."""
    return FeatureSet(
        np.concatenate([first.features, second.features]),
        (*(first.labels or ()), *(second.labels or ())),
        (*(first.clusters or ()), *(second.clusters or ())),
    )


_REFERENCE_FEATURES: dict[tuple[str, str], NDArray[np.float32]] = {}


def _features(cohort: Cohort, entry: ExtractorEntry, device: str) -> NDArray[np.float32]:
    """Features of a reference, extracted once in the life of a worker."""
    extractor = _extractor(entry, device)
    place = (extractor.name + extractor.weights_sha256, cohort.manifest_sha256)
    if place not in _REFERENCE_FEATURES:
        _REFERENCE_FEATURES[place] = extract(cohort.pixels, extractor)
    return _REFERENCE_FEATURES[place]
