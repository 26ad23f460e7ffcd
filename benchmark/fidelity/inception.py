"""The extractor `inception`: torch-fidelity's InceptionV3 with weights that are never random."""

from __future__ import annotations

import pickle
from importlib.metadata import version
from pathlib import Path
from urllib.error import URLError

import torch
from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3, FeatureExtractorInceptionV3

from benchmark.errors import BenchError
from benchmark.fidelity.extractors import Extractor
from benchmark.keys import file_sha256

FILE_NAME = URL_INCEPTION_V3.rsplit("/", 1)[-1]
_HASH_PREFIX = FILE_NAME.removesuffix(".pth").rsplit("-", 1)[-1]


def cached_weights() -> Path:
    """Where torch-fidelity itself keeps the downloaded weights: torch hub's checkpoint folder."""
    return Path(torch.hub.get_dir()) / "checkpoints" / FILE_NAME


def load(weights: Path | None, offline: bool, device: str) -> Extractor:
    """The 2048 pooled features; see `load_extractor` for the arguments."""
    path = weights or cached_weights()
    if weights is None and not path.is_file():
        _download(path, offline)
    return Extractor(
        name="inception",
        network=_Pooled(_network(path)).eval().to(device),
        weights_sha256=file_sha256(path),
        dimension=2048,
        backend="torch-fidelity",
        backend_version=version("torch-fidelity"),
        resize="bilinear to 299x299 as in TensorFlow 1, without antialiasing",
        device=device,
    )


class _Pooled(torch.nn.Module):
    def __init__(self, network: FeatureExtractorInceptionV3) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        pooled: torch.Tensor = self.network(images)[0]
        return pooled


def _network(path: Path) -> FeatureExtractorInceptionV3:
    try:
        # torch-fidelity unpickles without restraint; so first make sure that the file holds tensors only.
        torch.load(path, map_location="cpu", weights_only=True)
        return FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], feature_extractor_weights_path=str(path))
    except (RuntimeError, pickle.UnpicklingError, EOFError, KeyError, TypeError, AttributeError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise BenchError(
            f"{path} holds no weights of torch-fidelity's InceptionV3 ({reason}). Fetch {URL_INCEPTION_V3} "
            "and give it with --weights FILE."
        ) from error


def _download(path: Path, offline: bool) -> None:
    place = f"Fetch {URL_INCEPTION_V3}, then give it with --weights FILE or place it at {path}"
    if offline:
        raise BenchError(f"the weights of 'inception' are not on this machine and downloads are off. {place}.")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        torch.hub.download_url_to_file(URL_INCEPTION_V3, str(path), hash_prefix=_HASH_PREFIX, progress=False)
    except (URLError, OSError, RuntimeError) as error:
        raise BenchError(f"the weights of 'inception' could not be downloaded ({error}). {place}.") from error
