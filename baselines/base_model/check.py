"""Is the pipeline good enough? A judge trained on real images names the samples; a grid is for the eye.

python -m baselines.base_model.check --images DIR --pipeline baselines/base_model/pipeline --out DIR
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from diffusers import StableDiffusionPipeline
from PIL import Image
from torch.nn import functional as F

from baselines.base_model.images import ImageSet, load_folder
from benchmark.classes import CLASSES, PROMPTS
from benchmark.errors import BenchError
from benchmark.keys import file_sha256


@dataclass(frozen=True)
class Sampling:
    """How images are drawn from the pipeline."""

    steps: int = 12
    guidance: float = 1.75
    per_class: int = 100
    seed: int = 0


def sample(pipeline: Any, label: str, sampling: Sampling) -> np.ndarray:
    """Grey uint8 images (n, 64, 64) of one class."""
    generator = torch.Generator().manual_seed(sampling.seed * len(CLASSES) + CLASSES.index(label))
    with torch.autocast("cpu", torch.bfloat16):
        made = pipeline(
            [PROMPTS[label]] * sampling.per_class,
            num_inference_steps=sampling.steps,
            guidance_scale=sampling.guidance,
            generator=generator,
            output_type="np",
        ).images
    return np.rint(made.mean(-1) * 255).astype(np.uint8)


def load_pipeline(folder: Path) -> Any:
    """The pipeline in float32 on the CPU, without its progress bar."""
    pipeline = StableDiffusionPipeline.from_pretrained(
        folder, torch_dtype=torch.float32, safety_checker=None, local_files_only=True
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _scaled(pixels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pixels).float().div_(127.5).sub_(1).unsqueeze(1)


def train_judge(images: ImageSet, stored: Path, steps: int = 350) -> tuple[Any, float]:
    """A ResNet-10-T from scratch on 29 of 30 images; returns it with its accuracy on the rest.

    Kept in `stored` and used again while the images are the same.
    """
    held = np.arange(len(images.labels)) % 30 == 0
    judge = timm.create_model("resnet10t", in_chans=1, num_classes=len(CLASSES))
    if stored.exists():
        state = torch.load(stored, weights_only=True)
        if state["images"] == images.sha256:
            judge.load_state_dict(state["judge"])
            return judge.eval(), state["accuracy"]
    torch.manual_seed(0)
    pool = torch.from_numpy(np.flatnonzero(~held))
    optimiser = torch.optim.AdamW(judge.parameters(), lr=2e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=steps)
    labels = torch.from_numpy(images.labels)
    for _ in range(steps):
        batch = pool[torch.randint(len(pool), (64,))]
        loss = F.cross_entropy(judge(_scaled(images.pixels[batch.numpy()])), labels[batch])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    judge.eval()
    named = recognise(judge, images.pixels[held]).argmax(1)
    accuracy = float((named == images.labels[held]).mean())
    stored.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"judge": judge.state_dict(), "accuracy": accuracy, "images": images.sha256}, stored)
    return judge, accuracy


@torch.no_grad()
def recognise(judge: Any, pixels: np.ndarray) -> np.ndarray:
    """Scores (n, 5) of grey uint8 images."""
    chunks = [judge(_scaled(pixels[start : start + 256])) for start in range(0, len(pixels), 256)]
    return torch.cat(chunks).numpy()


@torch.no_grad()
def kernel_distance(judge: Any, real: np.ndarray, made: np.ndarray) -> float:
    """KID (unbiased, cubic kernel) on the judge's pooled features: fidelity and diversity in one number."""
    a, b = (judge.forward_head(judge.forward_features(_scaled(x)), pre_logits=True) for x in (real, made))
    aa, bb, ab = ((x @ y.T / x.shape[1] + 1) ** 3 for x, y in ((a, a), (b, b), (a, b)))
    n, m = len(a), len(b)
    own = (aa.sum() - aa.trace()) / (n * (n - 1)) + (bb.sum() - bb.trace()) / (m * (m - 1))
    return float(own - 2 * ab.mean())


def check(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure recognition per class, kernel distance per class and speed; write grid and report."""
    images = load_folder(arguments.images, arguments.work)
    judge, accuracy = train_judge(images, arguments.work / "judge.pt")
    pipeline = load_pipeline(arguments.pipeline)
    sampling = Sampling(arguments.steps, arguments.guidance, arguments.per_class)
    report: dict[str, Any] = {"steps": sampling.steps, "guidance": sampling.guidance}
    report |= {"judge_accuracy": round(accuracy, 4), "recognised": {}, "kernel_distance": {}}
    rows, seconds = [], 0.0
    for number, label in enumerate(CLASSES):
        start = time.perf_counter()
        made = sample(pipeline, label, sampling)
        seconds += time.perf_counter() - start
        real = images.pixels[images.labels == number][: max(200, sampling.per_class)]
        hits = (recognise(judge, made).argmax(1) == number).mean()
        report["recognised"][label] = round(float(hits), 3)
        report["kernel_distance"][label] = round(kernel_distance(judge, real, made), 4)
        rows += [np.concatenate(list(made[:16]), axis=1)]
    report["recognised"]["all"] = round(float(np.mean(list(report["recognised"].values()))), 4)
    report["kernel_distance"]["mean"] = round(float(np.mean(list(report["kernel_distance"].values()))), 4)
    report["images_per_second"] = round(len(CLASSES) * sampling.per_class / seconds, 1)
    report["unet_sha256"] = file_sha256(arguments.pipeline / "unet" / "diffusion_pytorch_model.safetensors")
    arguments.out.mkdir(parents=True, exist_ok=True)
    name = f"steps{sampling.steps}-guidance{sampling.guidance:g}"
    Image.fromarray(np.concatenate(rows)).save(arguments.out / f"{name}.png")
    (arguments.out / f"{name}.json").write_text(json.dumps(report, indent=2) + "\n")
    return report


def main(argv: list[str] | None = None) -> int:
    """Command line; prints the report as JSON; returns the exit code."""
    parser = argparse.ArgumentParser(prog="baselines.base_model.check", description=__doc__)
    parser.add_argument("--images", type=Path, required=True, help="folder with <class>/*.png, 64 x 64 grey")
    parser.add_argument("--pipeline", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="where grid and report go")
    parser.add_argument("--work", type=Path, default=Path(".work/base"), help="where the judge is kept")
    parser.add_argument("--steps", type=int, default=Sampling.steps)
    parser.add_argument("--guidance", type=float, default=Sampling.guidance)
    parser.add_argument("--per-class", type=int, default=Sampling.per_class)
    arguments = parser.parse_args(argv)
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    try:
        print(json.dumps(check(arguments), indent=2))
    except BenchError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
