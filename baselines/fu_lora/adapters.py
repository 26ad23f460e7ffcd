"""Low-rank adapters on the layers that the study adapted (kohya-ss/sd-scripts, network module "Standard").

These are every Linear and 1x1 convolution inside the UNet's transformer blocks, and the six
projections of every layer of the text encoder.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from diffusers import Transformer2DModel
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from torch import nn

TEXT_LAYERS = ("q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2")
ADAPTER = "default"


def unet_layers(unet: nn.Module) -> list[str]:
    """Names of the adapted layers of a UNet: 192 in Stable Diffusion v1.5."""
    blocks = [(name, module) for name, module in unet.named_modules() if isinstance(module, Transformer2DModel)]
    return [f"{block}.{name}" for block, module in blocks for name, layer in module.named_modules() if _fits(layer)]


def text_layers(text_encoder: nn.Module) -> list[str]:
    """Names of the adapted layers of a CLIP text encoder: 72 in Stable Diffusion v1.5."""
    return [
        name
        for name, layer in text_encoder.named_modules()
        if isinstance(layer, nn.Linear) and name.rpartition(".")[2] in TEXT_LAYERS
    ]


def _fits(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Linear) or (isinstance(layer, nn.Conv2d) and layer.kernel_size == (1, 1))


@dataclass(frozen=True)
class Adapters:
    """The adapters of a pipeline: layers by name, of the UNet and of the text encoder."""

    unet: dict[str, Any]
    text: dict[str, Any]
    rank: int

    @property
    def all(self) -> list[Any]:
        """All adapted layers, UNet first."""
        return [*self.unet.values(), *self.text.values()]

    def unbound(self) -> int:
        """In how many layers the rank is no bound, since it reaches the smaller side of the weight."""
        return sum(self.rank >= min(layer.in_features, layer.out_features) for layer in self.all)

    @torch.no_grad()
    def fuse(self, strength: float) -> None:
        """Add `strength` times the adapters to the weights; the layers then cost what they cost before.

        Raises:
            ValueError: an adapter holds values that are not finite (training diverged).
        """
        for layer in self.all:
            layer.scale_layer(strength)
            layer.merge(safe_merge=True)


def parameters_of(layers: dict[str, Any]) -> list[nn.Parameter]:
    """The trainable numbers of these adapters, down before up."""
    return [
        weight for layer in layers.values() for weight in (layer.lora_A[ADAPTER].weight, layer.lora_B[ADAPTER].weight)
    ]


def add_adapters(unet: nn.Module, text_encoder: nn.Module, rank: int) -> Adapters:
    """Put adapters of this rank (alpha = rank) on the study's layers; at first they change nothing.

    The base weights stay frozen; `down` starts Kaiming-uniform and `up` at zero, as in kohya.
    """
    return Adapters(
        unet=_inject(unet, unet_layers(unet), rank),
        text=_inject(text_encoder, text_layers(text_encoder), rank),
        rank=rank,
    )


def _inject(model: nn.Module, names: list[str], rank: int) -> dict[str, Any]:
    config = LoraConfig(r=rank, lora_alpha=rank, target_modules=names, lora_dropout=0.0, bias="none")
    inject_adapter_in_model(config, model, ADAPTER)
    found = {name: module for name, module in model.named_modules() if isinstance(module, LoraLayer)}
    if set(found) != set(names):
        raise RuntimeError(f"peft adapted {sorted(set(found) ^ set(names))} otherwise than asked")
    return found
