"""DINOv2 comes from a local file in either layout, and from nowhere else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

from benchmark.errors import BenchError
from benchmark.fidelity import extract, load_extractor

NAME = "vit_small_patch14_dinov2"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Random weights of the small architecture: in timm's layout, and in that of the original checkpoints."""
    folder = tmp_path_factory.mktemp("dinov2")
    torch.manual_seed(0)
    state = timm.create_model(NAME, pretrained=False, num_classes=0, img_size=224).state_dict()
    state = {name: tensor + 0.02 * torch.randn_like(tensor) for name, tensor in state.items()}
    save_file(state, folder / "model.safetensors")
    torch.save({**state, "mask_token": torch.zeros(1, state["cls_token"].shape[-1])}, folder / "original.pth")
    return folder / "model.safetensors", folder / "original.pth"


def test_both_layouts_give_the_class_token_of_the_whole_network(files: tuple[Path, Path]):
    images = np.random.default_rng(0).integers(0, 255, size=(2, 64, 64)).astype(np.uint8)
    found = [extract(images, load_extractor("dinov2", path)) for path in files]
    assert np.allclose(found[0], found[1], atol=1e-5)
    assert found[0].shape == (2, 384)
    network = timm.create_model(NAME, pretrained=False, num_classes=0, img_size=224)
    network.load_state_dict(load(files[0]))
    pixels = torch.from_numpy(images)[:, None].expand(-1, 3, -1, -1).float() / 255
    large = torch.nn.functional.interpolate(pixels, (224, 224), mode="bicubic", antialias=True).clamp(0, 1)
    mean, sd = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.inference_mode():
        expected = network.eval()((large - mean.view(3, 1, 1)) / sd.view(3, 1, 1))
    assert np.allclose(found[0], expected.numpy(), atol=1e-4)


def load(path: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return load_file(path)


def test_the_place_embeddings_of_a_published_file_are_resampled_to_the_smaller_grid(
    tmp_path: Path, files: tuple[Path, Path]
):
    state = load(files[0])
    large = torch.randn(1, 1 + 37 * 37, 384)
    save_file({**state, "pos_embed": large}, tmp_path / "published.safetensors")
    grid = large[:, 1:].reshape(1, 37, 37, 384).permute(0, 3, 1, 2)
    small = torch.nn.functional.interpolate(grid, (16, 16), mode="bicubic", antialias=True)
    state["pos_embed"] = torch.cat([large[:, :1], small.permute(0, 2, 3, 1).reshape(1, 256, 384)], dim=1)
    save_file(state, tmp_path / "resampled.safetensors")
    images = np.random.default_rng(1).integers(0, 255, size=(1, 64, 64)).astype(np.uint8)
    found = [
        extract(images, load_extractor("dinov2", tmp_path / f"{name}.safetensors"))
        for name in ("published", "resampled")
    ]
    assert np.allclose(found[0], found[1], atol=1e-5)


def test_the_record_says_what_makes_its_figures_comparable(files: tuple[Path, Path]):
    told = load_extractor("dinov2", files[0]).describe()
    assert told["backend"] == f"timm {NAME}"
    assert told["dimension"] == 384
    assert told["precision"] == "fp32"
    assert "bicubic" in str(told["resize"])


@pytest.mark.parametrize("offline", [True, False])
def test_without_a_file_it_says_which_to_fetch_and_downloads_nothing(offline: bool):
    with pytest.raises(BenchError, match=r"dinov2_vits14_pretrain\.pth.*--weights FILE"):
        load_extractor("dinov2", offline=offline)


def test_other_files_are_refused(tmp_path: Path, files: tuple[Path, Path]):
    save_file({"cls_token": torch.zeros(1, 1, 99)}, tmp_path / "width.safetensors")
    with pytest.raises(BenchError, match="width 99"):
        load_extractor("dinov2", tmp_path / "width.safetensors")
    state = load(files[0])
    state.pop("norm.bias")
    save_file(state, tmp_path / "part.safetensors")
    with pytest.raises(BenchError, match="holds no weights"):
        load_extractor("dinov2", tmp_path / "part.safetensors")
    (tmp_path / "text.pth").write_text("not a checkpoint")
    with pytest.raises(BenchError, match="holds no weights"):
        load_extractor("dinov2", tmp_path / "text.pth")
    torch.save({"cls_token": Path("x")}, tmp_path / "code.pth")
    with pytest.raises(BenchError, match="holds no weights"):
        load_extractor("dinov2", tmp_path / "code.pth")
