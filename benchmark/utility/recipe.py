"""How a classifier is trained: presets, chosen inside the source cohort and never by looking at a target."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from benchmark.errors import UnknownNameError

AUGMENTATIONS: dict[str, str] = {
    "none": "images as they are",
    "da": "the study's: rotation within 15 degrees, random resized crop (area 0.08 to 1), horizontal flip",
    "light": "for small sets from scratch: rotation within 15 degrees, zoom 0.8 to 1.2, shift within 8 %, flip, gain",
}


class Recipe(BaseModel):
    """One training recipe. Every training mix takes exactly `steps` optimiser steps of `batch` images.

    Attributes:
        learning_rate: peak rate; `schedule` cosine falls to 0 after a linear rise over `warmup_steps`.
        image_size: side in pixels to which images are brought; `None` keeps them.
        normalise: `unit` is [0, 1]; `centred` subtracts 0.5 and divides by 0.25.
        precision: `bf16` trains under autocast, `auto` does so where the device computes it natively
            (`training.resolve_precision`; what it gives belongs into the key). Prediction is always fp32.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    summary: str
    optimizer: Literal["sgd", "adamw"]
    learning_rate: float = Field(gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    weight_decay: float = Field(default=0.0, ge=0)
    schedule: Literal["constant", "cosine"] = "constant"
    warmup_steps: int = Field(default=0, ge=0)
    batch: int = Field(ge=2)
    steps: int = Field(ge=1)
    image_size: int | None = Field(default=None, ge=32)
    normalise: Literal["unit", "centred"] = "unit"
    precision: Literal["fp32", "bf16", "auto"] = "fp32"
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)


_PRESETS = (
    Recipe(
        name="paper-2407.20072",
        summary="the study's: SGD 1e-3, 20 epochs of 6,148 images in batches of 24, last step used, 224 px, [0, 1]",
        optimizer="sgd",
        learning_rate=1e-3,
        batch=24,
        steps=5140,
        image_size=224,
    ),
    Recipe(
        name="scratch-64",
        summary="small networks from scratch, chosen by cross-validation inside the phantom's source cohort",
        optimizer="adamw",
        learning_rate=4e-3,
        weight_decay=0.05,
        schedule="cosine",
        warmup_steps=20,
        batch=32,
        steps=300,
        normalise="centred",
        precision="auto",
    ),
)
RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in _PRESETS}


def load_recipe(name: str, steps: int | None = None) -> Recipe:
    """A preset by name, with its number of optimiser steps replaced where `steps` is given.

    Raises:
        UnknownNameError: no such preset.
    """
    if name not in RECIPES:
        raise UnknownNameError("recipe", name, RECIPES)
    recipe = RECIPES[name]
    return recipe if steps is None else Recipe.model_validate({**recipe.model_dump(), "steps": steps})


def check_augmentation(name: str) -> str:
    """The name, if it is a known augmentation.

    Raises:
        UnknownNameError: it is not.
    """
    if name not in AUGMENTATIONS:
        raise UnknownNameError("augmentation", name, AUGMENTATIONS)
    return name
