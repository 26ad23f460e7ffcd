"""Classically augmented copies of the training images: the honest null for "more data".

It learns nothing, so whatever a classifier gains from its images, augmentation alone gives. By construction every
image is a copy of a real patient's: a check for memorisation that misses it is blind.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from scipy.ndimage import affine_transform

from benchmark.contract import Context, MissingData, TrainingSet


class CopyParameters(BaseModel):
    """How far a copy may differ from its original; every amount is drawn uniformly and anew for each image.

    Attributes:
        rotation: largest rotation in degrees, both ways.
        zoom: largest relative change of size, e.g. 0.2 for 0.8 to 1.2.
        shift: largest displacement as a share of the side, in both directions.
        flip: probability of mirroring left to right.
        gain: largest relative change of the grey values, e.g. 0.2 for 0.8 to 1.2.
        offset: largest constant added to the grey values, as a share of 255.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rotation: float = Field(ge=0, le=180)
    zoom: float = Field(ge=0, lt=1)
    shift: float = Field(ge=0, le=1)
    flip: float = Field(ge=0, le=1)
    gain: float = Field(ge=0, le=1)
    offset: float = Field(ge=0, le=1)


class ClassicalCopy:
    """Cycles over the training images of a class and changes each a little."""

    def __init__(self, context: Context) -> None:
        self.parameters = context.parameters_as(CopyParameters)

    def fit(self, train: TrainingSet, context: Context) -> None:
        """Nothing to learn: the images are kept."""
        self.train = train

    def sample(self, label: str, n: int, context: Context) -> NDArray[np.uint8]:
        """n copies of a class, uint8 of shape (n, size, size), each changed by its own recorded seed."""
        own = self.train.images[[name == label for name in self.train.labels]]
        if n and not len(own):
            raise MissingData(f"no training image of '{label}' to copy: check the cohort's adaptation subset")
        copies = np.empty((n, *self.train.images.shape[1:]), dtype=np.uint8)
        for index, seed in enumerate(context.image_seeds(label, n)):
            context.check_deadline()
            copies[index] = augmented(own[index % len(own)], self.parameters, np.random.default_rng(seed))
            context.progress(f"sample {label}", index + 1, n)
        return copies


def augmented(
    image: NDArray[np.uint8], parameters: CopyParameters, generator: np.random.Generator
) -> NDArray[np.uint8]:
    """One changed copy of a grey image, uint8 (size, size): turned, zoomed, moved, mirrored, brightened.

    What comes in at the border is black, as around the sector of an ultrasound image.
    """
    draw = generator.uniform
    angle = np.deg2rad(draw(-parameters.rotation, parameters.rotation))
    zoom = draw(1 - parameters.zoom, 1 + parameters.zoom)
    shift = draw(-parameters.shift, parameters.shift, 2) * len(image)
    mirror = -1.0 if draw() < parameters.flip else 1.0
    gain = draw(1 - parameters.gain, 1 + parameters.gain)
    offset = draw(-parameters.offset, parameters.offset) * 255
    # Where each pixel of the copy is read in the original, both seen from the centre.
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ np.diag([1.0, mirror]) / zoom
    centre = (np.array(image.shape) - 1) / 2
    moved = affine_transform(image.astype(np.float64), turn, centre - turn @ (centre + shift), order=1)
    return np.rint(moved * gain + offset).clip(0, 255).astype(np.uint8)
