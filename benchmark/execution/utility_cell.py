"""A utility cell: a classifier trained on one mix, its predictions on every target track, and their scores."""

from __future__ import annotations

import time
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmark.cohorts.cohort import Cohort
from benchmark.errors import BenchError
from benchmark.execution.inputs import StoredSet, protocol_of, stored_set
from benchmark.execution.jobs import CellResult, Job
from benchmark.matrix import backbone_entry, judge_of
from benchmark.profile import Profile
from benchmark.protocol import Protocol
from benchmark.utility.backbones import BackboneSpec, create_backbone
from benchmark.utility.definitions import PROTOCOLS
from benchmark.utility.predictions import prediction_frame, write_predictions
from benchmark.utility.recipe import Recipe, resolve_recipe
from benchmark.utility.scores import score
from benchmark.utility.training import TrainingPlan, predict, train_classifier

if TYPE_CHECKING:
    from torch import nn

JUDGE_FILE = "classifier.safetensors"


def utility_cell(job: Job, scratch: Path) -> CellResult:
    """Train, predict, score; `predictions/` stays with the record, and the judge's weights where it is one."""
    protocol = protocol_of(job.profile)
    synthetic = stored_set(job.upstream["generate"], job.profile.image_size)
    images, labels = training_mix(job.cell.mix, protocol, synthetic)
    started = time.monotonic()
    recipe = resolve_recipe(job.profile.utility.recipe, job.profile.utility.steps)
    plan = TrainingPlan(
        recipe=recipe,
        backbone=_backbone(job),
        augmentation=job.cell.augmentation,
        seed=job.seed,
        device=job.device,
    )
    model = train_classifier(images, labels, plan)
    seconds = time.monotonic() - started
    if job.cell == judge_of(job.profile, job.cell.repetition):
        _save(model, scratch / JUDGE_FILE)
    scores = _predict_all(model, protocol, scratch / "predictions")
    outputs = {
        "n_real": len(labels) - _n_synthetic(job.cell.mix, synthetic),
        "n_synthetic": _n_synthetic(job.cell.mix, synthetic),
        "steps": recipe.steps,
        "train_seconds": seconds,
    }
    return CellResult(outputs=outputs, scores=scores)


def training_mix(mix: str, protocol: Protocol, synthetic: StoredSet) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images (n, size, size) and class indices (n,) of a mix: `real`, `real+synthetic` or `synthetic`."""
    real = (np.asarray(protocol.train.pixels), protocol.train.labels)
    if mix == "real":
        return real
    if mix == "synthetic":
        return synthetic.images, synthetic.targets
    if mix == "real+synthetic":
        return np.concatenate([real[0], synthetic.images]), np.concatenate([real[1], synthetic.targets])
    raise BenchError(f"unknown training mix '{mix}': use real, real+synthetic or synthetic.")


def _n_synthetic(mix: str, synthetic: StoredSet) -> int:
    return 0 if mix == "real" else len(synthetic.labels)


def _backbone(job: Job) -> BackboneSpec:
    entry = backbone_entry(job.cell, job.profile)
    return BackboneSpec(name=entry.name, weights=entry.weights)


def _predict_all(model: nn.Module, protocol: Protocol, folder: Path) -> dict[str, Any]:
    """Predictions on every track and on the held-out source part (`heldout`), written and scored."""
    folder.mkdir()
    scores: dict[str, Any] = {}
    parts: dict[str, Cohort] = {**protocol.tracks, "heldout": protocol.heldout}
    for name, part in parts.items():
        table = prediction_frame(part.table, list(part.table["label"]), predict(model, part.pixels))
        write_predictions(folder / f"{name}.csv", table)
        scores[name] = {measured: score(table, measured, replicates=0).to_json()["metrics"] for measured in PROTOCOLS}
    return scores


def _save(model: nn.Module, path: Path) -> None:
    from safetensors.torch import save_file

    save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, path)


def load_judge(job: Job) -> nn.Module:
    """The real-only classifier of the cell's repetition, from its stored weights."""
    return _judge(job.upstream["judge"] / JUDGE_FILE, job.profile, job.device)


@lru_cache(maxsize=2)
def _judge(path: Path, profile: Profile, device: str) -> nn.Module:
    from safetensors.torch import load_file

    entry = profile.utility.backbones[0]
    recipe: Recipe = resolve_recipe(profile.utility.recipe, profile.utility.steps)
    model = create_backbone(BackboneSpec(name=entry.name, weights="none"), recipe.image_size)
    model.load_state_dict(load_file(path))
    return model.to(device).eval()
