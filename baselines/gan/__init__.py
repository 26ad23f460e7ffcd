"""A class-conditional GAN for a few hundred images: what one did before diffusion, without any pre-training."""

from __future__ import annotations

import copy
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from baselines.gan.augment import diff_augment
from baselines.gan.networks import Discriminator, Generator, hinge_discriminator
from benchmark.contract import BadRequest, CannotRunHere, Context, MissingData, TrainingSet

_SAMPLE_BATCH = 100
_STANDING_BATCHES = 4


class GanParameters(BaseModel):
    """Parameters of the method.

    Attributes:
        steps: generator updates, the GAN's own budget: it starts from nothing, so the diffusion methods' is no measure.
        batch: real images per step, and as many synthetic ones.
        width: channels of the feature maps at 64 px.
        latent: length of the noise.
        generator_rate, discriminator_rate: learning rates of Adam.
        ema: decay of the averaged generator that samples.
        precision: `no` (float32) or `bf16` autocast.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: int = Field(ge=0)
    batch: int = Field(ge=2)
    width: int = Field(ge=1)
    latent: int = Field(ge=1)
    generator_rate: float = Field(gt=0)
    discriminator_rate: float = Field(gt=0)
    ema: float = Field(ge=0, lt=1)
    precision: Literal["no", "bf16"]


class Gan:
    """Hinge loss, projection discriminator, DiffAugment, averaged generator."""

    def __init__(self, context: Context) -> None:
        request = context.request
        size = request.image_size
        if size < 32 or size & (size - 1):
            raise BadRequest(f"gan makes images of 32, 64, 128, … px, not {size}.")
        if request.device == "cuda" and not torch.cuda.is_available():
            raise CannotRunHere("device cuda is asked for, and torch sees no accelerator here")
        self.parameters = context.parameters_as(GanParameters)
        self.device = torch.device(request.device)
        torch.manual_seed(context.seed("weights"))
        classes = len(request.classes)
        self.generator = Generator(size, classes, self.parameters.latent, self.parameters.width).to(self.device)
        self.discriminator = Discriminator(size, classes, self.parameters.width).to(self.device)
        self.average = copy.deepcopy(self.generator).requires_grad_(False)

    def fit(self, train: TrainingSet, context: Context) -> None:
        """Alternate discriminator and generator; the averaged generator is kept."""
        parameters = self.parameters
        context.trained_parameters = _count(self.generator) + _count(self.discriminator)
        if not len(train):
            raise MissingData("the request holds no training images: check the cohort's adaptation subset")
        images = (torch.from_numpy(train.images).float() / 127.5 - 1)[:, None].to(self.device)
        labels = torch.tensor([context.request.labels.index(label) for label in train.labels], device=self.device)
        of_generator = _adam(self.generator, parameters.generator_rate)
        of_discriminator = _adam(self.discriminator, parameters.discriminator_rate)
        for step in range(1, parameters.steps + 1):
            rows = torch.randint(len(images), (parameters.batch,))
            classes = labels[rows]
            with self._autocast():
                fake = self.generator(self._noise(len(rows)), classes)
            _step(of_discriminator, self._discriminator_loss(images[rows], fake.detach(), classes))
            _step(of_generator, self._generator_loss(fake, classes))
            self._follow(step)
            context.steps = step
            context.progress("fit", step, parameters.steps)
            context.check_deadline()
        self._stand(labels)

    def sample(self, label: str, n: int, context: Context) -> NDArray[np.uint8]:
        """n images of a class, uint8 of shape (n, size, size), each from the noise of its own recorded seed."""
        size, which = context.request.image_size, context.request.labels.index(label)
        seeds = context.image_seeds(label, n)
        done = [np.empty((0, size, size), dtype=np.uint8)]
        self.average.eval()
        for start in range(0, n, _SAMPLE_BATCH):
            batch = seeds[start : start + _SAMPLE_BATCH]
            noise = torch.stack([_noise_of(seed, self.parameters.latent) for seed in batch]).to(self.device)
            classes = torch.full((len(batch),), which, device=self.device)
            with torch.inference_mode():
                made = self.average(noise, classes)
            done.append(((made[:, 0] + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).cpu().numpy())
            context.progress(f"sample {label}", start + len(batch), n)
            context.check_deadline()
        return np.concatenate(done)

    def _autocast(self) -> Any:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.parameters.precision == "bf16")

    def _noise(self, n: int) -> Tensor:
        return torch.randn(n, self.parameters.latent).to(self.device)

    def _discriminator_loss(self, real: Tensor, fake: Tensor, classes: Tensor) -> Tensor:
        """Real and synthetic images go through as separate batches: the spread of each is a feature."""
        with self._autocast():
            scores = [self.discriminator(diff_augment(images.float()), classes) for images in (real, fake)]
        return hinge_discriminator(scores[0].float(), scores[1].float())

    def _generator_loss(self, fake: Tensor, classes: Tensor) -> Tensor:
        self.discriminator.requires_grad_(False)
        with self._autocast():
            loss = -self.discriminator(diff_augment(fake.float()), classes).float().mean()
        self.discriminator.requires_grad_(True)
        return loss

    @torch.no_grad()
    def _follow(self, step: int) -> None:
        """Move the average towards the generator; early on it follows fast, to forget the random start."""
        decay = min(self.parameters.ema, step / (step + 10))
        pairs = zip(self.average.parameters(), self.generator.parameters(), strict=True)
        for kept, current in pairs:
            kept.lerp_(current, 1 - decay)

    @torch.no_grad()
    def _stand(self, labels: Tensor) -> None:
        """Standing statistics: give the averaged generator normalisation statistics of its own (Brock et al. 2019)."""
        for module in self.average.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.reset_running_stats()
                module.momentum = None
        self.average.train()
        for _ in range(_STANDING_BATCHES):
            rows = torch.randint(len(labels), (_SAMPLE_BATCH,))
            self.average(self._noise(len(rows)), labels[rows])


def _adam(module: nn.Module, rate: float) -> torch.optim.Adam:
    return torch.optim.Adam(module.parameters(), rate, betas=(0.0, 0.99))


def _step(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _noise_of(seed: int, length: int) -> Tensor:
    return torch.randn(length, generator=torch.Generator().manual_seed(seed))
