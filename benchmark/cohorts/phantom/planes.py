"""The four standard planes, as shapes in a frame whose unit is half the structure's size."""

from __future__ import annotations

import math

import numpy as np

from benchmark.cohorts.phantom.patient import Patient
from benchmark.cohorts.phantom.tissue import BLOOD, BONE, FLUID, Shape

PI = math.pi


def bone_loss(patient: Patient, thin: float = 1.0) -> float:
    """Two-way attenuation of bone in dB/mm: grows as it ossifies."""
    return thin * (1.0 + 1.6 * patient.ossified)


def brain(patient: Patient, rng: np.random.Generator) -> list[Shape]:
    """Transverse head: skull, midline with cavum, thalami, choroid plexus, at times the cerebellum."""
    b = patient.head
    skull = BONE + 2.0 * patient.ossified
    shapes = [
        Shape(0, 0, 1.06, b + 0.06, level=1.0, loss=0.12),
        Shape(0, 0, 1.0, b, level=-17.0, loss=0.07),
        Shape(
            0,
            0,
            1.0,
            b,
            level=skull,
            shell=0.028 + 0.012 * patient.ossified,
            loss=bone_loss(patient, 0.8),
            specular=20,
            coherence=0.8,
        ),
    ]
    fade = float(rng.uniform(0.55, 1.0))
    cavum = float(rng.uniform(0.36, 0.5))
    shapes += [
        Shape(-0.1, 0, 0.86, 0.024, level=8.0, gain=fade, specular=6, coherence=0.5),
        Shape(cavum, 0, 0.15, 0.07, level=4.0, gain=fade, specular=5),
        Shape(cavum, 0, 0.12, 0.045, level=FLUID, loss=0.0),
    ]
    for side in (-1, 1):
        shapes += [
            Shape(0.05, 0.15 * side, 0.2, 0.11, turn=0.35 * side, level=-26.0, gain=fade),
            Shape(0.12, 0.58 * b * side, 0.3, 0.03, turn=0.1 * side, level=0.0, gain=0.8 * fade, bend=-0.5 * side),
            Shape(-0.12, 0.82 * b * side, 0.5, 0.025, level=-5.0, gain=0.3 + 0.6 * patient.ossified, bend=-0.25 * side),
        ]
    if rng.random() < 0.35:
        for side in (-1, 1):
            shapes += [
                Shape(-0.58, 0.2 * side, 0.14, 0.19, level=-1.0, gain=fade, turn=0.3 * side),
                Shape(-0.58, 0.2 * side, 0.1, 0.14, level=-17.0, gain=fade, turn=0.3 * side),
            ]
        shapes += [Shape(-0.6, 0, 0.08, 0.07, level=2.0, gain=fade), Shape(-0.83, 0, 0.08, 0.22, level=FLUID)]
    else:
        far = int(rng.choice((-1, 1)))
        shapes += [
            Shape(-0.42, 0.36 * b * far, 0.36, 0.12, turn=-0.25 * far, level=FLUID, gain=0.9, loss=0.0),
            Shape(-0.42, 0.37 * b * far, 0.27, 0.075, turn=-0.25 * far, level=4.0, gain=fade),
            Shape(-0.42, -0.36 * b * far, 0.3, 0.08, turn=0.25 * far, level=-2.0, gain=0.4 * fade),
        ]
    for _ in range(int(6 * patient.ossified * rng.uniform(0.4, 1.2))):
        angle = float(rng.uniform(0, 2 * PI))
        depth = float(rng.uniform(0.6, 0.85))
        x, y = depth * math.cos(angle), depth * b * math.sin(angle)
        shapes.append(Shape(x, y, 0.12, 0.018, turn=float(rng.uniform(0, PI)), level=0.0, gain=0.6))
    return shapes


def _spine(patient: Patient, angle: float, reach: float) -> list[Shape]:
    """Three ossification centres at the back; they throw the spine's shadow."""
    away = reach * 0.76
    x, y = away * math.cos(angle), away * math.sin(angle)
    out_x, out_y = math.cos(angle), math.sin(angle)
    size = 0.075 + 0.02 * patient.ossified
    shapes = [Shape(x, y, 0.19, 0.19, level=3.0)]
    for along, aside in ((-0.09, 0.0), (0.07, 0.11), (0.07, -0.11)):
        shapes.append(
            Shape(
                x + along * out_x - aside * out_y,
                y + along * out_y + aside * out_x,
                size,
                size * 0.8,
                turn=angle,
                level=BONE,
                loss=bone_loss(patient, 0.8),
                coherence=0.6,
            )
        )
    shapes.append(Shape(x + 0.04 * out_x, y + 0.04 * out_y, 0.05, 0.04, level=-22.0))
    return shapes


