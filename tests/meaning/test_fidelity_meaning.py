"""What fidelity must say of sets whose faults are known, with the shipped encoder.

On the phantom always; on real images where FULORA_BENCH_REAL_DATA names a folder with the published layouts
(`FETAL_PLANES_ZENODO`, `Zenodo_dataset`).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from benchmark.cohorts.phantom import draw_phantom
from benchmark.fidelity import (
    Extractor,
    FidelityOptions,
    FidelityResult,
    ImageSet,
    extract,
    fidelity,
    load_extractor,
    read_folder,
)

FAST = FidelityOptions(kid_subsets=10, kid_subset_size=40, floor_splits=2, replicates=0)
REAL_DATA = "FULORA_BENCH_REAL_DATA"


@dataclass(frozen=True)
class Labelled:
    images: np.ndarray
    labels: np.ndarray

    def at(self, positions: np.ndarray) -> Labelled:
        return Labelled(self.images[positions], self.labels[positions])


def blurred(part: Labelled, sigma: float) -> Labelled:
    smooth = [gaussian_filter(image.astype(np.float32), sigma) for image in part.images]
    return Labelled(np.stack(smooth).round().astype(np.uint8), part.labels)


def noisy(part: Labelled, spread: float) -> Labelled:
    noise = np.random.default_rng(1).normal(size=part.images.shape)
    return Labelled((part.images + spread * noise).clip(0, 255).round().astype(np.uint8), part.labels)


def class_swapped(part: Labelled, share: float) -> Labelled:
    """A share of the brain images gives way to copies of femur images."""
    brain, femur = (np.flatnonzero(part.labels == label) for label in ("brain", "femur"))
    positions = np.arange(len(part.images))
    swapped = brain[: round(share * len(brain))]
    positions[swapped] = np.resize(femur, len(swapped))
    return part.at(positions)


def modes_dropped(part: Labelled, dropped: float) -> Labelled:
    """The first classes are left out, the others repeated to the same number of images."""
    gone = sorted(set(part.labels))[: int(dropped)]
    kept = np.flatnonzero(~np.isin(part.labels, gone))
    return part.at(np.resize(kept, len(part.images)))


FAULTS: dict[str, tuple[Callable[[Labelled, float], Labelled], tuple[float, ...]]] = {
    "blur": (blurred, (0, 0.7, 1.0, 1.5, 2.0, 3.0)),
    "noise": (noisy, (0, 6, 12, 20, 30, 45)),
    "class swap": (class_swapped, (0, 0.5, 1.0)),
    "dropped modes": (modes_dropped, (0, 1, 2, 3)),
}


def phantom() -> Labelled:
    cohort = draw_phantom("phantom-pretraining", size=64, seed=1, images=300, draw=2)
    return Labelled(np.asarray(cohort.pixels), cohort.table["label"].to_numpy(dtype=str))


def spain(root: Path) -> Labelled:
    folder = root / "FETAL_PLANES_ZENODO"
    table = pd.read_csv(folder / "FETAL_PLANES_DB_data.csv", sep=";")
    files = [folder / "Images" / f"{name}.png" for name in table["Image_name"]]
    return real(files, table["Plane"])


def africa(root: Path) -> Labelled:
    folder = root / "Zenodo_dataset"
    table = pd.read_csv(folder / "African_planes_database.csv")
    files = [folder / c / f"{name}.png" for c, name in zip(table["Center"], table["Filename"], strict=True)]
    return real(files, table["Plane"])


def real(files: list[Path], planes: pd.Series) -> Labelled:
    rows = [(file, plane.removeprefix("Fetal ").lower()) for file, plane in zip(files, planes, strict=True)]
    rows = [(file, plane) for file, plane in rows if file.exists() and plane != "maternal cervix"]
    pixels = [
        np.asarray(Image.open(file).convert("L").resize((64, 64), Image.Resampling.BOX), dtype=np.uint8)
        for file, _ in rows
    ]
    return Labelled(np.stack(pixels), np.array([plane for _, plane in rows]))


@pytest.fixture(scope="module", params=["phantom", "spain", "africa"])
def cohort(request: pytest.FixtureRequest) -> Labelled:
    if request.param == "phantom":
        return phantom()
    root = os.environ.get(REAL_DATA)
    if root is None:
        pytest.skip(f"{REAL_DATA} is not set")
    return {"spain": spain, "africa": africa}[request.param](Path(root))


@pytest.fixture(scope="module")
def encoder() -> Extractor:
    return load_extractor("ultrasound")


def halves(part: Labelled) -> tuple[Labelled, Labelled]:
    """Two random halves that hold every class alike."""
    order = np.random.default_rng(0).permutation(len(part.images))
    order = order[np.argsort(part.labels[order], kind="stable")]
    return part.at(order[::2]), part.at(order[1::2])


def measured(real_part: Labelled, other: Labelled, encoder: Extractor) -> FidelityResult:
    return fidelity(ImageSet(real_part.images), ImageSet(other.images), encoder, FAST)


@pytest.mark.parametrize("fault", FAULTS)
def test_fid_and_kid_rise_with_every_step_of_a_fault(fault: str, cohort: Labelled, encoder: Extractor):
    reference, candidate = halves(cohort)
    spoil, severities = FAULTS[fault]
    found = [measured(reference, spoil(candidate, severity), encoder).pooled for severity in severities]
    for name, values in (("FID", [f.fid.value for f in found]), ("KID", [f.kid.value for f in found])):
        assert np.all(np.diff(np.array(values, dtype=float)) > 0), f"{name} over {severities}: {values}"


def test_dropped_modes_lower_recall_and_coverage_and_leave_precision(cohort: Labelled, encoder: Extractor):
    reference, candidate = halves(cohort)
    whole, collapsed = (measured(reference, part, encoder).further for part in (candidate, modes_dropped(candidate, 3)))
    for name in ("recall", "coverage"):
        assert (collapsed[name].value or 0) < 0.9 * (whole[name].value or 0)
    assert (collapsed["precision"].value or 0) > 0.9 * (whole["precision"].value or 0)


def test_identical_sets_have_fid_zero_and_lie_in_and_fill_each_other(cohort: Labelled, encoder: Extractor):
    result = measured(cohort, cohort, encoder)
    found = result.pooled
    assert found.fid.value == pytest.approx(0, abs=1e-9)
    assert [result.further[name].value for name in ("precision", "recall", "coverage")] == [1, 1, 1]
    assert found.kid.value is not None
    assert found.kid.value <= 0


def test_mode_collapse_keeps_precision_and_loses_recall_and_coverage(cohort: Labelled, encoder: Extractor):
    reference, candidate = halves(cohort)
    few = np.random.default_rng(3).permutation(len(candidate.images))[:3]
    whole = measured(reference, candidate, encoder).further
    collapsed = measured(reference, noisy(candidate.at(np.resize(few, len(candidate.images))), 1), encoder).further
    values = {name: (whole[name].value or 0, collapsed[name].value or 0) for name in whole}
    assert values["precision"][1] > values["precision"][0] - 0.15, values
    assert values["recall"][1] < 0.1 * values["recall"][0], values
    assert values["coverage"][1] < 0.4 * values["coverage"][0], values


def test_the_order_of_the_images_is_irrelevant(cohort: Labelled, encoder: Extractor):
    reference, candidate = halves(cohort)
    shuffled = candidate.at(np.random.default_rng(5).permutation(len(candidate.images)))
    first, second = (measured(reference, part, encoder).pooled for part in (candidate, shuffled))
    assert first.fid.value == pytest.approx(second.fid.value, rel=1e-4)


def test_real_images_of_the_same_cohort_lie_near_the_floor_and_degraded_ones_do_not(
    cohort: Labelled, encoder: Extractor
):
    reference, candidate = halves(cohort)
    clean, spoilt = (measured(reference, part, encoder).pooled.fid for part in (candidate, blurred(candidate, 2)))
    assert clean.ratio is not None
    assert spoilt.ratio is not None
    assert clean.ratio < 1.3 < spoilt.ratio


def test_classes_are_told_apart(encoder: Extractor):
    part = phantom()
    brain, femur = (part.at(np.flatnonzero(part.labels == label)) for label in ("brain", "femur"))
    one, other = halves(brain)
    assert measured(one, femur, encoder).pooled.kid.value > 3 * abs(measured(one, other, encoder).pooled.kid.value)


def test_a_tint_cannot_matter(tmp_path: Path, encoder: Extractor):
    grey = phantom().images[:6]
    for name in ("grey", "tinted"):
        (tmp_path / name).mkdir()
    for i, image in enumerate(grey):
        Image.fromarray(image).save(tmp_path / "grey" / f"{i}.png")
        luma_free = image.astype(np.float64)
        # Red up and blue down by amounts that leave the luma 0.299 R + 0.587 G + 0.114 B as it is.
        red, blue = luma_free + 0.114 * 60, luma_free - 0.299 * 60
        inside = (image > 30) & (image < 240)
        colour = np.where(inside[..., None], np.stack([red, luma_free, blue], axis=-1), image[..., None])
        Image.fromarray(colour.round().astype(np.uint8)).save(tmp_path / "tinted" / f"{i}.png")
    plain, tinted = (extract(read_folder(tmp_path / name), encoder) for name in ("grey", "tinted"))
    assert np.abs(plain - tinted).max() < 0.25 * plain.std()
