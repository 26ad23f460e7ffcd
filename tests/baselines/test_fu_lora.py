from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel
from safetensors import safe_open
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel

from baselines.fu_lora import FuLora
from baselines.fu_lora.adapters import add_adapters, text_layers, unet_layers
from baselines.fu_lora.kohya import kohya_names, load_kohya, save_kohya
from baselines.latent_diffusion import load_pipeline
from benchmark.contract import BadRequest, MissingData
from tests.baselines.conftest import Case


def fitted(made: Case) -> FuLora:
    method = FuLora(made.context)
    method.fit(made.train, made.context)
    return method


def kohya_file(path: Path, pipeline: object, rank: int = 4, alpha: float = 2.0) -> dict[str, torch.Tensor]:
    """Random adapters as a file of kohya's trainer, for a pipeline."""
    adapters = add_adapters(pipeline.unet, pipeline.text_encoder, rank)  # type: ignore[attr-defined]
    tensors = {}
    for name, layer in kohya_names(adapters).items():
        tensors[f"{name}.lora_down.weight"] = torch.randn_like(layer.lora_A["default"].weight) / 10
        tensors[f"{name}.lora_up.weight"] = torch.randn_like(layer.lora_B["default"].weight) / 10
        tensors[f"{name}.alpha"] = torch.tensor(alpha)
    save_file(tensors, path, {"ss_network_dim": str(rank)})
    return tensors


def test_the_adapted_layers_are_those_of_the_study_on_stable_diffusion() -> None:
    """kohya reports 192 modules for the UNet and 72 for the text encoder of Stable Diffusion v1.5."""
    with torch.device("meta"):
        unet = UNet2DConditionModel(cross_attention_dim=768)
        text = CLIPTextModel(CLIPTextConfig(hidden_size=768, num_hidden_layers=12, num_attention_heads=12))
    names = unet_layers(unet)
    assert (len(names), len(text_layers(text))) == (192, 72)
    kinds = {name.split("transformer_blocks.0.")[-1].rpartition("attentions.")[2][-12:] for name in names}
    for wanted in ("attn1.to_q", "attn2.to_k", "ff.net.2", "proj_in", "to_out.0"):
        assert any(kind.endswith(wanted) for kind in kinds)


def test_untrained_adapters_change_nothing(tiny_pipeline: Path) -> None:
    pipeline = load_pipeline(tiny_pipeline)
    inputs = (torch.randn(1, 4, 8, 8), torch.tensor([500]), torch.randn(1, 16, 32))
    with torch.no_grad():
        before = pipeline.unet(*inputs).sample
        add_adapters(pipeline.unet, pipeline.text_encoder, rank=4)
        assert torch.equal(pipeline.unet(*inputs).sample, before)


def test_both_adapters_learn_and_the_base_weights_stay(case: Callable[..., Case], tiny_pipeline: Path) -> None:
    made = case("fu_lora", parameters={"lora_strength": 0.0})
    method = fitted(made)
    pipeline, before = method.diffusion.pipeline, load_pipeline(tiny_pipeline)
    ups = {
        part: [weight.abs().max().item() for name, weight in module.named_parameters() if "lora_B" in name]
        for part, module in (("unet", pipeline.unet), ("text", pipeline.text_encoder))
    }
    assert min(ups["unet"]) > 0 and min(ups["text"]) > 0
    for part in ("unet", "text_encoder"):
        now = dict(getattr(pipeline, part).named_parameters())
        for name, weight in getattr(before, part).named_parameters():
            same = now.get(name, now.get(name.replace(".weight", ".base_layer.weight")))
            same = now[name.replace(".bias", ".base_layer.bias")] if same is None else same
            assert torch.equal(same, weight), name


def test_the_text_encoder_has_its_own_learning_rate(case: Callable[..., Case]) -> None:
    moved = []
    for rate in (1e-6, 1e-3):
        encoder = fitted(case("fu_lora", parameters={"text_rate": rate})).diffusion.pipeline.text_encoder
        moved.append(max(w.abs().max().item() for n, w in encoder.named_parameters() if "lora_B" in n))
    assert moved[1] > 100 * moved[0]


def test_fused_adapters_give_what_unfused_ones_gave(tiny_pipeline: Path, tmp_path: Path) -> None:
    kohya_file(tmp_path / "a.safetensors", load_pipeline(tiny_pipeline))
    pipeline = load_pipeline(tiny_pipeline)
    adapters = add_adapters(pipeline.unet, pipeline.text_encoder, rank=4)
    load_kohya(tmp_path / "a.safetensors", adapters)
    inputs = (torch.randn(1, 4, 8, 8), torch.tensor([500]), torch.randn(1, 16, 32))
    with torch.no_grad():
        loose = pipeline.unet(*inputs).sample
        adapters.fuse(1.0)
        assert torch.allclose(pipeline.unet(*inputs).sample, loose, atol=1e-4)


