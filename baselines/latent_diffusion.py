"""What the diffusion methods share: one pipeline folder, one training loop, one way to sample.

Any diffusers `StableDiffusionPipeline` folder will do; the embedded one and Stable Diffusion v1.5 differ in
size, not in code. Training follows kohya-ss/sd-scripts, the trainer of the study (arXiv 2407.20072):
noise prediction at uniformly drawn timesteps, plain mean squared error, AdamW, constant rate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from accelerate import Accelerator
from diffusers import (
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    StableDiffusionPipeline,
)
from diffusers.models.attention_processor import AttnProcessor
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor
from torch.nn import functional

from benchmark.contract import CannotRunHere, Context, MissingData, TrainingSet

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in the grey value (ITU-R BT.601)."""

_SAMPLERS = {"euler": EulerDiscreteScheduler, "dpm": DPMSolverMultistepScheduler}
_ENCODE_BATCH = 16
_SMALL_LATENTS = 32


class SamplingParameters(BaseModel):
    """How images are drawn; the defaults live in each `method.toml`.

    Attributes:
        inference_steps: denoising steps.
        guidance: classifier-free guidance scale; 1 or less means none.
        clip_skip: last layers of the text encoder to leave out, as diffusers counts (kohya's 2 is 1 here).
        scheduler: `euler`, `dpm`, or `pipeline` for the one that the folder ships.
        sample_batch: images denoised together.
        precision: `no` (float32), `bf16` or `fp16` autocast.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    inference_steps: int = Field(ge=1)
    guidance: float = Field(ge=0)
    clip_skip: int = Field(ge=0)
    scheduler: Literal["pipeline", "euler", "dpm"]
    sample_batch: int = Field(ge=1)
    precision: Literal["no", "bf16", "fp16"]


class TrainingParameters(SamplingParameters):
    """What the two fine-tunings share: images per step, and how often a caption is left out."""

    batch: int = Field(ge=1)
    caption_dropout: float = Field(ge=0, le=1)


def load_pipeline(folder: Path | None) -> Any:
    """The pipeline in float32, from local files only, without a safety checker.

    Raises:
        MissingData: no folder, or one that is no pipeline.
    """
    if folder is None or not (folder / "model_index.json").is_file():
        raise MissingData(
            f"no diffusers pipeline at {folder or 'BENCH_MODEL (not set)'}: run 'fulora-bench prepare base', "
            "or name a pipeline folder in the profile."
        )
    return StableDiffusionPipeline.from_pretrained(
        folder,
        dtype=torch.float32,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
        local_files_only=True,
    )


def token_ids(tokenizer: Any, captions: list[str]) -> Tensor:
    """Token ids of the captions, padded to the tokenizer's length: int64, shape (captions, length)."""
    return tokenizer(
        captions,
        padding="max_length",
        max_length=tokenizer.model_max_length,
        truncation=True,
        return_tensors="pt",
    ).input_ids


def encode_tokens(text_encoder: Any, tokens: Tensor, clip_skip: int) -> Tensor:
    """Text embeddings, shape (captions, length, width).

    Hidden state -(1 + clip_skip), then the final layer norm: clip_skip 0 is the encoder's output, and
    1 is what kohya calls 2. Guidance's empty caption goes the same way, as in kohya; diffusers leaves
    it at 0, and its own clip_skip does not work with transformers 5.
    """
    hidden = text_encoder(tokens, output_hidden_states=True).hidden_states[-(1 + clip_skip)]
    return getattr(text_encoder, "text_model", text_encoder).final_layer_norm(hidden)


def to_gray(images: Tensor) -> Tensor:
    """Grey images in [0, 1], shape (n, 1, h, w), from decoded ones of shape (n, 3 or 1, h, w)."""
    if images.shape[1] == 1:
        return images
    weights = torch.tensor(LUMA, dtype=images.dtype, device=images.device)
    return (images * weights[:, None, None]).sum(1, keepdim=True)


