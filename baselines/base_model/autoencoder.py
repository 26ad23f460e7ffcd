"""Training of the autoencoder: structure from L1 at three scales, speckle from texture and a critic."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from baselines.base_model import workers
from baselines.base_model.architecture import build_autoencoder
from baselines.base_model.images import ImageSet
from baselines.base_model.progress import Average, Budget, Stage, rate_shape

BATCH = 24  # over all workers
RATE = 8e-4
CRITIC_RATE = 1.2e-3
KL_WEIGHT = 2e-3
CRITIC_FROM = 0.45  # part of the budget after which the critic joins


def to_rgb(pixels: np.ndarray) -> torch.Tensor:
    """Grey uint8 (n, h, w) to three equal channels (n, 3, h, w) float32 in [-1, 1]."""
    grey = torch.from_numpy(pixels).float().div_(127.5).sub_(1).unsqueeze(1)
    return grey.expand(-1, 3, -1, -1).contiguous()


def texture(grey: torch.Tensor) -> torch.Tensor:
    """Local strength of what a 3 x 3 mean removes, in 4 x 4 cells: (n, 1, h, w) to (n, 1, h/4, w/4).

    Matching it keeps speckle that L1 alone would blur away, without asking for its exact grains.
    """
    fine = grey - F.avg_pool2d(grey, 3, stride=1, padding=1, count_include_pad=False)
    return (F.avg_pool2d(fine.square(), 4) + 1e-5).sqrt()


def structure_loss(made: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    """L1 of the images and of their 2 x and 4 x means, plus texture at two scales."""
    loss = 0.5 * (made - real).abs().mean()
    grey_made, grey_real = made.mean(1, keepdim=True), real.mean(1, keepdim=True)
    loss = loss + 2.0 * (texture(grey_made) - texture(grey_real)).abs().mean()
    for factor in (2, 4):
        small_made, small_real = F.avg_pool2d(grey_made, factor), F.avg_pool2d(grey_real, factor)
        loss = loss + (small_made - small_real).abs().mean()
        if factor == 2:
            loss = loss + (texture(small_made) - texture(small_real)).abs().mean()
    return loss


class PatchCritic(nn.Module):
    """Judges 16 x 16 overlapping patches of a grey image; returns scores and features."""

    def __init__(self) -> None:
        super().__init__()
        plan = ((1, 32, 4, 2), (32, 64, 4, 2), (64, 96, 3, 1))
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Conv2d(i, o, kernel, stride, padding=1), nn.GroupNorm(8, o), nn.LeakyReLU(0.2))
            for i, o, kernel, stride in plan
        )
        self.score = nn.Conv2d(96, 1, 3, padding=1)

    def forward(self, grey: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Scores (n, 1, 16, 16) of (n, 1, 64, 64), and the features of each layer."""
        features = []
        for layer in self.layers:
            grey = layer(grey)
            features.append(grey)
        return self.score(grey), features


