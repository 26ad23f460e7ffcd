"""Train one classifier on one mix, and predict with it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmark.errors import BenchError
from benchmark.keys import named_seed
from benchmark.utility.augmentation import augment
from benchmark.utility.backbones import BackboneSpec, create_backbone
from benchmark.utility.balance import batches, check_balance, class_weights
from benchmark.utility.recipe import Recipe, check_augmentation

_PREDICTION_BATCH = 128


@dataclass(frozen=True)
class TrainingOptions:
    """What varies between trainings of one recipe.

    Attributes:
        seed: of initial weights, order and augmentation. Equal seeds give equal initial weights and augmentations on
            every mix; the order depends on the number of images besides.
        threads: torch threads while training and predicting; equal results need equal threads.
        balance: how batches or the loss are balanced over classes: a name of `balance.BALANCES`. A subset is chosen
            before training (`balance.balanced_subset`), so here it is as `natural`.
        device: `cpu` or `cuda`.
        offline: never fetch pretrained weights.
        progress: called with (steps done, steps in all) after every step.
    """

    augmentation: str
    seed: int
    balance: str = "natural"
    threads: int = 1
    device: str = "cpu"
    offline: bool = True
    progress: Callable[[int, int], None] | None = None


@dataclass(frozen=True)
class Classifier:
    """A trained network and how to feed it. `seconds` is the time of training, `loss` the mean of the last tenth."""

    network: nn.Module
    recipe: Recipe
    device: str
    threads: int
    n_classes: int
    steps: int
    seconds: float
    loss: float


def train_classifier(
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    recipe: Recipe,
    spec: BackboneSpec,
    options: TrainingOptions,
) -> Classifier:
    """Train a backbone on all images for exactly `recipe.steps` optimiser steps; the last step is used.

    Each epoch visits every image once, in an order drawn from the seed; a batch may reach into the next epoch. With
    `balance` sampling every class is drawn equally often instead; with loss the cross-entropy is weighted.
    Equal arguments on one machine with equal threads give equal networks.

    Args:
        images: (n, s, s) grey, held in memory.
        labels: (n,) positions in the classes of `spec`.
        recipe: the training recipe.
        spec: backbone and initial weights.
        options: augmentation, seed, threads, device.

    Raises:
        BenchError: no images, labels out of range, an unknown name, absent weights, or a loss that is not finite.
    """
    _check(images, labels, spec.n_classes)
    check_augmentation(options.augmentation)
    check_balance(options.balance)
    with _reproducible(options.threads, named_seed("weights", options.seed)):
        network = create_backbone(spec, recipe.image_size or images.shape[1], options.offline)
        network = network.to(options.device, memory_format=torch.channels_last).train()
        pixels = torch.from_numpy(np.ascontiguousarray(images)).unsqueeze(1).to(options.device)
        targets = torch.from_numpy(np.asarray(labels, dtype=np.int64)).to(options.device)
        started = time.monotonic()
        losses = _run_steps(network, (pixels, targets), recipe, options, _loss_weights(labels, spec, options))
    return Classifier(
        network=network.eval(),
        recipe=recipe,
        device=options.device,
        threads=options.threads,
        n_classes=spec.n_classes,
        steps=recipe.steps,
        seconds=time.monotonic() - started,
        loss=float(np.mean(losses[-max(1, recipe.steps // 10) :])),
    )


def resolve_precision(recipe: Recipe, device: str) -> str:
    """`fp32` or `bf16`: what `auto` means on this device. Emulated bf16 would be slower than fp32."""
    if recipe.precision != "auto":
        return recipe.precision
    if device.startswith("cuda"):
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return "bf16" if native else "fp32"


def predict(classifier: Classifier, images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Class probabilities (m, n_classes) of (m, s, s) grey images: softmax in float64 of fp32 logits."""
    if images.ndim != 3 or images.dtype != np.uint8:
        raise BenchError(f"images must be (m, s, s) uint8, not {images.shape} {images.dtype}")
    rows = [np.empty((0, classifier.n_classes))]
    with _reproducible(classifier.threads, 0), torch.inference_mode():
        for start in range(0, len(images), _PREDICTION_BATCH):
            part = np.ascontiguousarray(images[start : start + _PREDICTION_BATCH])
            batch = _prepare(torch.from_numpy(part).unsqueeze(1).to(classifier.device), classifier.recipe)
            logits = classifier.network(_normalise(batch, classifier.recipe))
            rows.append(torch.softmax(logits.double(), dim=1).cpu().numpy())
    return np.concatenate(rows)


