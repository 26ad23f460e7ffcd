"""The networks that features come from, by name. Listing them imports no torch."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.errors import BenchError, UnknownNameError, UsageError
from benchmark.keys import content_key, file_sha256

if TYPE_CHECKING:
    import torch

SHIPPED_WEIGHTS = Path(__file__).parent / "weights" / "ultrasound.safetensors"


@dataclass(frozen=True)
class Extractor:
    """A loaded feature extractor, with what a record must say about it.

    Attributes:
        name: the registered name, or `module:attr`.
        network: uint8 tensor (n, 3, h, w), 0 to 255, on `device` -> float tensor (n, dimension).
        weights_sha256: digest of the weights; for a custom extractor, of its source file and its weights.
        dimension: number of features.
        backend, backend_version: the library whose network it is.
        resize: how it brings images to its own size.
        precision: of its arithmetic.
        device: torch device that the network lies on.
    """

    name: str
    network: Callable[[torch.Tensor], torch.Tensor]
    weights_sha256: str
    dimension: int
    backend: str
    backend_version: str
    resize: str
    device: str = "cpu"
    precision: str = "fp32"

    def describe(self) -> dict[str, str | int]:
        """What identifies the extractor in keys and records."""
        fields = ("name", "weights_sha256", "dimension", "backend", "backend_version", "resize", "precision")
        return {field: getattr(self, field) for field in fields}


@dataclass(frozen=True)
class _Entry:
    summary: str
    dimension: int
    module: str
    weights: str


_REGISTRY: dict[str, _Entry] = {
    "ultrasound": _Entry(
        "small encoder trained on phantom ultrasound; the offline default",
        128,
        "benchmark.fidelity.ultrasound",
        "shipped with the package",
    ),
    "inception": _Entry(
        "torch-fidelity's InceptionV3, the network of FID and KID in the literature",
        2048,
        "benchmark.fidelity.inception",
        "a file given by --weights, or cached, or downloaded (91 MB) where the network is allowed",
    ),
    "dinov2": _Entry(
        "DINOv2 vision transformer through timm; small, base or large by its file",
        384,
        "benchmark.fidelity.dinov2",
        "a local file given by --weights; never downloaded",
    ),
}

EXTRACTORS: tuple[str, ...] = tuple(_REGISTRY)


def extractor_info(name: str) -> dict[str, str | int]:
    """A registered extractor, for listings: name, summary, dimension, weights and, if shipped, their digest."""
    entry = _entry(name)
    info: dict[str, str | int] = {
        "name": name,
        "summary": entry.summary,
        "dimension": entry.dimension,
        "weights": entry.weights,
    }
    if name == "ultrasound" and SHIPPED_WEIGHTS.is_file():
        info["weights_sha256"] = file_sha256(SHIPPED_WEIGHTS)
    return info


def load_extractor(name: str, weights: Path | None = None, offline: bool = True, device: str = "cpu") -> Extractor:
    """A registered extractor, or anybody's by `module:attr`, ready on a device.

    Args:
        name: one of `EXTRACTORS`, or `module:attr` where attr is a callable from uint8 (n, 3, h, w) to (n, d)
            or a class that makes one.
        weights: a weights file in place of the usual one; a custom class receives it as its only argument.
        offline: True forbids downloads; what is missing is then an error that names the address and the place.
        device: torch device, e.g. `cpu` or `cuda`.

    Raises UnknownNameError for a name that is not registered, BenchError for weights that are missing or unfit.
    """
    if weights is not None and not weights.is_file():
        raise UsageError(f"the weights file {weights} does not exist; give the path of a file.")
    if ":" in name:
        return _load_custom(name, weights, device)
    module = importlib.import_module(_entry(name).module)
    extractor: Extractor = module.load(weights, offline, device)
    return extractor


def _entry(name: str) -> _Entry:
    if name not in _REGISTRY:
        raise UnknownNameError("extractor", name, [*_REGISTRY, "module:attr"])
    return _REGISTRY[name]


def _load_custom(name: str, weights: Path | None, device: str) -> Extractor:
    import torch

    module, found = _import_attribute(name)
    if isinstance(found, type):
        found = found(weights) if weights is not None else found()
    elif weights is not None:
        raise UsageError(f"extractor '{name}' is no class, so --weights cannot be handed to it; drop the option.")
    if not callable(found):
        raise UsageError(f"extractor '{name}' is a {type(found).__name__}; a callable or a class is expected.")
    if isinstance(found, torch.nn.Module):
        found = found.eval().to(device)
    digest = _source_digest(name, module)
    if weights is not None:
        digest = content_key([digest, file_sha256(weights)])
    with torch.inference_mode():
        probe = found(torch.zeros((2, 3, 64, 64), dtype=torch.uint8, device=device))
    if probe.ndim != 2 or len(probe) != 2:
        raise UsageError(f"extractor '{name}' gave shape {tuple(probe.shape)} for 2 images; (2, d) is expected.")
    return Extractor(
        name=name,
        network=found,
        weights_sha256=digest,
        dimension=int(probe.shape[1]),
        backend=module.__name__,
        backend_version=str(getattr(module, "__version__", "unversioned")),
        resize=str(getattr(found, "resize", "left to the extractor")),
        device=device,
    )


def _import_attribute(name: str) -> tuple[Any, Any]:
    module_name, _, attribute = name.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise UsageError(
            f"extractor '{name}': the module {module_name} cannot be imported ({error}); "
            "install it or put its folder on PYTHONPATH."
        ) from error
    if not hasattr(module, attribute):
        raise UnknownNameError(f"attribute of {module_name}", attribute, vars(module))
    return module, getattr(module, attribute)


def _source_digest(name: str, module: Any) -> str:
    source = getattr(module, "__file__", None)
    if source is None:
        raise BenchError(f"extractor '{name}' has no source file to identify it by; define it in a module file.")
    return file_sha256(Path(source))
