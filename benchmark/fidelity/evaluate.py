"""Two sets of images or features -> FID, KID and more, pooled and per class, with everything needed to read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from benchmark.fidelity.distance import TORCH_FIDELITY_SEED, frechet_distance, kernel_distance, squared_mmd
from benchmark.fidelity.extrapolation import frechet_infinity
from benchmark.fidelity.features import Progress, extract
from benchmark.fidelity.floor import Distance, Features, Split, draw_splits, floor
from benchmark.fidelity.manifold import manifold
from benchmark.fidelity.results import FidelityResult, Metric, SetDistances
from benchmark.fidelity.uncertainty import INTERVAL, spreads

if TYPE_CHECKING:
    from benchmark.fidelity.extractors import Extractor

FID_DEFINITION = "Frechet distance of Gaussians fitted to the features, unbiased covariances (Heusel et al. 2017)"
KID_DEFINITION = "unbiased squared MMD, kernel (x.y/d+1)^3, mean over subsets (Binkowski et al. 2018)"
INFINITY_DEFINITION = "intercept of FID over 1/n (Chong and Forsyth 2020)"
MANIFOLD_DEFINITIONS = {
    "precision": "share of synthetic images in the real manifold of k-th neighbours (Kynkaanniemi et al. 2019)",
    "recall": "share of real images in the synthetic manifold of k-th neighbours (Kynkaanniemi et al. 2019)",
    "density": "real neighbourhoods that a synthetic image lies in, over k: may exceed 1 (Naeem et al. 2020)",
    "coverage": "share of real images with a synthetic image in their neighbourhood (Naeem et al. 2020)",
}
FEW_IMAGES = 1000
NO_FLOOR = "no floor: real images could not be split into two halves of two images that share no patient"


class FidelityOptions(BaseModel):
    """What may be varied; the defaults of KID are torch-fidelity's.

    Attributes:
        kid_subsets, kid_subset_size: subsets of KID; the size is lowered to the smaller set.
        seed: seed of the subsets of KID and of what intervals leave out.
        floor_splits: random splits by patient that the floor is averaged over; 0 leaves the floor out.
        floor_seed: of these splits. It is the same for all repetitions, as the floor is a property of the real images.
        replicates: replicates of the intervals of the pooled distances; 0 leaves them out.
        k: neighbours of precision, recall, density and coverage; 0 leaves them out.
        batch_size: images a forward pass.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kid_subsets: int = 100
    kid_subset_size: int = 1000
    seed: int = TORCH_FIDELITY_SEED
    floor_splits: int = 20
    floor_seed: int = TORCH_FIDELITY_SEED
    replicates: int = 500
    k: int = 5
    batch_size: int = 64


@dataclass(frozen=True)
class FeatureSet:
    """Features of one set.

    Attributes:
        features: float32 (n, d).
        labels: of each image, where there are labels.
        clusters: patient of each image; without it every image is one of its own.
        described: what the set is, as far as distances to it or of it depend on that: its pixels, and whose they are.
    """

    features: NDArray[np.float32]
    labels: Sequence[str] | None = None
    clusters: Sequence[str] | None = None
    described: str = ""

    def __post_init__(self) -> None:
        for name, values in (("labels", self.labels), ("clusters", self.clusters)):
            if values is not None and len(values) != len(self.features):
                raise ValueError(f"{len(values)} {name} for {len(self.features)} images")

    @property
    def patients(self) -> NDArray[np.str_]:
        """(n,) the patient of each image, or its position."""
        return np.asarray(range(len(self.features)) if self.clusters is None else self.clusters).astype(str)

    def of(self, label: str) -> FeatureSet:
        """The images of one label."""
        where = np.flatnonzero(np.asarray(self.labels) == label)
        return FeatureSet(self.features[where], clusters=self.patients[where].tolist())


@dataclass(frozen=True)
class ImageSet:
    """Grey images of one set.

    Attributes:
        images: uint8 (n, h, w).
        labels: of each image, where there are labels.
        clusters: patient of each image; without it every image is one of its own.
    """

    images: NDArray[np.uint8]
    labels: Sequence[str] | None = None
    clusters: Sequence[str] | None = None

    @property
    def described(self) -> str:
        """Their size as text, width first: `64x64 pixels`."""
        return f"{self.images.shape[2]}x{self.images.shape[1]} pixels"


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
        FeatureSet(
            extract(part.images, extractor, chosen.batch_size, progress), part.labels, part.clusters, part.described
        )
        for part in (real, synthetic)
    ]
    result = fidelity_from_features(found[0], found[1], extractor.describe(), chosen)
    if real.described == synthetic.described:
        return result
    told = f"real images have {real.described}, synthetic ones {synthetic.described}: resize both alike, e.g. --size 64"
    return result.model_copy(update={"warnings": (told, *result.warnings)})