def resized(images: Tensor, size: int) -> Tensor:
    """The images at another size, with antialiasing; unchanged where they have it already."""
    if images.shape[-1] == size:
        return images
    return functional.interpolate(images, (size, size), mode="bicubic", antialias=True).clamp(0, 1)


@dataclass(frozen=True)
class Trainable:
    """What a method trains.

    Attributes:
        groups: parameter groups of AdamW, each with `params` and `lr`.
        embeddings: gives the embeddings of all captions, called every step.
        after_step: called after every optimiser step.
    """

    groups: list[dict[str, Any]]
    embeddings: Callable[[], Tensor]
    after_step: Callable[[], None] | None = None


class LatentDiffusion:
    """A pipeline for one request: cached latents and captions, the training loop, sampling.

    Attributes:
        pipeline: the `StableDiffusionPipeline`, in float32 on the request's device, all weights frozen.
        captions: the prompts of the request's classes in order, then the empty one.
    """

    def __init__(self, context: Context, parameters: SamplingParameters) -> None:
        """Load the pipeline.

        Raises:
            MissingData: there is no pipeline folder.
            CannotRunHere: an accelerator is asked for and there is none.
        """
        on_cpu = context.request.device == "cpu"
        if not on_cpu and not torch.cuda.is_available():
            raise CannotRunHere("device cuda is asked for, and torch sees no accelerator here")
        self.context, self.parameters = context, parameters
        self.accelerator = Accelerator(mixed_precision=parameters.precision, cpu=on_cpu)
        self.device = self.accelerator.device
        self.pipeline = load_pipeline(context.model).to(self.device)
        self.pipeline.set_progress_bar_config(disable=True)
        for part in (self.pipeline.unet, self.pipeline.vae, self.pipeline.text_encoder):
            part.requires_grad_(False).eval()
        if on_cpu and self.pipeline.unet.config.sample_size <= _SMALL_LATENTS:
            # On two CPU cores the backward pass of fused attention on 8x8 latents doubles the step (measured).
            self.pipeline.unet.set_attn_processor(AttnProcessor())
        if parameters.scheduler != "pipeline":
            sampler = _SAMPLERS[parameters.scheduler]
            self.pipeline.scheduler = sampler.from_config(self.pipeline.scheduler.config)
        self.captions = [*(item.prompt for item in context.request.classes), ""]
        self.tokens = token_ids(self.pipeline.tokenizer, self.captions).to(self.device)
        self.native_size = self.pipeline.unet.config.sample_size * self.pipeline.vae_scale_factor
        if self.native_size != context.request.image_size:
            context.notes.append(
                f"The pipeline works at {self.native_size} px; images are resized from and to "
                f"{context.request.image_size} px."
            )

    def embeddings(self) -> Tensor:
        """Embeddings of `captions`, shape (classes + 1, length, width); gradients reach the text encoder."""
        return encode_tokens(self.pipeline.text_encoder, self.tokens, self.parameters.clip_skip)

    @torch.no_grad()
    def moments(self, images: NDArray[np.uint8]) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of the scaled latents of grey images; cached once, drawn from every step."""
        vae = self.pipeline.vae
        means, deviations = [], []
        for start in range(0, len(images), _ENCODE_BATCH):
            batch = torch.from_numpy(images[start : start + _ENCODE_BATCH]).to(self.device)[:, None].float() / 255
            batch = resized(batch, self.native_size).expand(-1, vae.config.in_channels, -1, -1)
            posterior = vae.encode(batch * 2 - 1).latent_dist
            means.append(posterior.mean * vae.config.scaling_factor)
            deviations.append(posterior.std * vae.config.scaling_factor)
        return torch.cat(means), torch.cat(deviations)

    def train(self, train: TrainingSet, trainable: Trainable, parameters: TrainingParameters) -> None:
        """Take the request's optimiser steps; each image is seen once before any is seen again.

        Raises:
            MissingData: there are steps to take and no training image.
            DeadlineReached: time is up.
        """
        context, steps = self.context, self.context.request.steps
        context.trained_parameters = sum(p.numel() for group in trainable.groups for p in group["params"])
        if steps == 0:
            return
        if not len(train):
            raise MissingData("the request holds no training images: check the cohort's adaptation subset")
        mean, deviation = self.moments(train.images)
        captions = torch.tensor([context.request.labels.index(label) for label in train.labels])
        optimizer = self.accelerator.prepare(torch.optim.AdamW(trainable.groups))
        noising = DDPMScheduler.from_config(self.pipeline.scheduler.config)
        generator = torch.Generator().manual_seed(context.seed("train"))
        batches = _batches(len(train), parameters.batch, generator)
        for step in range(1, steps + 1):
            rows = next(batches)
            latents = mean[rows] + deviation[rows] * self._noise(mean[rows].shape, generator)
            chosen = captions[rows]
            dropped = torch.rand(len(rows), generator=generator) < parameters.caption_dropout
            chosen = torch.where(dropped, len(self.captions) - 1, chosen)
            with self.accelerator.autocast():
                loss = self._loss(noising, latents, trainable.embeddings()[chosen.to(self.device)], generator)
            self.accelerator.backward(loss)
            optimizer.step()
            optimizer.zero_grad()
            context.steps = step
            if trainable.after_step is not None:
                trainable.after_step()
            context.progress("fit", step, steps)
            context.check_deadline()

    def _noise(self, shape: torch.Size, generator: torch.Generator) -> Tensor:
        """Noise drawn on the CPU, so that a seed means the same on every device."""
        return torch.randn(shape, generator=generator).to(self.device)

    def _loss(self, noising: Any, latents: Tensor, embedded: Tensor, generator: torch.Generator) -> Tensor:
        noise = self._noise(latents.shape, generator)
        times = torch.randint(noising.config.num_train_timesteps, (len(latents),), generator=generator)
        times = times.to(self.device)
        predicted = self.pipeline.unet(noising.add_noise(latents, noise, times), times, embedded).sample
        is_velocity = noising.config.prediction_type == "v_prediction"
        target = noising.get_velocity(latents, noise, times) if is_velocity else noise
        return functional.mse_loss(predicted.float(), target.float())

    @torch.inference_mode()
    def sample(self, label: str, n: int) -> NDArray[np.uint8]:
        """n images of a class, uint8 of shape (n, size, size), each from the noise of its own recorded seed."""
        context, parameters = self.context, self.parameters
        embedded = self.embeddings()
        which = context.request.labels.index(label)
        prompt, empty = embedded[which : which + 1], embedded[-1:]
        seeds = context.image_seeds(label, n)
        done = [np.empty((0, context.request.image_size, context.request.image_size), dtype=np.uint8)]
        for start in range(0, n, parameters.sample_batch):
            batch = seeds[start : start + parameters.sample_batch]
            with self.accelerator.autocast():
                images = self.pipeline(
                    prompt_embeds=prompt,
                    negative_prompt_embeds=empty,
                    num_images_per_prompt=len(batch),
                    num_inference_steps=parameters.inference_steps,
                    guidance_scale=parameters.guidance,
                    generator=[torch.Generator().manual_seed(seed) for seed in batch],
                    output_type="pt",
                    callback_on_step_end=self._between_steps,
                ).images
            gray = resized(to_gray(images.float()), context.request.image_size)
            done.append((gray * 255).round().clamp(0, 255).to(torch.uint8)[:, 0].cpu().numpy())
            context.progress(f"sample {label}", start + len(batch), n)
        return np.concatenate(done)

    def _between_steps(self, pipeline: Any, step: int, time: Any, state: dict[str, Any]) -> dict[str, Any]:
        self.context.check_deadline()
        return state


def _batches(n: int, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Index batches without end: shuffled passes over all n, joined where one ends inside a batch."""
    waiting = torch.empty(0, dtype=torch.int64)
    while True:
        while len(waiting) < size:
            waiting = torch.cat([waiting, torch.randperm(n, generator=generator)])
        yield waiting[:size]
        waiting = waiting[size:]
