"""The extractor `dinov2`: the class token of a DINOv2 vision transformer, from a local weights file only."""

from __future__ import annotations

import pickle
from importlib.metadata import version
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from benchmark.errors import BenchError
from benchmark.fidelity.extractors import Extractor
from benchmark.keys import file_sha256

SIZE = 224
MEAN, SD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
ARCHITECTURES = {
    384: "vit_small_patch14_dinov2",
    768: "vit_base_patch14_dinov2",
    1024: "vit_large_patch14_dinov2",
}
"""Width of the class token -> timm's name (without registers)."""
ADDRESSES = (
    "https://dl.fbaipublicfiles.com/dinov2/dinov2_vits14/dinov2_vits14_pretrain.pth (small; vitb14 and vitl14 for base "
    "and large), or model.safetensors of timm/vit_small_patch14_dinov2.lvd142m"
)
_HELP = f"Fetch {ADDRESSES}, and give the file with --weights FILE, or in a profile as the extractor's `weights`."


def load(weights: Path | None, offline: bool, device: str) -> Extractor:
    """Class-token features (Oquab et al. 2023, arXiv 2304.07193; for FID: Stein et al. 2023, arXiv 2306.04675).

    Nothing is downloaded whatever `offline` says: torch-fidelity's own DINOv2 goes through torch.hub, which cannot be
    pointed at a file. See `load_extractor` for the arguments.

    Raises:
        BenchError: no file is given, or it holds no DINOv2 weights of a known width.
    """
    del offline
    if weights is None:
        raise BenchError(f"'dinov2' needs its weights in a local file; nothing is downloaded. {_HELP}")
    network, width = _network(weights)
    return Extractor(
        name="dinov2",
        network=_ClassToken(network).eval().to(device),
        weights_sha256=file_sha256(weights),
        dimension=width,
        backend=f"timm {ARCHITECTURES[width]}",
        backend_version=version("timm"),
        resize=f"bicubic with antialiasing to {SIZE}x{SIZE}",
        device=device,
    )


class _ClassToken(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer("sd", torch.tensor(SD).view(1, 3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """uint8 (n, 3, h, w) -> (n, width)."""
        pixels = images.float() / 255
        if pixels.shape[-2:] != (SIZE, SIZE):
            pixels = F.interpolate(pixels, (SIZE, SIZE), mode="bicubic", antialias=True, align_corners=False)
        tokens: Tensor = self.network.forward_features((pixels.clamp(0, 1) - self.mean) / self.sd)
        return tokens[:, 0]


def _network(path: Path) -> tuple[nn.Module, int]:
    """The transformer with all its weights from the file, and its width."""
    import timm
    from timm.models.vision_transformer import checkpoint_filter_fn

    state = _read(path)
    token = state.get("cls_token")
    width = int(token.shape[-1]) if isinstance(token, Tensor) else 0
    if width not in ARCHITECTURES or any("register" in name or "reg_token" in name for name in state):
        raise _unfit(path, f"the class token has width {width}" if width else "it has no class token")
    network = timm.create_model(ARCHITECTURES[width], pretrained=False, num_classes=0, img_size=SIZE)
    try:
        network.load_state_dict(checkpoint_filter_fn(state, network))
    except (RuntimeError, KeyError, ValueError) as error:
        raise _unfit(path, str(error).strip().splitlines()[0]) from error
    return network, width


def _read(path: Path) -> dict[str, Tensor]:
    """Tensors by name, from safetensors or a checkpoint that is read as tensors only, never as code."""
    try:
        found = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, SafetensorError, OSError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise _unfit(path, lines[0]) from error
    if not isinstance(found, dict):
        raise _unfit(path, f"it holds a {type(found).__name__}")
    return found


def _unfit(path: Path, reason: str) -> BenchError:
    widths = ", ".join(f"{name} ({width})" for width, name in ARCHITECTURES.items())
    return BenchError(f"{path} holds no weights of DINOv2 without registers ({reason}); known: {widths}. {_HELP}")