def test_a_kohya_file_adds_up_times_down_times_alpha_over_rank(tiny_pipeline: Path, tmp_path: Path) -> None:
    tensors = kohya_file(tmp_path / "a.safetensors", load_pipeline(tiny_pipeline), rank=4, alpha=2.0)
    pipeline = load_pipeline(tiny_pipeline)
    before = pipeline.text_encoder.encoder.layers[0].mlp.fc1.weight.clone()
    adapters = add_adapters(pipeline.unet, pipeline.text_encoder, rank=4)
    metadata = load_kohya(tmp_path / "a.safetensors", adapters)
    adapters.fuse(0.5)
    name = "lora_te_text_model_encoder_layers_0_mlp_fc1"
    update = tensors[f"{name}.lora_up.weight"] @ tensors[f"{name}.lora_down.weight"] * (2.0 / 4) * 0.5
    after = pipeline.text_encoder.encoder.layers[0].mlp.fc1.base_layer.weight
    assert torch.allclose(after - before, update, atol=1e-5)
    assert metadata == {"ss_network_dim": "4"}


def test_the_checkpoint_tells_how_it_was_made_and_can_be_sampled_again(case: Callable[..., Case]) -> None:
    made = case("fu_lora", parameters={"rank": 4, "unet_rate": 1e-2})
    first = fitted(made)
    file = made.output / "checkpoint" / "fu_lora.safetensors"
    with safe_open(file, framework="pt") as opened:
        metadata, names = opened.metadata(), list(opened.keys())
    assert (metadata["ss_network_dim"], metadata["ss_network_alpha"], metadata["ss_steps"]) == ("4", "4", "3")
    assert len(metadata["ss_base_sha256"]) == 64
    assert "lora_te_text_model_encoder_layers_0_self_attn_q_proj.lora_down.weight" in names
    assert "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q.alpha" in names
    (made.model / "mine.safetensors").write_bytes(file.read_bytes())  # type: ignore[operator]
    again = fitted(case("fu_lora", parameters={"rank": 4, "initial_lora": "mine.safetensors"}, steps=0))
    pictures = [
        method.diffusion.sample("brain", 2).astype(int) for method in (first, again)
    ]  # half precision of the file: a grey level or two
    assert np.abs(pictures[0] - pictures[1]).max() <= 2


@pytest.mark.parametrize(
    ("name", "error", "reason"),
    [
        ("none.safetensors", MissingData, "none.safetensors"),
        ("../a.safetensors", BadRequest, "inside the model folder"),
        ("model_index.json", BadRequest, "no safetensors file"),
    ],
)
def test_a_lora_that_cannot_be_used_is_told(
    case: Callable[..., Case], name: str, error: type[Exception], reason: str
) -> None:
    with pytest.raises(error, match=reason):
        fitted(case("fu_lora", parameters={"initial_lora": name}))


def test_a_lora_of_another_rank_or_pipeline_is_told(tiny_pipeline: Path, tmp_path: Path) -> None:
    tensors = kohya_file(tmp_path / "a.safetensors", load_pipeline(tiny_pipeline), rank=4)
    pipeline = load_pipeline(tiny_pipeline)
    adapters = add_adapters(pipeline.unet, pipeline.text_encoder, rank=8)
    with pytest.raises(BadRequest, match="ss_network_dim"):
        load_kohya(tmp_path / "a.safetensors", adapters)
    save_kohya(tmp_path / "b.safetensors", adapters, {})
    save_file({name: t for name, t in tensors.items() if "lora_te" in name}, tmp_path / "c.safetensors")
    load_kohya(tmp_path / "b.safetensors", adapters)
    with pytest.raises(BadRequest, match="does not fit this pipeline"):
        load_kohya(tmp_path / "c.safetensors", adapters)


def test_a_rank_that_bounds_nothing_is_said(case: Callable[..., Case]) -> None:
    made = case("fu_lora", parameters={"rank": 16}, steps=0)
    context = made.context
    FuLora(context).fit(made.train, context)
    assert "Rank 16 is no bound in" in context.notes[0]
    quiet = case("fu_lora", parameters={"rank": 8}, steps=0).context
    FuLora(quiet).fit(made.train, quiet)
    assert not quiet.notes