def abdomen(patient: Patient, rng: np.random.Generator) -> list[Shape]:
    """Transverse trunk at the liver: skin, stomach bubble, umbilical vein, spine, short pieces of ribs."""
    b = patient.trunk
    back = PI + float(rng.normal(0, 0.12))
    fade = float(rng.uniform(0.75, 1.0))
    shapes = [
        Shape(0, 0, 1.0, b, level=3.0, loss=0.13),
        Shape(0, 0, 0.93, b - 0.07, level=-7.0),
        Shape(0, 0, 0.97, b - 0.03, level=9.0, shell=0.022, specular=10, coherence=0.4),
    ]
    for side in (-1, 1):
        shapes.append(
            Shape(
                0,
                0,
                0.87,
                b - 0.12,
                level=12.0,
                shell=0.022,
                arc=(back - side * 0.95, 0.25),
                loss=bone_loss(patient, 0.5),
                specular=8,
            )
        )
    bubble = patient.stomach * float(rng.uniform(0.9, 1.1))
    shapes += _spine(patient, back, b)
    shapes += [
        Shape(-0.38, -0.06, 0.065, 0.06, level=BLOOD, loss=0.03),
        Shape(-0.12, 0.46 * b, bubble * 1.35, bubble, turn=float(rng.normal(0.3, 0.3)), level=FLUID, loss=0.0),
        Shape(
            0.42,
            -0.14,
            0.3,
            0.055 * patient.vein,
            turn=-0.25,
            level=BLOOD,
            gain=fade,
            bend=float(rng.uniform(0.9, 1.8)),
            loss=0.03,
        ),
        Shape(0.42, -0.14, 0.34, 0.1 * patient.vein, turn=-0.25, level=1.0, gain=0.35, shell=0.02, bend=1.3),
        Shape(-0.2, -0.5 * b, 0.09, 0.07, level=-18.0, gain=0.6),
    ]
    for _ in range(3):
        x, y = float(rng.uniform(-0.1, 0.6)), float(rng.uniform(-0.6, 0.05)) * b
        shapes.append(Shape(x, y, 0.1, 0.022, turn=float(rng.uniform(0, PI)), level=-24.0, gain=0.7))
    return shapes


def thorax(patient: Patient, rng: np.random.Generator) -> list[Shape]:
    """Transverse chest: long ribs, two lungs, the heart with its four chambers, spine and aorta."""
    b = patient.trunk * 0.94
    back = PI + float(rng.normal(0, 0.12))
    axis = 0.75 + float(rng.normal(0, 0.12))
    grow = patient.heart * float(rng.uniform(0.92, 1.08))
    shapes = [
        Shape(0, 0, 1.0, b, level=2.0, loss=0.13),
        Shape(0, 0, 0.9, b - 0.1, level=-3.0),
        Shape(0, 0, 0.98, b - 0.02, level=8.0, shell=0.02, specular=10, coherence=0.4),
    ]
    for side in (-1, 1):
        for middle, half in ((1.0, 0.42), (2.05, 0.36)):
            shapes.append(
                Shape(
                    0,
                    0,
                    0.88,
                    b - 0.12,
                    level=BONE,
                    shell=0.035,
                    arc=(back - side * middle, half),
                    loss=bone_loss(patient, 0.6),
                    specular=9,
                    coherence=0.5,
                )
            )
    shapes += _spine(patient, back, b)
    shapes.append(Shape(-0.4, 0.12, 0.075, 0.07, level=BLOOD, loss=0.03))
    x, y = 0.16, 0.12
    cosine, sine = math.cos(axis), math.sin(axis)
    shapes += [
        Shape(x, y, 0.6 * grow, 0.47 * grow, turn=axis, level=3.0, loss=0.08),
        Shape(x, y, 0.56 * grow, 0.43 * grow, turn=axis, level=-4.0),
    ]
    squeeze = float(rng.uniform(0.8, 1.1))
    for along, aside, length, width in (
        (0.19, -0.18, 0.24, 0.14),
        (0.19, 0.18, 0.24, 0.13),
        (-0.27, -0.16, 0.16, 0.14),
        (-0.27, 0.16, 0.16, 0.13),
    ):
        ahead, beside = along * grow, aside * grow
        shapes.append(
            Shape(
                x + ahead * cosine - beside * sine,
                y + ahead * sine + beside * cosine,
                length * grow * squeeze,
                width * grow * squeeze,
                turn=axis,
                level=BLOOD,
                loss=0.03,
            )
        )
    shapes += [
        Shape(x, y, 0.42 * grow, 0.025, turn=axis, level=4.0, specular=5),
        Shape(x - 0.07 * cosine, y - 0.07 * sine, 0.028, 0.28 * grow, turn=axis, level=5.0, specular=4),
    ]
    return shapes


def femur(patient: Patient, rng: np.random.Generator) -> list[Shape]:
    """Thigh lengthwise: one bright shaft with its shadow, soft tissue, at late ages the knee's cartilage."""
    thick = 0.075 + 0.02 * patient.ossified
    thigh = patient.slender * float(rng.uniform(0.9, 1.15))
    bend = float(rng.uniform(0.02, 0.13))
    shapes = [
        Shape(0.1, 0.02, 1.55, thigh, level=-6.0, loss=0.12),
        Shape(0.1, 0.02, 1.5, thigh * 0.95, level=5.0, gain=0.7, shell=0.025, specular=9),
        Shape(0.0, thigh * 0.5, 1.1, 0.02, level=3.0, gain=0.5, specular=6, bend=0.05),
        Shape(-1.12, 0.02, 0.2, 0.17, level=-22.0, gain=0.7),
        Shape(1.14, 0.04, 0.17, 0.16, level=-22.0, gain=0.7),
        Shape(0, 0, 1.0, thick, level=BONE + 2, bend=bend, loss=bone_loss(patient, 2.6), specular=7, coherence=0.8),
    ]
    for end in (-1, 1):
        shapes.append(
            Shape(
                0.9 * end,
                bend * 0.5,
                0.12,
                thick * 1.25,
                level=BONE + 1,
                loss=bone_loss(patient, 2.2),
                specular=4,
                coherence=0.7,
            )
        )
    if patient.weeks > 29 and rng.random() < 0.6:
        shapes.append(Shape(1.14, 0.04, 0.05, 0.05, level=BONE - 6))
    return shapes
