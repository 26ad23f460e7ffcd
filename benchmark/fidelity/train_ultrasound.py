"""Train the ultrasound encoder on a folder of exported images: `python -m benchmark.fidelity.train_ultrasound`."""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

from benchmark.errors import BenchError, UsageError
from benchmark.fidelity.images import folder_labels, read_folder
from benchmark.fidelity.ultrasound import INPUT_SIZE, VERSION, UltrasoundEncoder
from benchmark.fidelity.ultrasound_tasks import Heads, degrade

REPORT_EVERY = 200
CHECKED_SHARE = 12


@dataclass(frozen=True)
class Settings:
    """Training settings; the defaults made the shipped weights."""

    steps: int = 1000
    batch_size: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    seed: int = 0


@dataclass(frozen=True)
class Data:
    """Images as float (n, 1, 64, 64) in [0, 1] and labels as int64 (n,)."""

    images: torch.Tensor
    labels: torch.Tensor

    def __len__(self) -> int:
        return len(self.labels)


def read_data(folder: Path) -> tuple[Data, list[str]]:
    """The images of `<label>/*.png` and the names of the labels, in alphabetical order."""
    labels = folder_labels(folder)
    if labels is None:
        raise UsageError(
            f"{folder} must hold <label>/<image>.png; write one with: fulora-bench export COHORT --out DIR"
        )
    names = sorted(set(labels))
    pixels: NDArray[np.uint8] = read_folder(folder, size=INPUT_SIZE)
    images = torch.from_numpy(pixels).unsqueeze(1).float() / 255
    return Data(images, torch.tensor([names.index(label) for label in labels])), names


def train(data: Data, classes: int, settings: Settings) -> tuple[UltrasoundEncoder, list[dict[str, float]]]:
    """Train on all but a twelfth of the images, kept to check; returns the encoder and its history."""
    torch.manual_seed(settings.seed)
    generator = torch.Generator().manual_seed(settings.seed)
    order = torch.randperm(len(data), generator=generator)
    kept = len(data) // CHECKED_SHARE
    check, rest = order[:kept], order[kept:]
    if kept < 1 or len(rest) < settings.batch_size:
        raise UsageError(f"{len(data)} images are too few for batches of {settings.batch_size}; export more.")
    encoder, heads = UltrasoundEncoder(), Heads(classes)
    encoder.to(memory_format=torch.channels_last)
    parameters = [*encoder.parameters(), *heads.parameters()]
    optimiser = torch.optim.AdamW(parameters, settings.learning_rate, weight_decay=settings.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.learning_rate, total_steps=settings.steps, pct_start=0.1
    )
    history = []
    for step in range(1, settings.steps + 1):
        chosen = rest[torch.randint(len(rest), (settings.batch_size,), generator=generator)]
        exercise = degrade(data.images[chosen], generator)
        with torch.autocast("cpu", torch.bfloat16):
            features = encoder.raw_features(exercise.images)
        losses = heads.losses(features.float(), exercise, data.labels[chosen])
        optimiser.zero_grad(set_to_none=True)
        torch.stack(list(losses.values())).sum().backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        schedule.step()
        if step % REPORT_EVERY == 0 or step == settings.steps:
            history.append({"step": step, **checked(encoder, heads, Data(data.images[check], data.labels[check]))})
            print(json.dumps(history[-1]), file=sys.stderr, flush=True)
    standardise(encoder, data.images[rest])
    return encoder, history


def checked(encoder: UltrasoundEncoder, heads: Heads, data: Data) -> dict[str, float]:
    """On images kept aside: accuracy of planes, mean absolute error of each amount, error of the small picture."""
    encoder.eval()
    heads.eval()
    with torch.no_grad():
        exercise = degrade(data.images, torch.Generator().manual_seed(1))
        x = heads.normalise(encoder.raw_features(exercise.images))
        error = (heads.amounts(x) - exercise.amounts).abs().mean(0)
        found = {"plane_accuracy": float((heads.plane(x).argmax(1) == data.labels).float().mean())}
        for i, name in enumerate(("angle", "zoom", "gamma", "blur", "noise")):
            found[f"{name}_error"] = float(error[i])
        found["picture_error"] = float((heads.picture(x) - exercise.pictures).square().mean().sqrt())
    encoder.train()
    heads.train()
    return {name: round(value, 4) for name, value in found.items()}


def standardise(encoder: UltrasoundEncoder, images: torch.Tensor) -> None:
    """Store mean and spread of the features of clean images; ends in evaluation mode."""
    encoder.eval()
    with torch.no_grad():
        features = torch.cat([encoder.raw_features(part) for part in images.split(256)])
    encoder.feature_mean.copy_(features.mean(0))
    spread = features.std(0)
    # A feature that hardly moves on clean images would otherwise drown all others once it moves.
    encoder.feature_spread.copy_(spread.clamp_min(0.1 * float(spread.median())))


def main(arguments: list[str] | None = None) -> int:
    """Command line; exit code 2 for input that cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m benchmark.fidelity.train_ultrasound", description=__doc__)
    parser.add_argument("--images", type=Path, required=True, help="folder with <label>/<image>.png")
    parser.add_argument("--out", type=Path, required=True, help="safetensors file to write")
    parser.add_argument("--steps", type=int, default=Settings.steps, help="optimiser steps (default %(default)s)")
    parser.add_argument("--seed", type=int, default=Settings.seed, help="seed (default %(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="torch threads (default %(default)s)")
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    settings = Settings(steps=given.steps, seed=given.seed)
    try:
        data, names = read_data(given.images)
        begun = time.monotonic()
        encoder, history = train(data, len(names), settings)
    except BenchError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    seconds = time.monotonic() - begun
    facts = {"version": VERSION, "labels": names, "images": len(data), **asdict(settings), **history[-1]}
    given.out.parent.mkdir(parents=True, exist_ok=True)
    tensors = {key: value.contiguous() for key, value in encoder.state_dict().items()}
    save_file(tensors, given.out, {"training": json.dumps(facts, sort_keys=True)})
    print(json.dumps({**facts, "seconds": round(seconds)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
