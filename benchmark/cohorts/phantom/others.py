"""What is no standard plane: cord, forearm, hand, spine lengthwise, placenta, profile."""

from __future__ import annotations

import math

import numpy as np

from benchmark.cohorts.phantom.patient import Patient
from benchmark.cohorts.phantom.planes import bone_loss
from benchmark.cohorts.phantom.tissue import BLOOD, BONE, FLUID, Shape

PI = math.pi


def cord(patient: Patient, rng: np.random.Generator) -> list[Shape]:
    """Loops of cord in water: round sections with three vessels, and a length of it."""
    shapes = [Shape(0, 0, 1.5, 1.0, level=FLUID, loss=0.0)]
    for _ in range(int(rng.integers(2, 5))):
        x, y, size = float(rng.uniform(-0.9, 0.9)), float(rng.uniform(-0.5, 0.5)), float(rng.uniform(0.2, 0.3))
        spin = float(rng.uniform(0, 2 * PI))
        shapes += [
            Shape(x, y, size, size * 0.9, level=-4.0, loss=0.05),
            Shape(x, y, size, size * 0.9, level=6.0, shell=0.02, specular=8),
        ]
        for turn, part in ((0.0, 0.42), (2.3, 0.26), (4.0, 0.26)):
            away = 0.45 * size
            shapes.append(
                Shape(
                    x + away * math.cos(spin + turn),
                    y + away * math.sin(spin + turn),
                    part * size,
                    part * size,
                    level=BLOOD,
                )
            )
    y, turn = float(rng.uniform(-0.4, 0.4)), float(rng.uniform(-0.5, 0.5))
    bend = float(rng.uniform(-0.5, 0.5))
    for aside, level in ((0.0, -2.0), (0.0, BLOOD)):
        shapes.append(
            Shape(0.0, y + aside, 1.1, 0.15 if level > -9 else 0.07, turn=turn, level=level, bend=bend, gain=0.9)
        )
    return shapes


def forearm(patient: Patient, rng: np.random.Generator) -> list[Shape]:
    """Two parallel bones, and the rays of a hand."""
    apart = float(rng.uniform(0.26, 0.36))
    shapes = [Shape(0, 0, 1.45, 1.1, level=FLUID, loss=0.0), Shape(-0.25, 0, 0.95, 0.42, level=-6.0, loss=0.12)]
    for side in (-1, 1):
        shapes.append(
            Shape(
                -0.3,
                0.5 * apart * side,
                0.55,
                0.05,
                turn=0.06 * side,
                level=BONE,
                loss=bone_loss(patient, 1.1),
                specular=6,
                coherence=0.7,
            )
        )
    fan = float(rng.uniform(0.12, 0.3))
    for ray in range(4):
        angle = (ray - 1.5) * fan
        for reach in (0.25, 0.5, 0.68):
            x, y = 0.4 + reach * math.cos(angle), reach * math.sin(angle)
            shapes.append(Shape(x, y, 0.13, 0.075, turn=angle, level=-5.0))
            shapes.append(Shape(x, y, 0.075, 0.035, turn=angle, level=BONE - 3, loss=bone_loss(patient, 0.7)))
    return shapes


def spine(patient: Patient, rng: np.random.Generator) -> list[Shape]:
    """The spine lengthwise: two rows of bright dots, the skin of the back."""
    bend = float(rng.uniform(0.05, 0.3))
    shapes = [
        Shape(0, 0.25, 1.5, 0.75, level=-5.0, loss=0.12),
        Shape(0, -0.3, 1.4, 0.03, level=6.0, bend=bend, specular=8),
    ]
    for step in range(12):
        x = -1.1 + 0.2 * step
        drop = bend * (x * x - 0.5)
        for row in (-0.1, 0.1):
            shapes.append(
                Shape(
                    x, row + drop, 0.065, 0.05, level=BONE - 1, loss=bone_loss(patient, 1.0), specular=3, coherence=0.5
                )
            )
    return shapes


def placenta(patient: Patient, rng: np.random.Generator) -> list[Shape]:
    """A thick lens of placenta over water, its plate and lakes, and what of a cord may float there."""
    shapes = [
        Shape(0, 0.5, 1.7, 0.75, level=FLUID, loss=0.0),
        Shape(0, -0.28, 1.6, 0.42, level=3.0, bend=float(rng.uniform(0.0, 0.18)), loss=0.11),
        Shape(0, 0.13, 1.5, 0.025, level=8.0, bend=float(rng.uniform(-0.1, 0.1)), specular=9),
    ]
    for _ in range(int(rng.integers(2, 6))):
        x, y = float(rng.uniform(-1.1, 1.1)), float(rng.uniform(-0.45, -0.05))
        shapes.append(Shape(x, y, float(rng.uniform(0.06, 0.2)), float(rng.uniform(0.03, 0.07)), level=-22.0, gain=0.8))
    if rng.random() < 0.6:
        x = float(rng.uniform(-0.6, 0.6))
        shapes += [Shape(x, 0.45, 0.14, 0.13, level=-4.0), Shape(x, 0.45, 0.06, 0.06, level=BLOOD)]
    return shapes


def profile(patient: Patient, rng: np.random.Generator) -> list[Shape]:
    """The face from the side: forehead, nose, lips, chin, with water in front."""
    open_mouth = float(rng.uniform(0.0, 0.08))
    shapes = [
        Shape(0.2, -0.6, 1.6, 0.8, level=FLUID, loss=0.0),
        Shape(-0.55, 0.35, 0.72, 0.62, level=-12.0, loss=0.1),
        Shape(0.4, 0.42, 0.7, 0.48, level=-7.0, loss=0.12),
        Shape(0.18, -0.05, 0.17, 0.12, level=0.0, turn=-0.6),
        Shape(0.5, 0.0, 0.13, 0.09, level=2.0),
        Shape(0.72 + open_mouth, 0.02, 0.12, 0.085, level=2.0),
        Shape(1.02, 0.08, 0.2, 0.14, level=0.0),
    ]
    bones = (
        (-0.6, 0.35, 0.66, 0.58, 0.0, 0.035, (-PI / 2 + 0.2, 1.0)),
        (0.08, 0.02, 0.18, 0.035, -0.5, 0.0, None),
        (0.52, 0.16, 0.2, 0.035, 0.1, 0.0, None),
        (0.95, 0.28, 0.24, 0.04, 0.25, 0.0, None),
    )
    for x, y, a, b, turn, shell, arc in bones:
        shapes.append(
            Shape(
                x,
                y,
                a,
                b,
                turn=turn,
                level=BONE,
                shell=shell,
                arc=arc,
                loss=bone_loss(patient, 1.0),
                specular=8,
                coherence=0.7,
            )
        )
    return shapes
