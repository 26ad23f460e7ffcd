"""The networks of the pipeline: the classes of Stable Diffusion v1.5, at about a hundredth of its size.

Sizes were chosen by measurement on two CPU cores: 64 px images become 8 x 8 x 8 latents, because
a denoising step on 16 x 16 latents costs four times as much and misses ten images per second.
"""

from __future__ import annotations

from typing import Any

import torch
from diffusers import AutoencoderKL, DDPMScheduler, DPMSolverMultistepScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

from baselines.base_model.images import SIZE
from baselines.base_model.tokenizer import MAX_LENGTH

LATENT_CHANNELS = 8
TEXT_WIDTH = 96
# v-prediction, and an end of the noise schedule (alpha-bar 2e-4 against 5e-3 in SD 1.5) low enough
# that sampling from pure noise does not fix the mean brightness (Lin et al. 2024, arXiv 2305.08891)
# without the infinite sigma of zero-terminal-SNR, which breaks half-precision latents.
NOISE = {
    "num_train_timesteps": 1000,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "beta_end": 0.02,
    "prediction_type": "v_prediction",
    "timestep_spacing": "trailing",
    "steps_offset": 1,
}


def build_autoencoder() -> Any:
    """AutoencoderKL: (n, 3, 64, 64) in [-1, 1] to latents (n, 8, 8, 8) and back; 1.8 M parameters."""
    blocks = (24, 48, 64, 96)
    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * len(blocks),
        up_block_types=("UpDecoderBlock2D",) * len(blocks),
        block_out_channels=blocks,
        layers_per_block=1,
        latent_channels=LATENT_CHANNELS,
        norm_num_groups=8,
        sample_size=SIZE,
        scaling_factor=1.0,
        mid_block_add_attention=False,
    )


def build_unet() -> Any:
    """UNet2DConditionModel on (n, 8, 8, 8) latents with cross-attention at 8 x 8 and 4 x 4; 6.2 M parameters.

    diffusers reads `attention_head_dim` of this class as the number of heads (4: widths 24 and 36).
    """
    return UNet2DConditionModel(
        sample_size=SIZE // 8,
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        down_block_types=("CrossAttnDownBlock2D",) * 2,
        up_block_types=("CrossAttnUpBlock2D",) * 2,
        block_out_channels=(96, 144),
        layers_per_block=1,
        cross_attention_dim=TEXT_WIDTH,
        attention_head_dim=4,
        norm_num_groups=16,
    )


def build_text_encoder(tokenizer: Any) -> Any:
    """CLIPTextModel of two layers and width 96 for the tokens of `tokenizer`; 0.3 M parameters."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=TEXT_WIDTH,
            intermediate_size=4 * TEXT_WIDTH,
            projection_dim=TEXT_WIDTH,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=MAX_LENGTH,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def training_scheduler() -> Any:
    """The forward process that the denoiser learns to undo."""
    return DDPMScheduler(**NOISE, clip_sample=False)


def sampling_scheduler() -> Any:
    """The shipped sampler: DPM-Solver++ of second order, good from about twelve steps."""
    return DPMSolverMultistepScheduler(**NOISE, algorithm_type="dpmsolver++", solver_order=2)


def parameter_count(module: torch.nn.Module) -> int:
    """Number of scalars that a module holds."""
    return sum(parameter.numel() for parameter in module.parameters())
