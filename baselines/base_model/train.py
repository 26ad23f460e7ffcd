"""Make the embedded base pipeline from a folder of images.

    fulora-bench export phantom-pretraining --out DIR
    python -m baselines.base_model.train --images DIR --out baselines/base_model/pipeline

Training stops when a budget is spent, saves every two minutes and goes on from there when started
again with the same `--work`. The losses are in `losses.jsonl` there.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import torch

from baselines.base_model import workers
from baselines.base_model.autoencoder import encode_all, train_autoencoder, whiten_latents
from baselines.base_model.decoder import refine_decoder
from baselines.base_model.denoiser import Latents, train_denoiser
from baselines.base_model.export import export_pipeline, write_pretraining, write_record
from baselines.base_model.images import ImageSet, load_folder
from baselines.base_model.progress import Budget
from baselines.base_model.tokenizer import build_tokenizer
from benchmark.classes import PROMPTS
from benchmark.errors import BenchError


def train(arguments: argparse.Namespace) -> None:
    """The three stages and the export, each going on from its checkpoint."""
    work, out = arguments.work, arguments.out
    images = load_folder(arguments.images, work)
    seed = arguments.seed
    vae, first = train_autoencoder(images, work, _budget(arguments, "vae"), seed)
    latents = _latents(vae, images, work / f"latents-{first.step}.pt")
    tokenizer = build_tokenizer(PROMPTS.values())
    unet, text, second = train_denoiser(latents, tokenizer, work, _budget(arguments, "unet"), seed)
    third = refine_decoder(vae, latents, images, work, (_budget(arguments, "decoder"), seed))
    if workers.rank() != 0:
        return
    modules = {"vae": vae, "unet": unet, "text_encoder": text, "tokenizer": tokenizer}
    weights = export_pipeline(modules, out)
    data = {"images": len(images.pixels), "pixels_sha256": images.sha256, "seed": seed}
    write_record(out.parent / "training.json", data, [first, second, third], weights)
    write_pretraining(out.parent / "training.json", out, f"{workers.count()} processor cores, no GPU")


def _budget(arguments: argparse.Namespace, stage: str) -> Budget:
    """Steps if they are given, else minutes."""
    steps = getattr(arguments, f"{stage}_steps")
    return Budget(steps) if steps is not None else Budget(None, getattr(arguments, f"{stage}_minutes"))


def _latents(vae: Any, images: ImageSet, stored: Path) -> Latents:
    """Whiten the latents of the trained autoencoder (in place) and encode every image once."""
    if workers.rank() == 0 and not stored.exists():
        mean, std = encode_all(vae, images)
        moments = {
            "center": mean.mean((0, 2, 3)),
            "spread": (mean.var((0, 2, 3)) + std.square().mean((0, 2, 3))).sqrt(),
        }
        spread = moments["spread"].view(1, -1, 1, 1)
        mean, std = (mean - moments["center"].view(1, -1, 1, 1)) / spread, std / spread
        partial = stored.with_suffix(".partial")
        torch.save({**moments, "mean": mean, "std": std}, partial)
        partial.replace(stored)
    workers.agree(0.0)  # the others wait for the file
    kept = torch.load(stored, weights_only=True)
    whiten_latents(vae, kept["center"], kept["spread"])
    return Latents(kept["mean"], kept["std"], torch.from_numpy(images.labels))


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="baselines.base_model.train", description=__doc__)
    parser.add_argument("--images", type=Path, required=True, help="folder with <class>/*.png, 64 x 64 grey")
    parser.add_argument("--out", type=Path, required=True, help="pipeline folder to write")
    parser.add_argument("--work", type=Path, default=Path(".work/base"), help="checkpoints and loss log")
    parser.add_argument("--vae-minutes", type=float, default=18, help="budget of the autoencoder")
    parser.add_argument("--vae-steps", type=int, help="the same in steps of 24 images")
    parser.add_argument("--unet-minutes", type=float, default=60, help="budget of UNet and text encoder")
    parser.add_argument("--unet-steps", type=int, help="the same in steps of 64 images")
    parser.add_argument("--decoder-minutes", type=float, default=10, help="budget of the decoder alone")
    parser.add_argument("--decoder-steps", type=int, help="the same in steps of 24 images")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2, help="processes of one thread each")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    arguments = _arguments(argv)
    try:
        arguments.work.mkdir(parents=True, exist_ok=True)
        load_folder(arguments.images, arguments.work)
        workers.run_workers(train, arguments)
    except BenchError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
