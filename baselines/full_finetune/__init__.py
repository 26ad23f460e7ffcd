"""Full fine-tuning: every weight of the UNet follows the adaptation images."""

from __future__ import annotations

import numpy as np
import torch
from diffusers.training_utils import EMAModel
from numpy.typing import NDArray
from pydantic import Field

from baselines.latent_diffusion import LatentDiffusion, Trainable, TrainingParameters
from benchmark.contract import Context, TrainingSet


class FullFinetuneParameters(TrainingParameters):
    """Parameters of the method.

    Attributes:
        rate: learning rate of the UNet.
        train_text_encoder: let the text encoder follow too, at `text_rate`.
        ema: decay of the averaged UNet that samples; 0 samples from the last step.
    """

    rate: float = Field(gt=0)
    train_text_encoder: bool
    text_rate: float = Field(gt=0)
    ema: float = Field(ge=0, lt=1)


class FullFinetune:
    """The same budget as FU-LoRA, without the low-rank bound."""

    def __init__(self, context: Context) -> None:
        self.parameters = context.parameters_as(FullFinetuneParameters)
        self.diffusion = LatentDiffusion(context, self.parameters)

    def fit(self, train: TrainingSet, context: Context) -> None:
        """Train the UNet; captions are encoded once, since the text encoder is frozen by default."""
        diffusion, parameters = self.diffusion, self.parameters
        unet, text_encoder = diffusion.pipeline.unet, diffusion.pipeline.text_encoder
        unet.requires_grad_(True)
        groups = [{"params": list(unet.parameters()), "lr": parameters.rate}]
        if parameters.train_text_encoder:
            text_encoder.requires_grad_(True)
            groups.append({"params": list(text_encoder.parameters()), "lr": parameters.text_rate})
        with torch.no_grad():
            cached = diffusion.embeddings()
        average = EMAModel(unet.parameters(), decay=parameters.ema)
        trainable = Trainable(
            groups,
            embeddings=diffusion.embeddings if parameters.train_text_encoder else lambda: cached,
            after_step=(lambda: average.step(unet.parameters())) if parameters.ema else None,
        )
        diffusion.train(train, trainable, parameters)
        if parameters.ema:
            average.copy_to(unet.parameters())

    def sample(self, label: str, n: int, context: Context) -> NDArray[np.uint8]:
        """n images of a class, uint8 of shape (n, size, size)."""
        return self.diffusion.sample(label, n)
