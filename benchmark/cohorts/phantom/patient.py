"""Patients: anatomy that all images of one patient share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Patient:
    """One fetus and its mother.

    Attributes:
        weeks: gestational age; sets sizes, ossification and how much water there is.
        growth: size relative to the median of that age.
        head: biparietal over occipitofrontal diameter.
        trunk: anteroposterior over transverse diameter of abdomen and thorax.
        stomach: radius of the stomach bubble, relative to the trunk.
        vein, heart: relative sizes of the umbilical vein and of the heart.
        slender: thickness of the limbs' soft tissue relative to the bone's length.
        ossified: 0 to 1, how bright and how opaque bone is.
        water: 0 to 1, size of the water pocket around the fetus.
        anterior: whether the placenta lies between the probe and the fetus.
        wall: thickness of the mother's abdominal wall relative to the window.
        left: 1 or -1: to which side organs lie in the image.
        sway: phases of the outline's irregularity.
    """

    weeks: float
    growth: float
    head: float
    trunk: float
    stomach: float
    vein: float
    heart: float
    slender: float
    ossified: float
    water: float
    anterior: bool
    wall: float
    left: int
    sway: tuple[float, float]

    @property
    def head_mm(self) -> float:
        """Half the occipitofrontal diameter."""
        return self.growth * (12.0 + 1.42 * (self.weeks - 10.0) + 3.0)

    @property
    def trunk_mm(self) -> float:
        """Half the abdominal diameter."""
        return self.growth * (10.5 + 1.55 * (self.weeks - 12.0))

    @property
    def femur_mm(self) -> float:
        """Half the length of the femur's shaft."""
        return self.growth * (12.0 + 1.18 * (self.weeks - 17.0))


def draw_patient(weeks: tuple[float, float], rng: np.random.Generator) -> Patient:
    """A patient of that range of gestational ages."""
    age = float(rng.uniform(*weeks))
    return Patient(
        weeks=age,
        growth=float(np.clip(rng.normal(1.0, 0.05), 0.86, 1.14)),
        head=float(rng.uniform(0.72, 0.86)),
        trunk=float(rng.uniform(0.86, 1.0)),
        stomach=float(rng.uniform(0.16, 0.27)),
        vein=float(rng.uniform(0.8, 1.25)),
        heart=float(rng.uniform(0.88, 1.12)),
        slender=float(rng.uniform(0.42, 0.62)),
        ossified=float(np.clip((age - 16.0) / 18.0 + rng.normal(0, 0.08), 0.0, 1.0)),
        water=float(np.clip(rng.normal(0.75 - 0.02 * (age - 18.0), 0.22), 0.05, 1.0)),
        anterior=bool(rng.random() < 0.45),
        wall=float(rng.uniform(0.03, 0.11)),
        left=1 if rng.random() < 0.5 else -1,
        sway=(float(rng.uniform(0, 6.28)), float(rng.uniform(0, 6.28))),
    )
