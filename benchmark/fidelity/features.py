"""Images -> features. The only place where grey becomes three channels."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import BenchError

if TYPE_CHECKING:
    import torch

    from benchmark.fidelity.extractors import Extractor

Progress = Callable[[int, int], None]
"""Called after every batch with (images done, images in all)."""


def grey_to_channels(images: NDArray[np.uint8]) -> torch.Tensor:
    """uint8 (n, h, w) -> uint8 tensor (n, 3, h, w) with three equal channels."""
    import torch

    return torch.from_numpy(np.ascontiguousarray(images)).unsqueeze(1).expand(-1, 3, -1, -1)


def extract(
    images: NDArray[np.uint8], extractor: Extractor, batch_size: int = 64, progress: Progress | None = None
) -> NDArray[np.float32]:
    """Features of grey images: uint8 (n, h, w) -> float32 (n, extractor.dimension).

    The device is the one that the extractor was loaded on. Raises BenchError where an extractor yields a
    value that is not finite or another number of features than it declares.
    """
    import torch

    if images.dtype != np.uint8 or images.ndim != 3:
        raise ValueError(f"images must be uint8 of shape (n, h, w), not {images.dtype} {images.shape}")
    features = np.empty((len(images), extractor.dimension), dtype=np.float32)
    # Convolutions on a GPU round to TF32 unless told not to, and the record says fp32.
    exact = torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)
    with torch.inference_mode(), exact:
        for start in range(0, len(images), batch_size):
            batch = grey_to_channels(images[start : start + batch_size]).to(extractor.device)
            found = extractor.network(batch).float().cpu().numpy()
            if found.shape != (len(batch), extractor.dimension):
                raise BenchError(
                    f"extractor '{extractor.name}' gave an array of shape {found.shape} for {len(batch)} images; "
                    f"({len(batch)}, {extractor.dimension}) is expected."
                )
            features[start : start + len(batch)] = found
            if progress is not None:
                progress(start + len(batch), len(images))
    if not np.isfinite(features).all():
        raise BenchError(f"extractor '{extractor.name}' gave features that are not finite; check its weights.")
    return features
