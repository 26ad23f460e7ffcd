from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from benchmark.errors import BenchError, UnknownNameError, UsageError
from benchmark.keys import file_sha256
from benchmark.utility.backbones import BACKBONES, BackboneSpec, create_backbone, weights_sha256


def test_the_study_s_five_backbones_and_a_default_are_listed_without_importing_torch() -> None:
    assert sum(info.paper for info in BACKBONES.values()) == 5
    code = (
        "import sys, benchmark.utility.backbones, benchmark.utility.recipe, benchmark.utility.definitions;"
        "assert not {'torch', 'timm', 'sklearn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", ["test_resnet", "vit_tiny_patch16_224"])
def test_a_backbone_takes_one_grey_channel_at_any_size_and_gives_five_logits(name: str) -> None:
    network = create_backbone(BackboneSpec(name), 64).eval()
    assert network(torch.rand(2, 1, 64, 64)).shape == (2, 5)


def test_an_unknown_backbone_gets_the_nearest_name() -> None:
    with pytest.raises(UnknownNameError, match="resnet18"):
        create_backbone(BackboneSpec("resnet_18x"), 64)


def test_weights_of_a_file_are_loaded_but_for_the_head_and_grey_equals_three_channels(tmp_path: Path) -> None:
    import timm

    torch.manual_seed(0)
    colour = timm.create_model("test_resnet", num_classes=7).eval()
    path = tmp_path / "weights.safetensors"
    save_file(colour.state_dict(), path)
    spec = BackboneSpec("test_resnet", str(path))
    network = create_backbone(spec, 64).eval()
    grey = torch.rand(2, 1, 64, 64)
    expected = colour.forward_features(grey.repeat(1, 3, 1, 1))
    assert torch.allclose(network.forward_features(grey), expected, atol=1e-5)
    assert weights_sha256(spec) == file_sha256(path)
    assert weights_sha256(BackboneSpec("test_resnet")) == ""


def test_weights_that_do_not_fit_are_refused_and_never_replaced_by_random_ones(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"conv.weight": torch.zeros(3)}, path)
    with pytest.raises(BenchError, match=r"other.safetensors does not fit"):
        create_backbone(BackboneSpec("test_resnet", str(path)), 64)
    path.write_bytes(b"not weights")
    with pytest.raises(BenchError, match="cannot be read as weights"):
        create_backbone(BackboneSpec("test_resnet", str(path)), 64)
    with pytest.raises(UsageError, match="no weights file"):
        create_backbone(BackboneSpec("test_resnet", str(tmp_path / "nowhere.pth")), 64)


def test_pretrained_weights_that_are_not_cached_say_which_file_to_bring(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(BenchError, match=r"timm/resnet18\.tv_in1k, and it is not in the local cache"):
        create_backbone(BackboneSpec("resnet18", "pretrained"), 64, offline=True)
