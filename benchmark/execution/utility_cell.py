"""A utility cell: a classifier trained on one mix, its predictions on every target track, and their scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmark.classes import CLASSES
from benchmark.cohorts.cohort import Cohort
from benchmark.errors import BenchError
from benchmark.execution.inputs import protocol_of, stored_set
from benchmark.execution.jobs import CellResult, Job
from benchmark.execution.training_sets import TrainingSet, training_set
from benchmark.matrix import TARGET_MIX, backbone_entry, is_judge
from benchmark.protocol import Protocol
from benchmark.utility.backbones import NO_WEIGHTS, BackboneSpec, create_backbone
from benchmark.utility.definitions import PROTOCOLS
from benchmark.utility.predictions import prediction_frame, write_predictions
from benchmark.utility.recipe import Recipe, load_recipe
from benchmark.utility.scores import score
from benchmark.utility.training import Classifier, TrainingOptions, predict, train_classifier

if TYPE_CHECKING:
    from pandas import DataFrame
    from torch import nn

JUDGE_FILE = "classifier.safetensors"
FOLDS = 5
"""Folds of the upper reference: four fifths of the target's clusters train, as in common practice."""
_NO_UPPER_REFERENCE = "Leave the upper reference out: --set utility.upper_reference=false"


def utility_cell(job: Job, scratch: Path) -> CellResult:
    """Train, predict, score; `predictions/` stays with the record, and the judge's weights where it is one."""
    protocol = protocol_of(job.profile)
    if job.cell.mix == TARGET_MIX:
        return _upper_reference(job, protocol, scratch)
    synthetic = stored_set(job.upstream["generate"], job.profile.image_size)
    data = training_set(job.cell, protocol, synthetic, job.seed)
    classifier = _train(job, data, _recipe(job, len(data.labels), len(protocol.train)))
    if is_judge(job.cell):
        _save(classifier.network, scratch / JUDGE_FILE)
    parts: dict[str, Cohort] = {**protocol.tracks, "heldout": protocol.heldout}
    tables = {
        name: prediction_frame(part.table, list(part.table["label"]), predict(classifier, np.array(part.pixels)))
        for name, part in parts.items()
    }
    scores = _keep(tables, scratch / "predictions")
    outputs = {"n_real": data.n_real, "n_synthetic": data.n_synthetic, **_told([classifier])}
    return CellResult(outputs=outputs, scores=scores)


def _upper_reference(job: Job, protocol: Protocol, scratch: Path) -> CellResult:
    """What the same classifier reaches when it is trained on the target itself: each image is predicted by a
    network that saw no image of its cluster. For orientation only; it is never ranked."""
    target = protocol.tracks[protocol.primary_track]
    whole = TrainingSet(np.array(target.pixels), np.asarray(target.labels, dtype=np.int64), len(target))
    probabilities = np.empty((len(target), len(CLASSES)))
    classifiers, sizes = [], []
    for train, test in cluster_folds(whole.labels, list(target.table["cluster_id"]), FOLDS, job.seed):
        data = whole.part(train)
        classifiers.append(_train(job, data, _recipe(job, len(train), len(train))))
        probabilities[test] = predict(classifiers[-1], whole.images[test])
        sizes.append(len(train))
    table = prediction_frame(target.table, list(target.table["label"]), probabilities)
    scores = _keep({protocol.primary_track: table}, scratch / "predictions")
    outputs = {"n_real": int(np.mean(sizes)), "n_synthetic": 0, "folds": len(sizes), **_told(classifiers)}
    return CellResult(outputs=outputs, scores=scores)


def cluster_folds(
    labels: NDArray[np.int64], clusters: Sequence[str], folds: int, seed: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Training and test positions of each fold; no cluster lies on both sides, classes are spread evenly.

    Where a few clusters hold most of a class, the even spread can leave a fold without any image. Such a fold is
    skipped, so fewer than `folds` may come.

    Raises:
        BenchError: fewer clusters than folds, or no class with as many images as folds.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    groups = np.asarray(clusters).astype(str)
    n_clusters, largest = len(np.unique(groups)), int(np.bincount(labels).max(initial=0))
    if n_clusters < folds:
        raise BenchError(f"the target has {n_clusters} clusters, too few for {folds} folds. {_NO_UPPER_REFERENCE}")
    if largest < folds:
        raise BenchError(
            f"the largest class of the target has {largest} images, too few for {folds} folds. {_NO_UPPER_REFERENCE}"
        )
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed % 2**32)
    yield from ((train, test) for train, test in splitter.split(np.zeros(len(labels)), labels, groups) if len(test) > 0)


def _recipe(job: Job, n_train: int, n_natural: int) -> Recipe:
    """The recipe; unmatched compute takes its number of epochs of the natural real set, whatever the mix's size."""
    recipe = load_recipe(job.profile.utility.recipe, job.profile.utility.steps)
    if job.cell.compute != "unmatched":
        return recipe
    return load_recipe(recipe.name, max(1, round(recipe.steps * n_train / n_natural)))


def _train(job: Job, data: TrainingSet, recipe: Recipe) -> Classifier:
    options = TrainingOptions(
        augmentation=job.cell.augmentation,
        seed=job.seed,
        balance=job.cell.balance or "natural",
        threads=job.profile.execution.threads,
        device=job.device,
    )
    entry = backbone_entry(job.cell, job.profile)
    return train_classifier(data.images, data.labels, recipe, BackboneSpec(entry.name, entry.weights), options)


def _told(classifiers: Sequence[Classifier]) -> dict[str, Any]:
    """Steps of one classifier, seconds of all, mean loss."""
    return {
        "steps": classifiers[0].steps,
        "train_seconds": sum(classifier.seconds for classifier in classifiers),
        "training_loss": float(np.mean([classifier.loss for classifier in classifiers])),
    }


def _keep(tables: dict[str, DataFrame], folder: Path) -> dict[str, Any]:
    """Write the predictions on every part, and score them."""
    folder.mkdir()
    scores: dict[str, Any] = {}
    for name, table in tables.items():
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