def train_autoencoder(images: ImageSet, work: Path, budget: Budget, seed: int) -> tuple[Any, Stage]:
    """Train (or go on training) the autoencoder; returns it with averaged weights, and the stage.

    Loss: structure + 2e-3 KL, and from 45 % of the budget a hinge patch critic with feature matching,
    weighted by the gradients at the last layer (Esser et al. 2021, arXiv 2012.09841).
    """
    torch.manual_seed(seed)
    model, critic = build_autoencoder(), PatchCritic()
    optimiser = torch.optim.AdamW(model.parameters(), lr=RATE, betas=(0.9, 0.99), weight_decay=1e-4)
    rival = torch.optim.AdamW(critic.parameters(), lr=CRITIC_RATE, betas=(0.5, 0.99), weight_decay=1e-4)
    average = Average([model], decay=0.99)
    generator = torch.Generator().manual_seed(seed + 1_000_003 * workers.rank())
    parts = {"model": model, "critic": critic, "optimiser": optimiser, "rival": rival}
    stage = Stage("autoencoder", work, budget, parts, average, generator)
    stage.resume()
    while stage.spent < 1:
        batch = torch.randint(len(images.pixels), (BATCH // workers.count(),), generator=generator).numpy()
        real = to_rgb(images.pixels[batch])
        if torch.rand((), generator=generator) < 0.5:
            real = real.flip(3)
        for group, rate in ((optimiser, RATE), (rival, CRITIC_RATE)):
            for settings in group.param_groups:
                settings["lr"] = rate * rate_shape(stage.spent, stage.step)
        stage.advance(len(batch), _step(stage, real, generator))
        average.update(stage.step)
    stage.save()
    average.store_into_modules()
    return model.eval(), stage


def _step(stage: Stage, real: torch.Tensor, generator: torch.Generator) -> dict[str, torch.Tensor]:
    model = stage.parts["model"]
    with torch.autocast("cpu", torch.bfloat16):
        posterior = model.encode(real).latent_dist
        noise = torch.randn(posterior.mean.shape, generator=generator)
        made = model.decode(posterior.mean + posterior.std * noise).sample
    kl = (posterior.mean.square() + posterior.var - 1 - posterior.logvar).float().mean() / 2
    losses = improve(stage, (made.float(), real), KL_WEIGHT * kl, stage.spent >= CRITIC_FROM)
    return losses | {"kl": kl.detach()}


def improve(
    stage: Stage, pair: tuple[torch.Tensor, torch.Tensor], also: torch.Tensor | float, critical: bool
) -> dict[str, torch.Tensor]:
    """One optimiser step that brings `made` nearer to `real`, and one of the critic if it is `critical`.

    `pair` is (made, real), each (n, 3, 64, 64); `also` is added to the loss. Returns the losses.
    """
    made, real = pair
    model, critic, optimiser, rival = (stage.parts[k] for k in ("model", "critic", "optimiser", "rival"))
    structure = structure_loss(made, real)
    losses = {"structure": structure.detach()}
    loss = structure + also
    if critical:
        fooling, matching = _against(critic, made, real)
        last = model.decoder.conv_out.weight
        pull = torch.autograd.grad(structure, last, retain_graph=True)[0].norm()
        push = torch.autograd.grad(fooling, last, retain_graph=True)[0].norm()
        weight = (0.25 * pull / (push + 1e-6)).clamp(0, 10).detach()
        loss = loss + weight * fooling + 0.5 * matching
        losses |= {"fooling": fooling.detach(), "matching": matching.detach()}
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    workers.average_gradients(model.parameters())
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimiser.step()
    if critical:
        losses["critic"] = _train_critic(critic, rival, made.detach(), real)
    return losses


def _against(critic: PatchCritic, made: torch.Tensor, real: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """How far the critic sees the reconstruction as false, and how far its features are from the image's."""
    scores, features = critic(made.mean(1, keepdim=True))
    with torch.no_grad():
        _, wanted = critic(real[:, :1])
    matching = sum((f - w).abs().mean() / (w.abs().mean() + 1e-3) for f, w in zip(features, wanted, strict=True))
    return -scores.mean(), torch.as_tensor(matching) / len(features)


def _train_critic(
    critic: PatchCritic, rival: torch.optim.Optimizer, made: torch.Tensor, real: torch.Tensor
) -> torch.Tensor:
    false, _ = critic(made.mean(1, keepdim=True))
    true, _ = critic(real[:, :1])
    loss = F.relu(1 + false).mean() + F.relu(1 - true).mean()
    rival.zero_grad(set_to_none=True)
    loss.backward()
    workers.average_gradients(critic.parameters())
    rival.step()
    return loss.detach()


@torch.no_grad()
def encode_all(model: Any, images: ImageSet) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard deviation of the posterior of every image, each (n, 8, 8, 8) float32."""
    means, stds = [], []
    for start in range(0, len(images.pixels), 256):
        posterior = model.encode(to_rgb(images.pixels[start : start + 256])).latent_dist
        means.append(posterior.mean)
        stds.append(posterior.std)
    return torch.cat(means), torch.cat(stds)


@torch.no_grad()
def whiten_latents(model: Any, mean: torch.Tensor, std: torch.Tensor) -> None:
    """Fold the measured mean and deviation (8,) of each latent channel into the two 1 x 1 convolutions.

    Afterwards latents have mean 0 and deviation 1 per channel and reconstructions are unchanged, so
    that `scaling_factor` is 1: one number could not level channels of different strength.
    """
    channels = len(mean)
    out, back = model.quant_conv, model.post_quant_conv
    out.weight[:channels].div_(std.view(-1, 1, 1, 1))
    out.bias[:channels].sub_(mean).div_(std)
    out.bias[channels:].sub_(2 * std.log())
    back.bias.add_(back.weight.flatten(1) @ mean)
    back.weight.mul_(std.view(1, -1, 1, 1))
