"""`inception` must give what torch-fidelity gives for the same weights file, and what torchmetrics gives is pinned.

torchmetrics holds the same network. Since 1.8 it resizes with antialiasing unless told otherwise, so its figures are
others for the same images; see docs/fidelity.md.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch_fidelity
from PIL import Image
from torch_fidelity.feature_extractor_inceptionv3 import BasicConv2d, FeatureExtractorInceptionV3
from torchmetrics.image.fid import FrechetInceptionDistance, _compute_fid
from torchmetrics.image.kid import KernelInceptionDistance

from benchmark.fidelity import (
    FidelityOptions,
    ImageSet,
    extract,
    fidelity,
    frechet_distance,
    kernel_distance,
    load_extractor,
    read_folder,
)
from benchmark.fidelity.features import grey_to_channels
from benchmark.fidelity.statistics import feature_statistics

N = 20


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights in torch-fidelity's own file format; scaled so that features neither vanish nor explode."""
    path = tmp_path_factory.mktemp("weights") / "inception.pth"
    torch.manual_seed(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FeatureExtractorInceptionV3, "load_state_dict", lambda self, state: None)
        patch.setattr(torch, "load", lambda *args, **kwargs: {})
        network = FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], feature_extractor_weights_path="none")
    for module in network.modules():
        if isinstance(module, BasicConv2d):
            torch.nn.init.kaiming_normal_(module.conv.weight, nonlinearity="relu")
    torch.save(network.state_dict(), path)
    return path


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("folders")
    random = np.random.default_rng(0)
    for name, contrast in (("real", 60), ("synthetic", 30)):
        (root / name).mkdir()
        for i in range(N):
            coarse = random.normal(110, contrast, size=(6, 6)).clip(0, 255).astype(np.uint8)
            Image.fromarray(coarse).resize((48, 40), Image.Resampling.BICUBIC).save(root / name / f"{i}.png")
    return root / "real", root / "synthetic"


@pytest.mark.slow
def test_fid_and_kid_agree_with_torch_fidelity(weights: Path, folders: tuple[Path, Path]):
    theirs = torch_fidelity.calculate_metrics(
        input1=str(folders[0]),
        input2=str(folders[1]),
        cuda=False,
        fid=True,
        kid=True,
        kid_subsets=5,
        kid_subset_size=12,
        rng_seed=7,
        feature_extractor_weights_path=str(weights),
        cache=False,
        save_cpu_ram=True,
        verbose=False,
    )
    ours = fidelity(
        ImageSet(read_folder(folders[0])),
        ImageSet(read_folder(folders[1])),
        load_extractor("inception", weights),
        FidelityOptions(kid_subsets=5, kid_subset_size=12, seed=7, floor_splits=0, replicates=0, k=0),
    ).pooled
    assert theirs["frechet_inception_distance"] > 0
    assert ours.fid.value == pytest.approx(theirs["frechet_inception_distance"], rel=1e-3)
    assert ours.kid.value == pytest.approx(theirs["kernel_inception_distance_mean"], abs=1e-6)
    assert ours.kid.std == pytest.approx(theirs["kernel_inception_distance_std"], abs=1e-6)


def speckled(n: int, seed: int, grain: float) -> np.ndarray:
    """Images larger than the network's 299 pixels, with detail that a resize without antialiasing folds back."""
    random = np.random.default_rng(seed)
    coarse = random.normal(110, 40, size=(n, 8, 8)).clip(0, 255).astype(np.uint8)
    smooth = [np.asarray(Image.fromarray(c).resize((448, 448), Image.Resampling.BICUBIC), float) for c in coarse]
    return (np.stack(smooth) + random.normal(0, grain, size=(n, 448, 448))).clip(0, 255).astype(np.uint8)


@pytest.mark.slow
def test_torchmetrics_agrees_without_antialiasing_and_not_with_its_default(weights: Path):
    sets = [speckled(6, seed, grain) for seed, grain in ((0, 10.0), (1, 60.0))]
    ours = [extract(part, load_extractor("inception", weights)) for part in sets]
    distances = {}
    for antialias in (False, True):
        network = FrechetInceptionDistance(feature_extractor_weights_path=str(weights), antialias=antialias).inception
        with torch.inference_mode():
            theirs = [network(grey_to_channels(part).contiguous()).numpy() for part in sets]
        distances[antialias] = frechet_distance(*theirs)
        if not antialias:
            for mine, other in zip(ours, theirs, strict=True):
                assert np.abs(mine - other).max() < 1e-4 * np.abs(mine).max()
    assert FrechetInceptionDistance(feature_extractor_weights_path=str(weights)).inception.use_antialias
    reference = frechet_distance(*ours)
    assert distances[False] == pytest.approx(reference, rel=1e-3)
    assert abs(distances[True] - reference) > 0.2 * reference


def test_torchmetrics_formula_is_ours_where_images_outnumber_features():
    random = np.random.default_rng(0)
    a, b = random.normal(size=(60, 8)), random.normal(size=(50, 8)) * 1.3 + 0.4
    moments = [(part.mean, part.covariance) for part in map(feature_statistics, (a, b))]
    theirs = _compute_fid(*(torch.from_numpy(value) for pair in moments for value in pair))
    assert frechet_distance(a, b) == pytest.approx(float(theirs), rel=1e-9)


def test_torchmetrics_kid_fails_by_default_below_a_thousand_images_and_ours_lowers_the_subset():
    random = np.random.default_rng(0)
    a, b = (random.normal(size=(999, 4)).astype(np.float32) for _ in range(2))
    metric = KernelInceptionDistance(feature=torch.nn.Identity())
    metric.update(torch.from_numpy(a), real=True)
    metric.update(torch.from_numpy(b), real=False)
    with pytest.raises(ValueError, match="subset_size"):
        metric.compute()
    assert kernel_distance(a, b, subsets=1).subset_size == 999
