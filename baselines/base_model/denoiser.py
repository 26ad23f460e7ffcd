"""Joint training of the UNet and the text encoder on latents that are encoded once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers.models.attention_processor import AttnProcessor
from torch import nn
from torch.nn import functional as F

from baselines.base_model import workers
from baselines.base_model.architecture import build_text_encoder, build_unet, training_scheduler
from baselines.base_model.progress import Average, Budget, Stage, rate_shape
from baselines.base_model.tokenizer import MAX_LENGTH
from benchmark.classes import CLASSES, PROMPTS

BATCH = 64  # over all workers
RATE = 5e-4
DROPOUT = 0.1  # captions replaced by the empty one, for classifier-free guidance


@dataclass(frozen=True)
class Latents:
    """Posterior mean and deviation of every image, each (n, 8, 8, 8), and class numbers (n,)."""

    mean: torch.Tensor
    std: torch.Tensor
    labels: torch.Tensor

    def draw(self, index: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """A sample of the posterior of the images `index`."""
        mean = self.mean[index]
        return mean + self.std[index] * torch.randn(mean.shape, generator=generator)


def token_ids(tokenizer: Any, texts: list[str]) -> torch.Tensor:
    """Token ids (n, 16) as StableDiffusionPipeline makes them."""
    batch = tokenizer(texts, padding="max_length", max_length=MAX_LENGTH, truncation=True, return_tensors="pt")
    return batch.input_ids


def train_denoiser(latents: Latents, tokenizer: Any, work: Path, budget: Budget, seed: int) -> tuple[Any, Any, Stage]:
    """Train (or go on training) UNet and text encoder; returns both with averaged weights, and the stage.

    v-prediction loss, uniform time steps, one of ten captions empty.
    """
    torch.manual_seed(seed)
    unet, text = build_unet(), build_text_encoder(tokenizer)
    # Plain attention: on CPUs the backward pass of fused attention takes a third of the step (measured).
    unet.set_attn_processor(AttnProcessor())
    weights = [*unet.parameters(), *text.parameters()]
    optimiser = torch.optim.AdamW(weights, lr=RATE, betas=(0.9, 0.99), weight_decay=1e-2)
    average = Average([unet, text], decay=0.999)
    generator = torch.Generator().manual_seed(seed + 1_000_003 * workers.rank())
    parts = {"unet": unet, "text": text, "optimiser": optimiser}
    stage = Stage("denoiser", work, budget, parts, average, generator)
    stage.resume()
    ids = token_ids(tokenizer, [*(PROMPTS[label] for label in CLASSES), ""])
    scheduler = training_scheduler()
    while stage.spent < 1:
        for settings in optimiser.param_groups:
            settings["lr"] = RATE * rate_shape(stage.spent, stage.step, warmup=300)
        index = torch.randint(len(latents.labels), (BATCH // workers.count(),), generator=generator)
        loss = _loss(stage, scheduler, latents.draw(index, generator), (ids, latents.labels[index]))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        workers.average_gradients(weights)
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        stage.advance(len(index), {"v": loss.detach()})
        average.update(stage.step)
    stage.save()
    average.store_into_modules()
    return unet.eval(), text.eval(), stage


def _loss(
    stage: Stage, scheduler: Any, latents: torch.Tensor, captions: tuple[torch.Tensor, torch.Tensor]
) -> torch.Tensor:
    ids, labels = captions
    draw = {"generator": stage.generator}
    noise = torch.randn(latents.shape, **draw)
    times = torch.randint(scheduler.config.num_train_timesteps, (len(latents),), **draw)
    empty = torch.rand(len(latents), **draw) < DROPOUT
    captions_of = torch.where(empty, torch.full_like(labels, len(ids) - 1), labels)
    wanted = scheduler.get_velocity(latents, noise, times)
    with torch.autocast("cpu", torch.bfloat16):
        # The six distinct captions are encoded once and dealt out.
        hidden = stage.parts["text"](ids).last_hidden_state[captions_of]
        made = stage.parts["unet"](scheduler.add_noise(latents, noise, times), times, hidden).sample
    return F.mse_loss(made.float(), wanted)
