"""One image of one patient: the mother's wall, water, placenta, the structure and its pose, the scanner."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmark.cohorts.phantom import others, planes
from benchmark.cohorts.phantom.formation import coarse_noise, form_image
from benchmark.cohorts.phantom.geometry import VIEWS, View, make_beams, make_view
from benchmark.cohorts.phantom.patient import Patient
from benchmark.cohorts.phantom.scanners import ScannerRange, draw_settings
from benchmark.cohorts.phantom.tissue import FLUID, Canvas, Frame, Shape

Painter = Callable[[Patient, np.random.Generator], list[Shape]]

PLANES: dict[str, Painter] = {
    "abdomen": planes.abdomen,
    "brain": planes.brain,
    "femur": planes.femur,
    "thorax": planes.thorax,
}
OTHERS: tuple[Painter | None, ...] = (others.cord, others.forearm, others.spine, others.placenta, others.profile, None)
"""Kinds of `other`; None is a standard plane of which most lies outside the field."""

TURN = {"abdomen": math.pi, "thorax": math.pi, "brain": 0.55, "femur": 0.6}
"""How far a plane may be turned to either side, radians."""


@dataclass(frozen=True)
class _Subject:
    """What is shown: its painter, the name that sets how it lies, half its size (mm), and whether it is cut."""

    painter: Painter
    name: str
    half: float
    cut: bool

    @property
    def stretch(self) -> float:
        """Room that long structures take beyond their frame."""
        return 1.35 if self.name in ("femur", "other") else 1.0


def draw_image(label: str, patient: Patient, scanner: ScannerRange, size: int, rng: np.random.Generator) -> np.ndarray:
    """One image, uint8 of shape (size, size)."""
    settings = draw_settings(scanner, rng)
    kind = VIEWS[int(np.searchsorted(np.cumsum(scanner.views), rng.random() * sum(scanner.views), side="right"))]
    subject = _choose(label, patient, rng)
    height = float(np.clip(2.0 * subject.half * subject.stretch / settings["fill"], 45.0, 220.0))
    if subject.name == "femur":
        height = max(height, 2.6 * subject.half / settings["aspect"])
    # A shallow window is scanned at a higher frequency: the point-spread function shrinks with it.
    finer = min(1.15, (height / 110.0) ** 0.7)
    settings["axial_mm"] *= finer
    settings["lateral_mm"] *= finer
    view = make_view(kind, height, settings)
    canvas = Canvas(
        make_beams(view, rows=max(96, 7 * size // 4), lines=max(64, 5 * size // 4)),
        settings["attenuation_db_mm"],
        settings["shadow"],
    )
    frame = _pose(subject, patient, view, settings["offset"], rng)
    if subject.cut:
        frame = _push_out(frame, view, rng)
    _surroundings(canvas, frame, subject, patient, rng)
    canvas.paint(frame, subject.painter(patient, rng))
    return form_image(canvas, settings, size, rng)


def _choose(label: str, patient: Patient, rng: np.random.Generator) -> _Subject:
    """The plane of that label, a little smaller where it is met off its middle; one of many for `other`."""
    painter, name, cut = PLANES.get(label), label, False
    if label == "other":
        painter = OTHERS[int(rng.integers(len(OTHERS)))]
    if painter is None:
        name, cut = ("abdomen", "brain", "thorax")[int(rng.integers(3))], True
        painter = PLANES[name]
    return _Subject(painter, name, _half_size(name, patient) * float(rng.uniform(0.9, 1.0)), cut)


def _half_size(name: str, patient: Patient) -> float:
    """Half the structure's size in mm."""
    if name == "brain":
        return patient.head_mm
    if name == "femur":
        return patient.femur_mm
    if name == "thorax":
        return 0.93 * patient.trunk_mm
    if name == "other":
        return 0.8 * patient.trunk_mm + 6.0
    return patient.trunk_mm


def _pose(subject: _Subject, patient: Patient, view: View, offset: float, rng: np.random.Generator) -> Frame:
    """The structure near the middle of the window, turned as the fetus lies."""
    angle = float(rng.uniform(0, 2 * math.pi))
    x = offset * view.height * math.cos(angle)
    y = view.height * 0.53 + offset * view.height * math.sin(angle)
    turn = float(rng.uniform(-1, 1)) * TURN.get(subject.name, 0.5)
    if subject.name in ("brain", "femur") and rng.random() < 0.5:
        turn += math.pi
    if subject.name == "femur":
        y = min(y, 0.5 * view.height)
        turn = math.remainder(turn, math.pi)
    sway = (float(rng.uniform(0.01, 0.03)), *patient.sway)
    return Frame(x, y, subject.half, turn, patient.left < 0, sway)


def _push_out(frame: Frame, view: View, rng: np.random.Generator) -> Frame:
    """Move a structure so that more than half of it lies outside the field."""
    side = 1.0 if rng.random() < 0.5 else -1.0
    x = side * (0.34 * view.width + 0.3 * frame.scale * float(rng.random()))
    y = view.height * float(rng.uniform(0.55, 0.95))
    return Frame(x, y, frame.scale * float(rng.uniform(0.9, 1.2)), frame.turn, frame.mirror, frame.wobble)


def _surroundings(canvas: Canvas, frame: Frame, subject: _Subject, patient: Patient, rng: np.random.Generator) -> None:
    """Soft tissue everywhere, the mother's wall under the probe, a pocket of water, placenta, the far wall."""
    canvas.level += np.float32(-2.0)
    canvas.level += coarse_noise(canvas.beams.grid, rng, knots=5) * np.float32(3.5)
    pocket = 0.95 + 0.45 * patient.water
    across = subject.stretch
    drift = frame.scale * float(rng.uniform(0.15, 0.55))
    angle = float(rng.uniform(0, 2 * math.pi))
    tilt = float(rng.uniform(-0.5, 0.5))
    place = (frame.x + drift * math.cos(angle), frame.y + drift * math.sin(angle))
    water = Frame(*place, frame.scale, tilt, False, (0.07, *patient.sway))
    shapes = [
        Shape(0, 0, pocket * across * 1.12, pocket * 0.95 * across, level=5.0, shell=0.04, specular=9),
        Shape(0, 0, pocket * across * 1.1, pocket * 0.93 * across, level=FLUID, loss=0.0),
    ]
    if patient.anterior:
        shapes.append(Shape(0, -pocket * across, pocket * 1.2, 0.28, level=2.0, bend=0.2, loss=0.11))
    elif rng.random() < 0.7:
        shapes.append(Shape(0.2, pocket * across, pocket * 1.2, 0.3, level=1.0, bend=-0.2, loss=0.11))
    canvas.paint(water, shapes)
    wall = patient.wall * canvas.beams.view.depth
    weight = np.clip((wall - canvas.beams.depth) / np.float32(canvas.step) * 0.7 + 0.5, 0, 1)
    bands = 7.0 + 4.0 * np.cos(canvas.beams.depth * np.float32(2 * math.pi / max(0.45 * wall, 2.0)))
    canvas.level += weight * (bands.astype(np.float32) - canvas.level)
    canvas.loss += weight * (np.float32(canvas.tissue_loss) - canvas.loss)
