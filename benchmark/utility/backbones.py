"""Classifier backbones: timm networks with a new head, from scratch or from weights that are told by name.

Listing imports neither torch nor timm. Networks take one grey channel: the first convolution of loaded weights is
summed over its three input channels, which equals feeding three equal channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.classes import CLASSES
from benchmark.errors import BenchError, UnknownNameError, UsageError
from benchmark.keys import file_sha256

if TYPE_CHECKING:
    from torch import Tensor, nn

NO_WEIGHTS = "none"
PRETRAINED = "pretrained"


@dataclass(frozen=True)
class BackboneInfo:
    """A backbone that the suite names. `tag` selects the published weights behind `weights: pretrained`."""

    name: str
    summary: str
    parameters_millions: float
    tag: str = ""
    paper: bool = False


_NAMED = (
    BackboneInfo(
        "test_resnet", "timm's smallest residual network: the default from scratch at 64 px", 0.4, "r160_in1k"
    ),
    BackboneInfo("resnet10t", "ResNet-10-T: a small residual network", 4.9, "c3_in1k"),
    BackboneInfo("densenet169", "DenseNet169 of the study", 12.5, "tv_in1k", True),
    BackboneInfo("mobilenetv2_100", "MobileNetV2 of the study", 2.2, "ra_in1k", True),
    BackboneInfo("efficientnet_b0", "EfficientNet-B0 of the study", 4.0, "ra_in1k", True),
    BackboneInfo("resnet18", "ResNet18 of the study", 11.2, "tv_in1k", True),
    BackboneInfo("vit_base_patch16_224", "ViT-B/16 of the study (224 px)", 85.8, "augreg_in1k", True),
)
BACKBONES: dict[str, BackboneInfo] = {info.name: info for info in _NAMED}


@dataclass(frozen=True)
class BackboneSpec:
    """What to build: a name of `BACKBONES` or any timm model, and `weights`: `none`, `pretrained` or a local file."""

    name: str
    weights: str = NO_WEIGHTS
    n_classes: int = len(CLASSES)


def backbone_info(name: str) -> BackboneInfo:
    """One backbone by name. A name that is not in `BACKBONES` is looked up in timm (which is then imported).

    Raises:
        UnknownNameError: timm does not know the name either.
    """
    if name in BACKBONES:
        return BACKBONES[name]
    import timm

    if not timm.is_model(name):
        raise UnknownNameError("backbone", name, [*BACKBONES, "any model of timm.list_models()"])
    return BackboneInfo(name, "a model of timm", 0.0)


def weights_file(spec: BackboneSpec, offline: bool = True) -> Path | None:
    """The file behind `spec.weights`, `None` for `none`; `pretrained` is taken from the hub cache, or fetched.

    Raises:
        BenchError: the file is not there, or cannot be fetched; the message says what to do. Nothing else is used.
    """
    info = backbone_info(spec.name)
    if spec.weights == NO_WEIGHTS:
        return None
    if spec.weights != PRETRAINED:
        path = Path(spec.weights)
        if not path.is_file():
            raise UsageError(
                f"backbone {spec.name}: no weights file {path}. Use none, pretrained or a file that exists."
            )
        return path
    return _from_hub(info, offline)


def weights_sha256(spec: BackboneSpec, offline: bool = True) -> str:
    """Hash of the initial weights for a cell's key; empty for `none`."""
    path = weights_file(spec, offline)
    return "" if path is None else file_sha256(path)


def create_backbone(spec: BackboneSpec, image_size: int, offline: bool = True) -> nn.Module:
    """Build the network: (n, 1, s, s) float -> (n, n_classes) logits. A new head is drawn from torch's global seed.

    Raises:
        UnknownNameError: unknown name.
        BenchError: weights that are absent or do not fit.
    """
    import timm

    info = backbone_info(spec.name)
    options: dict[str, Any] = {"num_classes": spec.n_classes, "in_chans": 1}
    if _pretrained_config(info).get("fixed_input_size", False):
        options["img_size"] = image_size
    network: nn.Module = timm.create_model(info.name, pretrained=False, **options)
    path = weights_file(spec, offline)
    if path is not None:
        _load(network, path, spec)
    return network


def _pretrained_config(info: BackboneInfo) -> dict[str, Any]:
    import timm

    config = timm.get_pretrained_cfg(f"{info.name}.{info.tag}" if info.tag else info.name)
    return {} if config is None else config.to_dict()


def _from_hub(info: BackboneInfo, offline: bool) -> Path:
    from huggingface_hub import hf_hub_download

    repository = _pretrained_config(info).get("hf_hub_id")
    if not repository:
        raise BenchError(f"backbone {info.name} has no published weights. Use weights: none or a local file.")
    try:
        return Path(hf_hub_download(repository, "model.safetensors", local_files_only=offline))
    except (OSError, ValueError) as error:
        how = "it is not in the local cache" if offline else f"it could not be fetched ({type(error).__name__})"
        raise BenchError(
            f"backbone {info.name}: weights: pretrained means model.safetensors of {repository}, and {how}. "
            f"With a network run: hf download {repository} model.safetensors. "
            "Without one, copy that file here and name its path as the weights, or say weights: none."
        ) from error


def _load(network: nn.Module, path: Path, spec: BackboneSpec) -> None:
    from timm.models import adapt_input_conv

    state = _read_state(path)
    config = network.pretrained_cfg
    heads = config.get("classifier") or ()
    heads = (heads,) if isinstance(heads, str) else tuple(heads)
    convolutions = config.get("first_conv") or ()
    for name in (convolutions,) if isinstance(convolutions, str) else convolutions:
        key = f"{name}.weight"
        if key in state:
            state[key] = adapt_input_conv(1, state[key])
    own = network.state_dict()
    body = {key for key in own if not key.startswith(tuple(f"{head}." for head in heads))}
    misfit = sorted(key for key in body if key not in state or state[key].shape != own[key].shape)
    if misfit:
        raise BenchError(
            f"backbone {spec.name}: {path.name} does not fit: {len(misfit)} of {len(body)} tensors are absent or of "
            f"another shape, first {misfit[0]}. Give the state of timm's {spec.name} for the recipe's image size."
        )
    network.load_state_dict({key: state[key] for key in body}, strict=False)


def _read_state(path: Path) -> dict[str, Tensor]:
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, SafetensorError, RuntimeError, ValueError, EOFError) as error:
        raise BenchError(f"{path} cannot be read as weights: {error}") from error
    inner = state.get("state_dict", state) if isinstance(state, dict) else None
    if not isinstance(inner, dict):
        raise BenchError(f"{path} holds no state dict. Save model.state_dict() as .safetensors or .pth.")
    return dict(inner)