def _loss_weights(labels: NDArray[np.int64], spec: BackboneSpec, options: TrainingOptions) -> Tensor | None:
    if options.balance != "loss":
        return None
    return torch.from_numpy(class_weights(labels, spec.n_classes)).to(options.device)


def _run_steps(
    network: nn.Module,
    data: tuple[Tensor, Tensor],
    recipe: Recipe,
    options: TrainingOptions,
    weights: Tensor | None,
) -> list[float]:
    pixels, targets = data
    optimizer = _optimizer(network, recipe)
    order = batches(targets.cpu().numpy(), options.balance, recipe.batch, options.seed)
    generator = torch.Generator().manual_seed(named_seed("augmentation", options.seed))
    half = resolve_precision(recipe, options.device) == "bf16"
    losses: list[float] = []
    for step in range(recipe.steps):
        chosen = next(order).to(pixels.device)
        batch = augment(_prepare(pixels[chosen], recipe), options.augmentation, generator)
        rate = recipe.learning_rate * _rate(step, recipe)
        for group in optimizer.param_groups:
            group["lr"] = rate
        with torch.autocast(pixels.device.type, torch.bfloat16, enabled=half):
            logits = network(_normalise(batch, recipe))
        loss = F.cross_entropy(logits.float(), targets[chosen], weight=weights, label_smoothing=recipe.label_smoothing)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
        if not math.isfinite(losses[-1]):
            raise BenchError(
                f"training diverged at step {step + 1}: the loss is {losses[-1]}. Lower the learning rate."
            )
        if options.progress is not None:
            options.progress(step + 1, recipe.steps)
    return losses


def _check(images: NDArray[np.uint8], labels: NDArray[np.int64], n_classes: int) -> None:
    if images.ndim != 3 or images.dtype != np.uint8 or images.shape[1] != images.shape[2]:
        raise BenchError(f"images must be (n, s, s) uint8, not {images.shape} {images.dtype}")
    if len(images) == 0 or labels.shape != (len(images),):
        raise BenchError(f"{len(images)} training images have {len(labels)} labels; both must be equal and above 0")
    if labels.min() < 0 or labels.max() >= n_classes:
        raise BenchError(f"labels must lie in 0 to {n_classes - 1}, found {labels.min()} to {labels.max()}")


def _prepare(pixels: Tensor, recipe: Recipe) -> Tensor:
    """uint8 (n, 1, h, w) -> float in [0, 1] at the recipe's size."""
    batch = pixels.float() / 255
    size = recipe.image_size
    if size is None or batch.shape[-1] == size:
        return batch
    return F.interpolate(batch, size=(size, size), mode="bilinear", align_corners=False, antialias=True)


def _normalise(batch: Tensor, recipe: Recipe) -> Tensor:
    if recipe.normalise == "centred":
        batch = (batch - 0.5) / 0.25
    return batch.contiguous(memory_format=torch.channels_last)


def _optimizer(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    parameters = list(network.parameters())
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(
            parameters, lr=recipe.learning_rate, momentum=recipe.momentum, weight_decay=recipe.weight_decay
        )
    return torch.optim.AdamW(parameters, lr=recipe.learning_rate, weight_decay=recipe.weight_decay)


def _rate(step: int, recipe: Recipe) -> float:
    if step < recipe.warmup_steps:
        return (step + 1) / recipe.warmup_steps
    if recipe.schedule == "constant":
        return 1.0
    done = (step - recipe.warmup_steps) / max(1, recipe.steps - recipe.warmup_steps)
    return 0.5 * (1 + math.cos(math.pi * done))


@contextmanager
def _reproducible(threads: int, seed: int) -> Iterator[None]:
    """Own random state, number of threads and deterministic convolutions inside; the caller's come back after."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        # cudnn.flags turns cuDNN off unless `enabled` is given.
        cudnn = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True)
        with torch.random.fork_rng(), cudnn:
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(before)
