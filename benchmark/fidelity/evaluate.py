"""Two sets of images or features -> FID and KID, pooled and per class, with everything needed to read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from benchmark.fidelity.distance import TORCH_FIDELITY_SEED, frechet_distance, kernel_distance
from benchmark.fidelity.features import Progress, extract

if TYPE_CHECKING:
    from benchmark.fidelity.extractors import Extractor

FID_DEFINITION = "Frechet distance of Gaussians fitted to the features, unbiased covariances (Heusel et al. 2017)"
KID_DEFINITION = "unbiased squared MMD, kernel (x.y/d+1)^3, mean over subsets (Binkowski et al. 2018)"
FEW_IMAGES = 1000


class FidelityOptions(BaseModel):
    """What may be varied; the defaults are torch-fidelity's.

    Attributes:
        kid_subsets, kid_subset_size: subsets of KID; the size is lowered to the smaller set.
        seed: seed of the subsets of KID and of the splits of the floor.
        floor_splits: random splits of the real set that the floor is averaged over; 0 leaves the floor out.
        batch_size: images a forward pass.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kid_subsets: int = 100
    kid_subset_size: int = 1000
    seed: int = TORCH_FIDELITY_SEED
    floor_splits: int = 5
    batch_size: int = 64


class Metric(BaseModel):
    """One distance. `value` is None where it is undefined, and `reason` says why.

    Of FID, `floor` is the distance between two halves of the real set with `floor_n` images each, and `ratio`
    the distance between real and synthetic at that same n, over the floor: 1 cannot be told from real.
    Of KID, `std` is the spread over `subsets` subsets of `subset_size` images.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: float | None
    reason: str | None = None
    direction: str = "lower"
    definition: str
    std: float | None = None
    subsets: int | None = None
    subset_size: int | None = None
    floor: float | None = None
    floor_n: int | None = None
    ratio: float | None = None


class SetDistances(BaseModel):
    """FID and KID of one pair of sets, with their sizes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    n_real: int
    n_synthetic: int
    fid: Metric
    kid: Metric


class FidelityResult(BaseModel):
    """Fidelity of a synthetic set: pooled, per class, with what it was measured by."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    extractor: dict[str, str | int]
    pooled: SetDistances
    per_class: dict[str, SetDistances]
    warnings: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The format of `fulora-bench fidelity --json`; fields that do not apply to a metric are left out."""
        identity = dict(self.extractor)
        return {
            "extractor": identity.pop("name"),
            **identity,
            "n_real": self.pooled.n_real,
            "n_synthetic": self.pooled.n_synthetic,
            "metrics": _metrics(self.pooled),
            "per_class": {
                label: {"n_real": pair.n_real, "n_synthetic": pair.n_synthetic, **_metrics(pair)}
                for label, pair in self.per_class.items()
            },
            "warnings": list(self.warnings),
        }


def _metrics(pair: SetDistances) -> dict[str, dict[str, Any]]:
    found = {}
    for name, metric in (("fid", pair.fid), ("kid", pair.kid)):
        fields = metric.model_dump(exclude_none=True)
        found[name] = {"value": metric.value, **{key: fields[key] for key in fields if key != "value"}}
    return found


@dataclass(frozen=True)
class FeatureSet:
    """Features of one set, float32 (n, d), and the label of each image where there are labels."""

    features: NDArray[np.float32]
    labels: Sequence[str] | None = None

    def __post_init__(self) -> None:
        if self.labels is not None and len(self.labels) != len(self.features):
            raise ValueError(f"{len(self.labels)} labels for {len(self.features)} images")

    def of(self, label: str) -> NDArray[np.float32]:
        """The features of one label's images."""
        return self.features[np.asarray(self.labels) == label]


@dataclass(frozen=True)
class ImageSet:
    """Grey images of one set, uint8 (n, h, w), and the label of each where there are labels."""

    images: NDArray[np.uint8]
    labels: Sequence[str] | None = None


def fidelity(
    real: ImageSet,
    synthetic: ImageSet,
    extractor: Extractor,
    options: FidelityOptions | None = None,
    progress: Progress | None = None,
) -> FidelityResult:
    """Fidelity of synthetic to real images; both sets pass the extractor once.

    Callers that compare many sets with one reference extract its features once and call
    `fidelity_from_features`.
    """
    chosen = options or FidelityOptions()
    found = [
        FeatureSet(extract(part.images, extractor, chosen.batch_size, progress), part.labels)
        for part in (real, synthetic)
    ]
    return fidelity_from_features(found[0], found[1], extractor.describe(), chosen)


