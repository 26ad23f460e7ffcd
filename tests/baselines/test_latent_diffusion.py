from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler

from baselines.base_untuned import BaseUntuned
from baselines.full_finetune import FullFinetune
from baselines.latent_diffusion import _batches, encode_tokens, load_pipeline, resized, to_gray, token_ids
from benchmark.contract import MissingData
from tests.baselines.conftest import Case
from tests.tiny_pipeline import build_tiny_pipeline


def test_clip_skip_leaves_out_exactly_that_many_last_layers(tiny_pipeline: Path) -> None:
    """kohya's clip skip 2 stops one layer before the end, which is 1 here and in diffusers."""
    pipeline = load_pipeline(tiny_pipeline)
    encoder, tokens = pipeline.text_encoder, token_ids(pipeline.tokenizer, ["a photo of fetal brain", ""])
    whole = encode_tokens(encoder, tokens, clip_skip=0)
    assert torch.allclose(whole, encoder(tokens).last_hidden_state, atol=1e-6)
    skipped = encode_tokens(encoder, tokens, clip_skip=1)
    encoder.encoder.layers = encoder.encoder.layers[:-1]
    assert torch.allclose(skipped, encoder(tokens).last_hidden_state, atol=1e-6)
    assert not torch.allclose(whole, skipped, atol=1e-3)


def test_gray_is_luma_and_a_gray_image_stays_what_it_is() -> None:
    primaries = torch.eye(3)[:, :, None, None]
    assert to_gray(primaries).flatten().tolist() == pytest.approx([0.299, 0.587, 0.114])
    gray = torch.rand(2, 1, 4, 4)
    assert torch.allclose(to_gray(gray.expand(-1, 3, -1, -1)), gray, atol=1e-6)
    assert torch.equal(to_gray(gray), gray)


def test_resizing_keeps_flat_images_flat_and_does_nothing_at_the_same_size() -> None:
    flat = torch.full((1, 1, 8, 8), 0.25)
    assert torch.allclose(resized(flat, 16), torch.full((1, 1, 16, 16), 0.25), atol=1e-5)
    assert resized(flat, 8) is flat


def test_every_image_is_seen_once_before_any_is_seen_again() -> None:
    stream = _batches(10, 4, torch.Generator().manual_seed(0))
    seen = torch.cat([next(stream) for _ in range(5)]).tolist()
    assert sorted(seen[:10]) == list(range(10)) == sorted(seen[10:])


def test_a_folder_without_a_pipeline_is_told(tmp_path: Path) -> None:
    with pytest.raises(MissingData, match="fulora-bench prepare base"):
        load_pipeline(tmp_path)


def test_an_image_depends_on_its_seed_and_not_on_its_batch(case: Callable[..., Case]) -> None:
    alone = case("base_untuned", parameters={"sample_batch": 1})
    together = case("base_untuned", parameters={"sample_batch": 3})
    few = BaseUntuned(alone.context).sample("brain", 2, alone.context).astype(int)
    many = BaseUntuned(together.context).sample("brain", 3, together.context).astype(int)
    assert np.abs(few - many[:2]).max() <= 1


def test_another_size_is_resized_and_said(case: Callable[..., Case]) -> None:
    made = case("base_untuned", image_size=48)
    context = made.context
    assert BaseUntuned(context).sample("brain", 2, context).shape == (2, 48, 48)
    assert "32 px" in context.notes[0] and "48 px" in context.notes[0]


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
def test_the_loss_is_zero_for_a_perfect_prediction(
    tmp_path: Path, case: Callable[..., Case], prediction_type: str
) -> None:
    folder = build_tiny_pipeline(tmp_path / "pipeline", prediction_type=prediction_type)
    diffusion = BaseUntuned(case("base_untuned", model=folder).context).diffusion
    noising = DDPMScheduler.from_config(diffusion.pipeline.scheduler.config)
    latents = torch.randn(2, 4, 8, 8)
    twin = torch.Generator().manual_seed(5)
    noise = torch.randn(latents.shape, generator=twin)
    times = torch.randint(1000, (2,), generator=twin)
    velocity = noising.get_velocity(latents, noise, times)
    answer = velocity if prediction_type == "v_prediction" else noise

    class Perfect(torch.nn.Module):
        def forward(self, noisy: torch.Tensor, *_: torch.Tensor) -> object:
            return type("Output", (), {"sample": answer})()

    diffusion.pipeline.unet = Perfect()
    loss = diffusion._loss(noising, latents, torch.zeros(2, 16, 32), torch.Generator().manual_seed(5))
    assert loss.item() == 0


def test_full_finetuning_moves_the_unet_and_nothing_else(case: Callable[..., Case], tiny_pipeline: Path) -> None:
    made = case("full_finetune")
    method = FullFinetune(made.context)
    method.fit(made.train, made.context)
    before, after = load_pipeline(tiny_pipeline), method.diffusion.pipeline
    assert _moved(before.unet, after.unet) > 0.9
    assert _moved(before.text_encoder, after.text_encoder) == 0 == _moved(before.vae, after.vae)


def test_an_average_of_the_unet_lies_between_start_and_end(case: Callable[..., Case], tiny_pipeline: Path) -> None:
    ends = []
    for ema in (0.0, 0.9):
        made = case("full_finetune", parameters={"ema": ema, "rate": 1e-3}, steps=10)
        method = FullFinetune(made.context)
        method.fit(made.train, made.context)
        ends.append(method.diffusion.pipeline.unet.conv_in.weight)
    start = load_pipeline(tiny_pipeline).unet.conv_in.weight
    assert 0 < (ends[1] - start).norm() < (ends[0] - start).norm()


def _moved(before: torch.nn.Module, after: torch.nn.Module) -> float:
    """Fraction of the tensors of a module that differ."""
    pairs = zip(before.parameters(), after.parameters(), strict=True)
    changed = [not torch.equal(a, b) for a, b in pairs]
    return sum(changed) / len(changed)
