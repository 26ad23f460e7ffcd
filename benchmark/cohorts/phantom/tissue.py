"""Painting tissue: implicit shapes laid over maps of echo level, attenuation and coherence in beam space."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from benchmark.cohorts.phantom.geometry import F32, Beams

FLUID = -48.0
BLOOD = -40.0
BONE = 14.0


@dataclass(frozen=True)
class Shape:
    """An ellipse, filled or as a shell, in the coordinates of its frame; or an arc, a line, a bent bar of one.

    Attributes:
        x, y, a, b, turn: centre, half axes and angle (radians).
        level: echo level in dB relative to soft tissue; `gain` of it is laid over what lies below (0 to 1).
        shell: half thickness of the outline; 0 fills the ellipse.
        arc: middle and half width (radians) of the part of a shell that is kept; None keeps all.
        bend: the shape follows y = bend * x^2 of its own axes.
        loss: two-way attenuation in dB/mm: None leaves it, 0 is fluid, bone is far above tissue.
        specular: dB that the echo loses where the surface runs along the beam.
    """

    x: float
    y: float
    a: float
    b: float
    turn: float = 0.0
    level: float = 0.0
    gain: float = 1.0
    shell: float = 0.0
    arc: tuple[float, float] | None = None
    bend: float = 0.0
    loss: float | None = None
    specular: float = 0.0
    coherence: float = 0.0


@dataclass(frozen=True)
class Frame:
    """Where a structure lies: `scale` mm per unit, turned by `turn`, perhaps mirrored, its origin at x, y (mm)."""

    x: float
    y: float
    scale: float
    turn: float = 0.0
    mirror: bool = False
    wobble: tuple[float, float, float] = (0.0, 0.0, 0.0)


class Canvas:
    """Echo level (dB), attenuation (dB/mm) and coherence (0 to 1) of every sample of a beam grid."""

    def __init__(self, beams: Beams, tissue_loss: float, shadow: float) -> None:
        shape = beams.grid
        self.beams = beams
        self.tissue_loss = tissue_loss
        self.shadow = shadow
        self.level: F32 = np.zeros(shape, dtype=np.float32)
        self.loss: F32 = np.full(shape, tissue_loss, dtype=np.float32)
        self.coherence: F32 = np.zeros(shape, dtype=np.float32)
        self.step = beams.view.height / shape[0]

    def paint(self, frame: Frame, shapes: list[Shape]) -> None:
        """Lay the shapes over one another in their order."""
        cosine, sine = math.cos(frame.turn), math.sin(frame.turn)
        flip = -1.0 if frame.mirror else 1.0
        x, y = self.beams.x - np.float32(frame.x), self.beams.y - np.float32(frame.y)
        across = (x * np.float32(flip * cosine / frame.scale)) + y * np.float32(flip * sine / frame.scale)
        along = y * np.float32(cosine / frame.scale) - x * np.float32(sine / frame.scale)
        size, first, second = frame.wobble
        if size:
            # An outline is never an exact ellipse: each coordinate sways with the other one.
            sway = np.sin(along * np.float32(2.6) + np.float32(first)) * np.float32(size)
            along = along + np.sin(across * np.float32(2.6) + np.float32(second)) * np.float32(size)
            across = across + sway
        for shape in shapes:
            centre_x = frame.x + frame.scale * (flip * cosine * shape.x - sine * shape.y)
            centre_y = frame.y + frame.scale * (flip * sine * shape.x + cosine * shape.y)
            reach = max(shape.a, shape.b) + abs(shape.bend) * shape.a**2 + shape.shell + 2 * size
            block = self.beams.block(centre_x, centre_y, frame.scale * reach + 1.5 * self.step)
            if block[0].start < block[0].stop and block[1].start < block[1].stop:
                self._lay(shape, frame, across[block], along[block], block)

    def _lay(self, shape: Shape, frame: Frame, x: F32, y: F32, block: tuple[slice, slice]) -> None:
        """Blend one shape into its block of the maps."""
        x, y = x - np.float32(shape.x), y - np.float32(shape.y)
        if shape.turn:
            cosine, sine = np.float32(math.cos(shape.turn)), np.float32(math.sin(shape.turn))
            x, y = x * cosine + y * sine, y * cosine - x * sine
        if shape.bend:
            y = y - np.float32(shape.bend) * (x * x - np.float32(shape.a**2 / 3))
        u, v = x * np.float32(1 / shape.a), y * np.float32(1 / shape.b)
        radius = np.sqrt(u * u + v * v)
        normal_u, normal_v = u * np.float32(1 / shape.a), v * np.float32(1 / shape.b)
        steep = np.sqrt(normal_u * normal_u + normal_v * normal_v) + np.float32(1e-6)
        away = radius * (radius - np.float32(1)) / steep
        unit = self.step / frame.scale
        if shape.shell:
            away = np.abs(away) - np.float32(max(shape.shell, 0.45 * unit))
        weight = _clamp(np.float32(0.5) - away * np.float32(1 / (1.2 * unit)))
        if shape.arc is not None:
            middle, half = shape.arc
            toward = (u * np.float32(math.cos(middle)) + v * np.float32(math.sin(middle))) / (radius + np.float32(1e-6))
            weight *= _clamp((toward - np.float32(math.cos(half))) * np.float32(6))
        if shape.gain != 1.0:
            weight *= np.float32(shape.gain)
        level: F32 | np.float32 = np.float32(shape.level)
        if shape.specular:
            level = level - np.float32(shape.specular) * self._graze(
                frame, shape, normal_u / steep, normal_v / steep, block[1]
            )
        blend(self.level[block], level, weight)
        if shape.loss is not None:
            factor = self.shadow if shape.loss > self.tissue_loss else 1.0
            blend(self.loss[block], np.float32(shape.loss * factor), weight)
        if shape.coherence:
            blend(self.coherence[block], np.float32(shape.coherence), weight)

    def _graze(self, frame: Frame, shape: Shape, u: F32, v: F32, lines: slice) -> F32:
        """1 where the surface runs along the beam, 0 where it faces it."""
        cosine, sine = math.cos(frame.turn), math.sin(frame.turn)
        flip = -1.0 if frame.mirror else 1.0
        beam_x, beam_y = self.beams.direction_x[:, lines], self.beams.direction_y[:, lines]
        across = np.float32(flip * cosine) * beam_x + np.float32(flip * sine) * beam_y
        along = np.float32(cosine) * beam_y - np.float32(sine) * beam_x
        own_cosine, own_sine = np.float32(math.cos(shape.turn)), np.float32(math.sin(shape.turn))
        facing = u * (across * own_cosine + along * own_sine) + v * (along * own_cosine - across * own_sine)
        graze: F32 = np.subtract(np.float32(1), np.square(facing), dtype=np.float32)
        return graze * graze


def _clamp(values: F32) -> F32:
    """The values between 0 and 1, in place: several times as fast as np.clip on small blocks."""
    np.maximum(values, np.float32(0), out=values)
    np.minimum(values, np.float32(1), out=values)
    return values


def blend(under: F32, over: F32 | np.float32, weight: F32) -> None:
    """under <- under + weight * (over - under), in place."""
    under += weight * (over - under)
