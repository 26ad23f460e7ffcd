"""How a scanner forms an image: scatterers, point-spread function, depth gain, shadows, noise, log compression."""

from __future__ import annotations

import math

import numpy as np

from benchmark.cohorts.phantom.geometry import F32, scan_convert
from benchmark.cohorts.phantom.tissue import Canvas

ASSUMED_LOSS = 0.12
"""Two-way attenuation (dB/mm) that the scanner's depth gain makes good."""
NOMINAL_NOISE_DEPTH = 60.0
"""Depth (mm) at which the electronic noise has the level that the scanner range names."""
DB = np.float32(math.log(10.0) / 20.0)


def form_image(canvas: Canvas, settings: dict[str, float], size: int, rng: np.random.Generator) -> np.ndarray:
    """One B-mode image, uint8 of shape (size, size), from the tissue on the canvas."""
    view, depth = canvas.beams.view, canvas.beams.depth
    part = depth / np.float32(view.depth)
    shape = canvas.beams.grid
    level = canvas.level + coarse_noise(shape, rng) * np.float32(1.5)
    amplitude = np.exp(level * DB)
    field = _scatterers(amplitude, canvas.coherence, rng)
    field = _axial(field, settings["axial_mm"] / (view.depth / shape[0]))
    field = _lateral(field, _lateral_sigma(canvas, settings, part))
    echo: F32 = np.hypot(field[0], field[1])
    echo *= np.exp(-DB * np.float32(settings["contact_db"]) * _contact(shape[1], rng))
    # Attenuation is a property of the path: what lies behind bone is dark, what lies behind water is bright.
    path = np.cumsum(canvas.loss - np.float32(ASSUMED_LOSS), axis=0) * np.float32(view.depth / shape[0])
    echo *= np.exp(-DB * _spread(path))
    noise = settings["noise_db"] + ASSUMED_LOSS * (depth - NOMINAL_NOISE_DEPTH)
    clutter = settings["clutter_db"] - 45.0 * part
    floor = np.exp(noise * DB) + np.exp(clutter * DB)
    echo = np.hypot(echo, floor * np.abs(rng.standard_normal(shape, dtype=np.float32)))
    decibel = np.log(echo + np.float32(1e-5)) / DB
    if settings["smoothing"]:
        decibel += np.float32(settings["smoothing"]) * (_box(decibel) - decibel)
    decibel += settings["gain_db"] + settings["tgc_slope_db"] * (part - np.float32(0.5))
    decibel += np.float32(settings["tgc_bow_db"]) * np.sin(np.float32(math.pi) * part)
    grey = np.clip(np.float32(0.47) + decibel / np.float32(settings["dynamic_range_db"]), 0, 1)
    shown = scan_convert(grey ** np.float32(settings["gamma"]), view, size)
    return np.rint(shown * np.float32(255)).astype(np.uint8)


def coarse_noise(shape: tuple[int, int], rng: np.random.Generator, knots: int = 7) -> F32:
    """Smooth noise of unit variance at its knots: tissue is never uniform."""
    values: F32 = rng.standard_normal((knots, knots), dtype=np.float32)
    columns: F32 = values @ _hat(shape[1], knots).T
    return np.matmul(_hat(shape[0], knots), columns, dtype=np.float32)


def _contact(lines: int, rng: np.random.Generator) -> F32:
    """Loss of each scan line in parts of the scanner's worst, shape (1, lines): bad contact, and the fan's sides."""
    knots = rng.standard_normal(9, dtype=np.float32)
    side = np.linspace(-1, 1, lines, dtype=np.float32) ** 4
    loss: F32 = np.maximum(_hat(lines, 9) @ knots * np.float32(0.6), 0) + np.float32(0.6) * side
    return loss[None, :]


def _hat(count: int, knots: int) -> F32:
    """Linear interpolation weights (count, knots)."""
    place = np.linspace(0, knots - 1, count, dtype=np.float32)[:, None]
    weights: F32 = np.clip(np.float32(1) - np.abs(place - np.arange(knots, dtype=np.float32)), 0, 1)
    return weights


def _scatterers(amplitude: F32, coherence: F32, rng: np.random.Generator) -> np.ndarray:
    """Complex scatterers, shape (2, rows, lines): random phase in tissue, in phase along bone and walls."""
    field = rng.standard_normal((2, *amplitude.shape), dtype=np.float32) * np.float32(math.sqrt(0.5))
    field *= np.float32(1) - coherence
    field[0] += coherence * np.float32(0.75)
    field *= amplitude
    return field


def _axial(field: np.ndarray, sigma: float) -> np.ndarray:
    """Convolve along depth with a Gaussian of unit energy (sigma in samples)."""
    taps = max(1, math.ceil(2.5 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-taps, taps + 1) / max(sigma, 0.3)) ** 2)
    kernel = (kernel / math.sqrt(float((kernel**2).sum()))).astype(np.float32)
    padded = np.pad(field, ((0, 0), (taps, taps), (0, 0)))
    out = kernel[0] * padded[:, : field.shape[1]]
    part = np.empty_like(out)
    for tap in range(1, 2 * taps + 1):
        np.multiply(kernel[tap], padded[:, tap : tap + field.shape[1]], out=part)
        out += part
    return out


def _lateral_sigma(canvas: Canvas, settings: dict[str, float], part: F32) -> F32:
    """Lateral width of the beam in lines, shape (rows, 1): narrowest at the focus."""
    view = canvas.beams.view
    width_mm = np.float32(settings["lateral_mm"]) * np.sqrt(1 + (2.2 * (part - np.float32(settings["focus"]))) ** 2)
    lines = canvas.beams.grid[1]
    if view.kind == "linear":
        sigma = width_mm * np.float32(lines / view.width)
    else:
        sigma = width_mm / (canvas.beams.depth + np.float32(view.radius)) * np.float32(0.5 * lines / view.half_angle)
    clipped: F32 = np.clip(sigma, 0.35, 3.0)
    return clipped


def _lateral(field: np.ndarray, sigma: F32) -> np.ndarray:
    """Convolve across the lines with a Gaussian of unit energy whose width depends on the depth."""
    taps = math.ceil(2.2 * float(sigma.max()))
    reach = np.arange(-taps, taps + 1, dtype=np.float32)[None, :]
    kernels = np.exp(np.float32(-0.5) * (reach / sigma) ** 2)
    kernels /= np.sqrt((kernels**2).sum(axis=1, keepdims=True))
    lines = field.shape[2]
    padded = np.pad(field, ((0, 0), (0, 0), (taps, taps)))
    out = kernels[:, :1] * padded[:, :, :lines]
    part = np.empty_like(out)
    for tap in range(1, 2 * taps + 1):
        np.multiply(kernels[:, tap : tap + 1], padded[:, :, tap : tap + lines], out=part)
        out += part
    return out


def _spread(path: F32) -> F32:
    """A beam is wider than a line: shadows have soft sides."""
    padded = np.pad(path, ((0, 0), (1, 1)), mode="edge")
    return np.float32(0.25) * (padded[:, :-2] + padded[:, 2:]) + np.float32(0.5) * path


def _box(image: F32) -> F32:
    """Mean of 3 x 3 neighbours."""
    padded = np.pad(image, 1, mode="edge")
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    mean: F32 = (rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]) * np.float32(1 / 9)
    return mean
