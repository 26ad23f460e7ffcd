"""`inception` must give what torch-fidelity gives for the same folders and the same weights file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch_fidelity
from PIL import Image
from torch_fidelity.feature_extractor_inceptionv3 import BasicConv2d, FeatureExtractorInceptionV3

from benchmark.fidelity import FidelityOptions, ImageSet, fidelity, load_extractor, read_folder

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
        FidelityOptions(kid_subsets=5, kid_subset_size=12, seed=7),
    ).pooled
    assert theirs["frechet_inception_distance"] > 0
    assert ours.fid.value == pytest.approx(theirs["frechet_inception_distance"], rel=1e-3)
    assert ours.kid.value == pytest.approx(theirs["kernel_inception_distance_mean"], abs=1e-6)
    assert ours.kid.std == pytest.approx(theirs["kernel_inception_distance_std"], abs=1e-6)
