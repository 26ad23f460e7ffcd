"""The shipped encoder and the command that trains it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from benchmark.errors import BenchError
from benchmark.fidelity import extract, load_extractor, train_ultrasound
from benchmark.fidelity.extractors import SHIPPED_WEIGHTS
from benchmark.fidelity.ultrasound import DIMENSION
from benchmark.fidelity.ultrasound_tasks import degrade, gaussian_blur
from benchmark.keys import file_sha256


def smooth_images(n: int, size: int, seed: int = 0) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, size=(n, 8, 8), dtype=np.uint8)
    return np.stack([np.asarray(Image.fromarray(c).resize((size, size), Image.Resampling.BICUBIC)) for c in coarse])


def test_shipped_weights_load_offline_and_take_at_most_8_mib():
    extractor = load_extractor("ultrasound", offline=True)
    assert SHIPPED_WEIGHTS.stat().st_size <= 8 * 2**20
    assert extractor.weights_sha256 == file_sha256(SHIPPED_WEIGHTS)
    assert extractor.weights_sha256 in (SHIPPED_WEIGHTS.parent / "README.md").read_text()
    assert extract(smooth_images(3, 64), extractor).shape == (3, DIMENSION)


def test_features_do_not_depend_on_the_company_in_a_batch():
    extractor, images = load_extractor("ultrasound"), smooth_images(7, 64)
    assert np.abs(extract(images, extractor, 1) - extract(images, extractor, 7)).max() < 1e-4


def test_a_larger_image_of_the_same_scene_lies_nearer_than_another_scene():
    extractor = load_extractor("ultrasound")
    small, large = (extract(smooth_images(4, size), extractor) for size in (64, 128))
    apart = np.linalg.norm(small - small[[1, 2, 3, 0]], axis=1)
    assert (np.linalg.norm(small - large, axis=1) < 0.5 * apart).all()


def test_training_on_an_exported_folder_gives_weights_that_load_and_repeat(tmp_path: Path):
    for i, image in enumerate(smooth_images(72, 64)):
        folder = tmp_path / "images" / ("brain" if i % 2 else "femur")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{i:02d}.png")
    digests = set()
    for name in ("one", "two"):
        out = tmp_path / f"{name}.safetensors"
        assert train_ultrasound.main(["--images", str(tmp_path / "images"), "--out", str(out), "--steps", "2"]) == 0
        digests.add(load_extractor("ultrasound", out).weights_sha256)
    assert len(digests) == 1


def test_training_on_a_flat_folder_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    Image.new("L", (8, 8)).save(tmp_path / "0.png")
    assert train_ultrasound.main(["--images", str(tmp_path), "--out", str(tmp_path / "x")]) == 2
    assert "fulora-bench export" in capsys.readouterr().err


def test_weights_of_another_network_are_refused(tmp_path: Path):
    other = tmp_path / "other.safetensors"
    other.write_bytes(b"no tensors")
    with pytest.raises(BenchError, match=r"other\.safetensors holds no weights of the ultrasound encoder"):
        load_extractor("ultrasound", other)


def test_blur_zero_leaves_an_image_and_more_blur_leaves_less_detail():
    images = torch.rand((3, 1, 64, 64), generator=torch.Generator().manual_seed(0))
    found = gaussian_blur(images, torch.tensor([0.0, 0.8, 2.0]))
    assert torch.allclose(found[0], images[0], atol=1e-6)
    assert found[0].std() > 2 * found[1].std() > 4 * found[2].std()


def test_degraded_images_are_bounded_and_their_amounts_normalised():
    exercise = degrade(torch.rand((16, 1, 64, 64)), torch.Generator().manual_seed(0))
    assert 0 <= exercise.images.min() <= exercise.images.max() <= 1
    assert exercise.amounts.abs().max() <= 1
    assert exercise.pictures.shape == (16, 256)
