"""FU-LoRA: Wang et al., arXiv 2407.20072, low-rank adaptation of UNet and text encoder to few images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from baselines.fu_lora.adapters import Adapters, add_adapters, parameters_of
from baselines.fu_lora.kohya import load_kohya, save_kohya
from baselines.latent_diffusion import LatentDiffusion, Trainable, TrainingParameters
from benchmark.contract import BadRequest, Context, TrainingSet
from benchmark.keys import tree_sha256


class FuLoraParameters(TrainingParameters):
    """Parameters of the method.

    Attributes:
        rank: rank of the adapters; alpha equals it (the study: 128, 32, 8).
        unet_rate, text_rate: learning rates (the study, on Stable Diffusion v1.5: 1e-4 and 5e-5).
        initial_lora: kohya file inside the model folder to start from; empty for none.
        lora_strength: factor of the adapters when they are fused for sampling.
    """

    rank: int = Field(ge=1)
    unet_rate: float = Field(gt=0)
    text_rate: float = Field(gt=0)
    initial_lora: str
    lora_strength: float = Field(ge=0)


class FuLora:
    """Adapters on the study's layers, two learning rates, sampling with the adapters fused."""

    def __init__(self, context: Context) -> None:
        self.parameters = context.parameters_as(FuLoraParameters)
        self.diffusion = LatentDiffusion(context, self.parameters)

    def fit(self, train: TrainingSet, context: Context) -> None:
        """Train the adapters, write `checkpoint/fu_lora.safetensors`, and fuse them."""
        parameters, pipeline = self.parameters, self.diffusion.pipeline
        adapters = add_adapters(pipeline.unet, pipeline.text_encoder, parameters.rank)
        if adapters.unbound():
            context.notes.append(
                f"Rank {parameters.rank} is no bound in {adapters.unbound()} of {len(adapters.all)} adapted "
                "layers: it reaches the smaller side of their weights."
            )
        if parameters.initial_lora:
            load_kohya(_inside(context.model, parameters.initial_lora), adapters)
        groups = [
            {"params": parameters_of(adapters.unet), "lr": parameters.unet_rate},
            {"params": parameters_of(adapters.text), "lr": parameters.text_rate},
        ]
        self.diffusion.train(train, Trainable(groups, self.diffusion.embeddings), parameters)
        self._save(adapters, train, context)
        adapters.fuse(parameters.lora_strength)

    def _save(self, adapters: Adapters, train: TrainingSet, context: Context) -> None:
        parameters = self.parameters
        metadata = {
            "ss_network_module": "networks.lora",
            "ss_network_dim": parameters.rank,
            "ss_network_alpha": parameters.rank,
            "ss_unet_lr": parameters.unet_rate,
            "ss_text_encoder_lr": parameters.text_rate,
            "ss_learning_rate": parameters.unet_rate,
            "ss_steps": context.steps,
            "ss_total_batch_size": parameters.batch,
            "ss_num_train_images": len(train),
            "ss_seed": context.request.seed,
            "ss_clip_skip": parameters.clip_skip + 1,
            "ss_mixed_precision": parameters.precision,
            "ss_base_sha256": tree_sha256(context.model) if context.model else "",
        }
        save_kohya(context.output / "checkpoint" / "fu_lora.safetensors", adapters, metadata)

    def sample(self, label: str, n: int, context: Context) -> NDArray[np.uint8]:
        """n images of a class, uint8 of shape (n, size, size)."""
        return self.diffusion.sample(label, n)


def _inside(model: Path | None, name: str) -> Path:
    if model is None or Path(name).is_absolute() or ".." in Path(name).parts:
        raise BadRequest(f"'initial_lora' must be a file name inside the model folder, not '{name}'.")
    return model / name
