"""A utility cell: a classifier trained on one mix, its predictions on every target track, and their scores."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmark.cohorts.cohort import Cohort
from benchmark.errors import BenchError
from benchmark.execution.inputs import StoredSet, protocol_of, stored_set
from benchmark.execution.jobs import CellResult, Job
from benchmark.matrix import backbone_entry, is_judge
from benchmark.protocol import Protocol
from benchmark.utility.backbones import NO_WEIGHTS, BackboneSpec, create_backbone
from benchmark.utility.definitions import PROTOCOLS
from benchmark.utility.predictions import prediction_frame, write_predictions
from benchmark.utility.recipe import load_recipe
from benchmark.utility.scores import score
from benchmark.utility.training import Classifier, TrainingOptions, predict, train_classifier

if TYPE_CHECKING:
    from torch import nn

JUDGE_FILE = "classifier.safetensors"


def utility_cell(job: Job, scratch: Path) -> CellResult:
    """Train, predict, score; `predictions/` stays with the record, and the judge's weights where it is one."""
    protocol = protocol_of(job.profile)
    synthetic = stored_set(job.upstream["generate"], job.profile.image_size)
    images, labels = training_mix(job.cell.mix, protocol, synthetic)
    recipe = load_recipe(job.profile.utility.recipe, job.profile.utility.steps)
    options = TrainingOptions(
        augmentation=job.cell.augmentation,
        seed=job.seed,
        threads=job.profile.execution.threads,
        device=job.device,
    )
    entry = backbone_entry(job.cell, job.profile)
    classifier = train_classifier(images, labels, recipe, BackboneSpec(entry.name, entry.weights), options)
    if is_judge(job.cell):
        _save(classifier.network, scratch / JUDGE_FILE)
    scores = _predict_all(classifier, protocol, scratch / "predictions")
    outputs = {
        "n_real": len(labels) - _n_synthetic(job.cell.mix, synthetic),
        "n_synthetic": _n_synthetic(job.cell.mix, synthetic),
        "steps": classifier.steps,
        "train_seconds": classifier.seconds,
        "training_loss": classifier.loss,
    }
    return CellResult(outputs=outputs, scores=scores)


def training_mix(mix: str, protocol: Protocol, synthetic: StoredSet) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images (n, size, size) and class indices (n,) of a mix: `real`, `real+synthetic` or `synthetic`."""
    real = (np.array(protocol.train.pixels), protocol.train.labels)
    if mix == "real":
        return real
    if mix == "synthetic":
        return synthetic.images, synthetic.targets
    if mix == "real+synthetic":
        return np.concatenate([real[0], synthetic.images]), np.concatenate([real[1], synthetic.targets])
    raise BenchError(f"unknown training mix '{mix}': use real, real+synthetic or synthetic.")


def _n_synthetic(mix: str, synthetic: StoredSet) -> int:
    return 0 if mix == "real" else len(synthetic.labels)


def _predict_all(classifier: Classifier, protocol: Protocol, folder: Path) -> dict[str, Any]:
    """Predictions on every track and on the held-out source part (`heldout`), written and scored."""
    folder.mkdir()
    scores: dict[str, Any] = {}
    parts: dict[str, Cohort] = {**protocol.tracks, "heldout": protocol.heldout}
    for name, part in parts.items():
        table = prediction_frame(part.table, list(part.table["label"]), predict(classifier, np.array(part.pixels)))
        write_predictions(folder / f"{name}.csv", table)
        scores[name] = {measured: score(table, measured, replicates=0).to_json()["metrics"] for measured in PROTOCOLS}
    return scores


def _save(model: nn.Module, path: Path) -> None:
    from safetensors.torch import save_file

    save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, path)


def load_judge(job: Job) -> Classifier:
    """The real-only classifier of the cell's repetition, from its stored weights."""
    from safetensors.torch import load_file

    recipe = load_recipe(job.profile.utility.recipe, job.profile.utility.steps)
    spec = BackboneSpec(job.profile.utility.backbones[0].name, NO_WEIGHTS)
    network = create_backbone(spec, recipe.image_size or job.profile.image_size)
    network.load_state_dict(load_file(job.upstream["judge"] / JUDGE_FILE))
    return Classifier(
        network=network.to(job.device).eval(),
        recipe=recipe,
        device=job.device,
        threads=job.profile.execution.threads,
        n_classes=spec.n_classes,
        steps=recipe.steps,
        seconds=0.0,
        loss=0.0,
    )