def fidelity_from_features(
    real: FeatureSet,
    synthetic: FeatureSet,
    extractor: dict[str, str | int],
    options: FidelityOptions | None = None,
) -> FidelityResult:
    """As `fidelity`, from features; `extractor` is what `Extractor.describe` gave.

    Classes are those of the real set, in the order of their names, where both sets have labels. A class
    without at least two images on both sides has the value None and a reason.
    """
    chosen = options or FidelityOptions()
    pooled = _distances(real.features, synthetic.features, chosen)
    per_class = {}
    if real.labels is not None and synthetic.labels is not None:
        for label in sorted(set(real.labels) | set(synthetic.labels)):
            per_class[label] = _distances(real.of(label), synthetic.of(label), chosen)
    return FidelityResult(
        extractor=extractor, pooled=pooled, per_class=per_class, warnings=_warnings(pooled, per_class, real)
    )


def _distances(real: NDArray[np.float32], synthetic: NDArray[np.float32], options: FidelityOptions) -> SetDistances:
    n_real, n_synthetic = len(real), len(synthetic)
    if min(n_real, n_synthetic) < 2:
        reason = f"needs two images on each side; there are {n_real} real and {n_synthetic} synthetic"
        undefined = [Metric(value=None, reason=reason, definition=text) for text in (FID_DEFINITION, KID_DEFINITION)]
        return SetDistances(n_real=n_real, n_synthetic=n_synthetic, fid=undefined[0], kid=undefined[1])
    kernel = kernel_distance(real, synthetic, options.kid_subsets, options.kid_subset_size, options.seed)
    kid = Metric(
        value=kernel.value,
        definition=KID_DEFINITION,
        std=kernel.std,
        subsets=kernel.subsets,
        subset_size=kernel.subset_size,
    )
    floor = _floor(real, synthetic, options)
    fid = Metric(value=frechet_distance(real, synthetic), definition=FID_DEFINITION, **floor)
    return SetDistances(n_real=n_real, n_synthetic=n_synthetic, fid=fid, kid=kid)


def _floor(real: NDArray[np.float32], synthetic: NDArray[np.float32], options: FidelityOptions) -> dict[str, Any]:
    """What FID gives between real and real, and how far synthetic lies above it at the same n.

    FID falls with n, so a floor counts only at its own n: both sides take `floor_n` images against the same
    half of the real set. At most 500, where the bias of either side is alike and the cost still small.
    """
    n = min(len(real) // 2, len(synthetic), 500)
    if n < 2 or options.floor_splits < 1:
        return {}
    random = np.random.default_rng(options.seed)
    floors, values = [], []
    for _ in range(options.floor_splits):
        order = random.permutation(len(real))
        reference, other = real[order[:n]], real[order[n : 2 * n]]
        floors.append(frechet_distance(reference, other))
        values.append(frechet_distance(reference, synthetic[random.permutation(len(synthetic))[:n]]))
    floor = float(np.mean(floors))
    ratio = float(np.mean(values)) / floor if floor > 0 else None
    return {"floor": floor, "floor_n": n, "ratio": ratio}


def _warnings(pooled: SetDistances, per_class: dict[str, SetDistances], real: FeatureSet) -> tuple[str, ...]:
    dimension = real.features.shape[1]
    said = []
    fewest = min(pooled.n_real, pooled.n_synthetic)
    if fewest < FEW_IMAGES:
        said.append(f"small n ({fewest} images): FID is biased upwards; compare only with sets of the same size")
    if fewest <= dimension:
        said.append(f"fewer images ({fewest}) than features ({dimension}): covariances are singular; prefer KID")
    subset = pooled.kid.subset_size
    if subset is not None and subset == pooled.n_real == pooled.n_synthetic:
        said.append("every KID subset is the whole set, so its std is 0 by construction")
    for label, pair in per_class.items():
        if pair.fid.value is None:
            said.append(f"class {label}: undefined, {pair.fid.reason}")
        elif min(pair.n_real, pair.n_synthetic) < 20:
            said.append(f"class {label}: only {pair.n_real} real and {pair.n_synthetic} synthetic images")
    return tuple(said)
