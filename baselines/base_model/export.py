"""From trained modules to a `StableDiffusionPipeline` folder in half precision, with a training record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from diffusers import StableDiffusionPipeline

from baselines.base_model.architecture import sampling_scheduler
from baselines.base_model.progress import Stage
from benchmark.errors import BenchError
from benchmark.keys import file_sha256

LIMIT_BYTES = 16 * 1024 * 1024


def export_pipeline(modules: dict[str, Any], folder: Path) -> dict[str, str]:
    """Write autoencoder, UNet, text encoder and tokenizer as one fp16 pipeline; SHA-256 by weights file.

    Raises BenchError if the folder is larger than 16 MiB.
    """
    pipeline = StableDiffusionPipeline(
        vae=modules["vae"],
        unet=modules["unet"],
        text_encoder=modules["text_encoder"],
        tokenizer=modules["tokenizer"],
        scheduler=sampling_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.to(torch.float16).save_pretrained(folder, safe_serialization=True)
    # Kept beside tokenizer.json for tools that read CLIP's older two files.
    modules["tokenizer"].backend_tokenizer.model.save(str(folder / "tokenizer"))
    for part in ("vae", "unet", "text_encoder"):
        _forget_paths(folder / part / "config.json")
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    if size > LIMIT_BYTES:
        raise BenchError(f"{folder} takes {size} bytes, more than {LIMIT_BYTES}: make the UNet narrower")
    return {path.relative_to(folder).as_posix(): file_sha256(path) for path in sorted(folder.rglob("*.safetensors"))}


def _forget_paths(config: Path) -> None:
    """Leave out of a saved configuration where on this machine it was loaded from."""
    values = json.loads(config.read_text())
    values.pop("_name_or_path", None)
    config.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n")


def write_record(path: Path, data: dict[str, Any], stages: list[Stage], weights: dict[str, str]) -> None:
    """The training record beside the card: data, steps, images, seconds and losses per stage, hashes."""
    record = {
        "data": data,
        "stages": {
            stage.name: {
                "steps": stage.step,
                "images_seen": stage.images,
                "seconds": round(stage.seconds),
                "losses": {name: round(value, 4) for name, value in stage.losses.items()},
            }
            for stage in stages
        },
        "versions": {m.__name__: m.__version__.split("+")[0] for m in (torch, diffusers, transformers)},
        "weights_sha256": weights,
    }
    path.write_text(json.dumps(record, indent=2) + "\n")


def write_pretraining(record: Path, pipeline: Path, hardware: str) -> None:
    """What the making of a pipeline cost, for the leaderboard: `pretraining.json` beside `model_index.json`.

    `seconds` are wall-clock seconds on `hardware`, `images` the different images, `images_seen` those of all steps.
    """
    told = json.loads(record.read_text())
    cost = {
        "images": told["data"]["images"],
        "images_seen": sum(stage["images_seen"] for stage in told["stages"].values()),
        "seconds": sum(stage["seconds"] for stage in told["stages"].values()),
        "hardware": hardware,
        "source": "phantom-pretraining, draw 0",
    }
    (pipeline / "pretraining.json").write_text(json.dumps(cost, indent=2) + "\n")
