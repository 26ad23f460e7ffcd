"""The embedded base pipeline: what is shipped, and the parts that made it."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from baselines.base_model import architecture, autoencoder, images, progress, tokenizer, train
from benchmark.classes import CLASSES, PROMPTS
from benchmark.errors import UsageError
from benchmark.keys import file_sha256

ROOM = Path(train.__file__).parent
PIPELINE = ROOM / "pipeline"


@pytest.fixture(scope="module")
def pipeline():
    from baselines.base_model.check import load_pipeline

    return load_pipeline(PIPELINE)


def _draw(pipeline: Any, prompts: list[str], **options: Any) -> np.ndarray:
    generator = torch.Generator().manual_seed(0)
    return pipeline(prompts, num_inference_steps=2, generator=generator, output_type="np", **options).images


def test_the_shipped_folder_is_small_half_precision_and_names_no_path():
    files = [path for path in PIPELINE.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 16 * 1024 * 1024
    for path in PIPELINE.rglob("*.safetensors"):
        assert b'"F16"' in path.read_bytes()[:2000]
    for path in PIPELINE.rglob("*.json"):
        assert "/" not in json.dumps(json.loads(path.read_text()).get("_name_or_path", ""))


def test_the_card_and_the_record_name_the_weights_that_are_shipped():
    recorded = json.loads((ROOM / "training.json").read_text())["weights_sha256"]
    card = (ROOM / "README.md").read_text()
    shipped = {path.relative_to(PIPELINE).as_posix(): file_sha256(path) for path in PIPELINE.rglob("*.safetensors")}
    assert recorded == shipped
    assert all(digest in card for digest in shipped.values())


def test_the_shipped_classes_are_those_of_stable_diffusion(pipeline: Any):
    index = json.loads((PIPELINE / "model_index.json").read_text())
    assert index["unet"] == ["diffusers", "UNet2DConditionModel"]
    assert index["vae"] == ["diffusers", "AutoencoderKL"]
    assert index["text_encoder"] == ["transformers", "CLIPTextModel"]
    assert index["tokenizer"] == ["transformers", "CLIPTokenizer"]
    assert pipeline.safety_checker is None
    assert pipeline.unet.config.cross_attention_dim == pipeline.text_encoder.config.hidden_size


def test_a_seed_fixes_the_image_and_the_caption_changes_it(pipeline: Any):
    first = _draw(pipeline, [PROMPTS["brain"]])
    assert first.shape == (1, 64, 64, 3)
    assert np.isfinite(first).all()
    assert np.array_equal(first, _draw(pipeline, [PROMPTS["brain"]]))
    assert not np.allclose(first, _draw(pipeline, [PROMPTS["femur"]]), atol=0.02)


def test_the_text_encoder_can_be_read_one_layer_early(pipeline: Any):
    tokens = pipeline.tokenizer([PROMPTS["brain"], ""], padding="max_length", return_tensors="pt").input_ids
    encoder = pipeline.text_encoder
    with torch.no_grad():
        states = encoder(tokens, output_hidden_states=True)
        last, early = (encoder.final_layer_norm(states.hidden_states[-skip]) for skip in (1, 2))
    assert torch.allclose(last, states.last_hidden_state, atol=1e-5)
    assert last.shape == (2, tokenizer.MAX_LENGTH, architecture.TEXT_WIDTH)
    assert not torch.allclose(early, last, atol=0.1)


def test_every_caption_word_is_one_token_and_any_text_tokenizes():
    made = tokenizer.build_tokenizer(PROMPTS.values())
    for caption in PROMPTS.values():
        assert len(made(caption).input_ids) == len(caption.split()) + 2
    assert made.unk_token_id not in made("Ünknown wörds, 37 weeks!").input_ids[1:-1]
    assert made.model_max_length == tokenizer.MAX_LENGTH


def test_whitening_levels_the_latents_and_leaves_reconstructions_alone():
    torch.manual_seed(0)
    model = architecture.build_autoencoder().eval()
    pictures = torch.rand(6, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        before = model.encode(pictures).latent_dist
        image = model.decode(before.mean).sample
        center, spread = before.mean.mean((0, 2, 3)), before.mean.std((0, 2, 3))
        autoencoder.whiten_latents(model, center, spread)
        after = model.encode(pictures).latent_dist
        again = model.decode(after.mean).sample
    assert torch.allclose(after.mean.mean((0, 2, 3)), torch.zeros(8), atol=1e-4)
    assert torch.allclose(after.mean.std((0, 2, 3)), torch.ones(8), atol=1e-4)
    assert torch.allclose(after.std * spread.view(1, -1, 1, 1), before.std, rtol=1e-3)
    assert torch.allclose(image, again, atol=1e-4)


def test_the_texture_loss_prefers_other_speckle_to_blur():
    generator = torch.Generator().manual_seed(0)
    real, other = torch.randn(2, 1, 1, 64, 64, generator=generator) * 0.3
    blurred = torch.nn.functional.avg_pool2d(real, 5, stride=1, padding=2)
    wanted = autoencoder.texture(real)
    assert (autoencoder.texture(other) - wanted).abs().mean() < (autoencoder.texture(blurred) - wanted).abs().mean()


def test_the_learning_rate_rises_holds_and_falls():
    shape = [progress.rate_shape(spent, int(1000 * spent)) for spent in (0.0, 0.5, 0.69, 0.85, 1.0)]
    assert shape == pytest.approx([1 / 200, 1.0, 1.0, 0.5, 0.02])


def _folder(root: Path, size: int = 64) -> Path:
    pixels = np.random.default_rng(0).integers(0, 255, (5, 4, size, size), dtype=np.uint8)
    for label, pictures in zip(CLASSES, pixels, strict=True):
        (root / label).mkdir(parents=True)
        for number, picture in enumerate(pictures):
            Image.fromarray(picture).save(root / label / f"{number}.png")
    return root


def test_a_folder_without_a_class_or_of_another_size_is_refused(tmp_path: Path):
    with pytest.raises(UsageError, match="fulora-bench export"):
        images.load_folder(tmp_path / "nothing", tmp_path / "cache")
    with pytest.raises(UsageError, match="64 x 64"):
        images.load_folder(_folder(tmp_path / "large", size=32), tmp_path / "cache")


def test_training_resumes_to_the_same_weights_as_an_undisturbed_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(autoencoder, "BATCH", 2)
    for stage in ("denoiser", "decoder"):
        monkeypatch.setattr(f"baselines.base_model.{stage}.BATCH", 2)
    source = _folder(tmp_path / "images")

    def made(name: str, plan: list[tuple[int, int]]) -> dict[str, str]:
        for vae_steps, unet_steps in plan:
            out = tmp_path / name / "pipeline"
            train.train(
                Namespace(
                    images=source, out=out, work=tmp_path / name / "work", vae_steps=vae_steps, vae_minutes=None,
                    unet_steps=unet_steps, unet_minutes=None, decoder_steps=1, decoder_minutes=None, seed=0,
                )
            )  # fmt: skip
        return json.loads((tmp_path / name / "training.json").read_text())["weights_sha256"]

    whole = made("whole", [(1, 2)])
    assert made("broken", [(1, 1), (1, 2)]) == whole
