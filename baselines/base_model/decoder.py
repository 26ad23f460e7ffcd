"""Refinement of the decoder alone: sharper speckle from the same latents.

The encoder is frozen, so the latents that the denoiser learned stay what they are.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from baselines.base_model import workers
from baselines.base_model.autoencoder import CRITIC_RATE, PatchCritic, improve, to_rgb
from baselines.base_model.denoiser import Latents
from baselines.base_model.images import ImageSet
from baselines.base_model.progress import Average, Budget, Stage, rate_shape

BATCH = 24  # over all workers
RATE = 5e-4
WOBBLE = 0.1  # deviation of noise on the latents (theirs is 1): the denoiser's own are never exact


def refine_decoder(model: Any, latents: Latents, images: ImageSet, work: Path, plan: tuple[Budget, int]) -> Stage:
    """Train decoder and `post_quant_conv` of `model` in place on cached latents; `plan` is budget and seed."""
    budget, seed = plan
    torch.manual_seed(seed)
    critic = PatchCritic()
    trained = torch.nn.ModuleList([model.post_quant_conv, model.decoder])
    optimiser = torch.optim.AdamW(trained.parameters(), lr=RATE, betas=(0.9, 0.99), weight_decay=1e-4)
    rival = torch.optim.AdamW(critic.parameters(), lr=CRITIC_RATE, betas=(0.5, 0.99), weight_decay=1e-4)
    model.requires_grad_(False)
    trained.requires_grad_(True)
    average = Average([trained], decay=0.99)
    generator = torch.Generator().manual_seed(seed + 1_000_003 * workers.rank())
    parts = {"model": model, "critic": critic, "optimiser": optimiser, "rival": rival}
    stage = Stage("decoder", work, budget, parts, average, generator)
    stage.resume()
    while stage.spent < 1:
        index = torch.randint(len(latents.labels), (BATCH // workers.count(),), generator=generator)
        latent = latents.draw(index, generator)
        latent = latent + WOBBLE * torch.randn(latent.shape, generator=generator)
        for group, rate in ((optimiser, RATE), (rival, CRITIC_RATE)):
            for settings in group.param_groups:
                settings["lr"] = rate * rate_shape(stage.spent, stage.step, warmup=50, decay_from=0.5)
        with torch.autocast("cpu", torch.bfloat16):
            made = model.decode(latent).sample
        real = to_rgb(images.pixels[index.numpy()])
        stage.advance(len(index), improve(stage, (made.float(), real), 0.0, stage.step > 50))
        average.update(stage.step)
    stage.save()
    average.store_into_modules()
    model.eval()
    return stage
