"""Adapters as kohya-ss/sd-scripts writes them, the format of the study's released files.

Per layer `lora_unet_<path>` or `lora_te_text_model_<path>` with `.lora_down.weight`, `.lora_up.weight` and
`.alpha`; the update is `up @ down * alpha / rank`. Metadata are strings named `ss_…`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from baselines.fu_lora.adapters import ADAPTER, Adapters
from benchmark.contract import BadRequest, MissingData


def kohya_names(adapters: Adapters) -> dict[str, Any]:
    """Adapted layers by kohya's name.

    transformers 5 dropped the `text_model` level of CLIPTextModel; the files keep it.
    """
    names = {"lora_unet_" + name.replace(".", "_"): layer for name, layer in adapters.unet.items()}
    for name, layer in adapters.text.items():
        path = name.removeprefix("text_model.").replace(".", "_")
        names[f"lora_te_text_model_{path}"] = layer
    return names


def save_kohya(path: Path, adapters: Adapters, metadata: Mapping[str, object]) -> None:
    """Write the adapters in half precision with `metadata` (values become strings)."""
    tensors = {}
    for name, layer in kohya_names(adapters).items():
        tensors[f"{name}.lora_down.weight"] = layer.lora_A[ADAPTER].weight.detach().half().cpu().contiguous()
        tensors[f"{name}.lora_up.weight"] = layer.lora_B[ADAPTER].weight.detach().half().cpu().contiguous()
        tensors[f"{name}.alpha"] = torch.tensor(float(layer.lora_alpha[ADAPTER])).half()
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path, {name: str(value) for name, value in metadata.items()})


@torch.no_grad()
def load_kohya(path: Path, adapters: Adapters) -> dict[str, str]:
    """Fill the adapters from a file and return its metadata; every layer must be there, and no other.

    Raises:
        MissingData: no such file.
        BadRequest: not a LoRA file, made for another pipeline, or of another rank.
    """
    if not path.is_file():
        raise MissingData(f"{path} is not there: put the LoRA file into the model folder, or fix 'initial_lora'.")
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 -- no mapping
            metadata = dict(file.metadata() or {})
    except SafetensorError as error:
        raise BadRequest(f"{path} is no safetensors file: {error}.") from error
    layers = kohya_names(adapters)
    strange = {name.partition(".")[0] for name in tensors} ^ set(layers)
    if strange:
        raise BadRequest(f"{path} does not fit this pipeline: {len(strange)} layers differ, e.g. {min(strange)}.")
    for name, layer in layers.items():
        _fill(layer, name, tensors, path)
    return metadata


def _fill(layer: Any, name: str, tensors: Mapping[str, torch.Tensor], path: Path) -> None:
    for part, weight in (("down", layer.lora_A[ADAPTER].weight), ("up", layer.lora_B[ADAPTER].weight)):
        key = f"{name}.lora_{part}.weight"
        if key not in tensors:
            raise BadRequest(f"{path} holds no {key}: it is no LoRA file in kohya's format.")
        given = tensors[key]
        if given.numel() != weight.numel() or given.shape[:2] != weight.shape[:2]:
            raise BadRequest(
                f"{path}: {key} has shape {tuple(given.shape)}, the adapter {tuple(weight.shape)}. "
                "Set parameter 'rank' to the file's rank (metadata ss_network_dim)."
            )
        weight.copy_(given.reshape(weight.shape))
    rank = layer.r[ADAPTER]
    alpha = float(tensors.get(f"{name}.alpha", torch.tensor(float(rank))))
    layer.lora_alpha[ADAPTER] = alpha
    layer.scaling[ADAPTER] = alpha / rank