def fidelity_from_features(
    real: FeatureSet,
    synthetic: FeatureSet,
    extractor: dict[str, str | int],
    options: FidelityOptions | None = None,
    pool: FeatureSet | None = None,
) -> FidelityResult:
    """As `fidelity`, from features.

    Args:
        real: the reference.
        synthetic: what is measured.
        extractor: what `Extractor.describe` gave.
        options: what may be varied.
        pool: real images of the reference's own population whose halves give the floor; default: the reference.

    Returns:
        Distances pooled and per class. Classes are those of the real set, in the order of their names, where both sets
        have labels. A class without at least two images on both sides has the value None and a reason.
    """
    chosen = options or FidelityOptions()
    pooled = _distances(real, synthetic, pool or real, chosen)
    if chosen.replicates and pooled.fid.value is not None:
        pooled = _with_intervals(pooled, real, synthetic, chosen)
    per_class = {}
    if real.labels is not None and synthetic.labels is not None:
        for label in sorted(set(real.labels) | set(synthetic.labels)):
            from_pool = pool.of(label) if pool is not None and pool.labels is not None else real.of(label)
            per_class[label] = _distances(real.of(label), synthetic.of(label), from_pool, chosen)
    return FidelityResult(
        extractor=extractor,
        pooled=pooled,
        sets=(real.described, synthetic.described),
        per_class=per_class,
        further=_further(real, synthetic, chosen),
        warnings=_warnings(pooled, per_class, real),
    )


def _distances(real: FeatureSet, synthetic: FeatureSet, pool: FeatureSet, options: FidelityOptions) -> SetDistances:
    a, b = real.features, synthetic.features
    if min(len(a), len(b)) < 2:
        reason = f"needs two images on each side; there are {len(a)} real and {len(b)} synthetic"
        undefined = [Metric(value=None, reason=reason, definition=text) for text in (FID_DEFINITION, KID_DEFINITION)]
        return SetDistances(n_real=len(a), n_synthetic=len(b), fid=undefined[0], kid=undefined[1])
    kernel = kernel_distance(a, b, options.kid_subsets, options.kid_subset_size, options.seed)
    splits = draw_splits(pool.patients, len(a), len(b), options.floor_splits, options.floor_seed)
    kid = Metric(
        value=kernel.value,
        definition=KID_DEFINITION,
        std=kernel.std,
        subsets=kernel.subsets,
        subset_size=kernel.subset_size,
        **_floor(squared_mmd, (pool.features, a, b), splits, options.floor_splits),
    )
    fid = Metric(
        value=frechet_distance(a, b),
        definition=FID_DEFINITION,
        **_floor(frechet_distance, (pool.features, a, b), splits, options.floor_splits),
    )
    return SetDistances(n_real=len(a), n_synthetic=len(b), fid=fid, kid=kid)


def _floor(
    distance: Distance, sets: tuple[Features, Features, Features], splits: list[Split], wanted: int
) -> dict[str, Any]:
    if not splits:
        return {"ratio_reason": NO_FLOOR} if wanted else {}
    found = floor(*sets, splits=splits, distance=distance)
    told: dict[str, Any] = {
        "floor": found.real,
        "floor_sd": found.real_sd,
        "floor_n": found.n,
        "floor_splits": found.splits,
        "ratio": found.ratio,
    }
    if found.ratio is None:
        told["ratio_reason"] = "the floor lies within its spread of 0: halves of real images cannot be told apart"
    return told


def _with_intervals(
    pair: SetDistances, real: FeatureSet, synthetic: FeatureSet, options: FidelityOptions
) -> SetDistances:
    found = spreads(real.features, synthetic.features, real.patients, options.replicates, options.seed)
    if isinstance(found, str):
        return pair.model_copy(
            update={name: getattr(pair, name).model_copy(update={"interval": found}) for name in ("fid", "kid")}
        )
    changed = {}
    for name, spread, lowest in (("fid", found[0], 0.0), ("kid", found[1], None)):
        metric: Metric = getattr(pair, name)
        low, high = spread.interval(metric.value or 0.0, lowest)
        facts = {"ci_low": low, "ci_high": high, "sd": spread.sd, "sd_reference": spread.sd_reference}
        changed[name] = metric.model_copy(update={**facts, "replicates": options.replicates, "interval": INTERVAL})
    return pair.model_copy(update=changed)


def _further(real: FeatureSet, synthetic: FeatureSet, options: FidelityOptions) -> dict[str, Metric]:
    a, b = real.features, synthetic.features
    if min(len(a), len(b)) < 2:
        return {}
    infinity = frechet_infinity(a, b, options.seed)
    if isinstance(infinity, str):
        found = {"fid_infinity": Metric(value=None, reason=infinity, definition=INFINITY_DEFINITION)}
    else:
        found = {"fid_infinity": Metric(definition=INFINITY_DEFINITION, **vars(infinity))}
    if not options.k:
        return found
    if min(len(a), len(b)) <= options.k:
        reason = f"needs more than {options.k} images on each side"
        return found | {
            name: Metric(value=None, reason=reason, direction="higher", definition=text, k=options.k)
            for name, text in MANIFOLD_DEFINITIONS.items()
        }
    shares = manifold(a, b, options.k)
    return found | {
        name: Metric(value=getattr(shares, name), direction="higher", definition=text, k=options.k)
        for name, text in MANIFOLD_DEFINITIONS.items()
    }


def _warnings(pooled: SetDistances, per_class: dict[str, SetDistances], real: FeatureSet) -> tuple[str, ...]:
    dimension = real.features.shape[1]
    said = []
    if real.clusters is None:
        said.append("no patients given: each real image counts as one of its own, in the floor and in the intervals")
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
