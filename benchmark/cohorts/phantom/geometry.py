"""Beams and pixels: where each sample of each scan line lies, and which sample each pixel shows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
VIEWS: tuple[str, ...] = ("sector", "crop", "linear")


@dataclass(frozen=True)
class View:
    """The field of view of one image; lengths in mm, y downwards from the middle of the probe's surface.

    Attributes:
        kind: `sector` (whole fan), `crop` (fan cut by the display) or `linear` (rectangle).
        depth: length of the scan lines.
        width: width of the displayed window.
        top: y of the window's upper edge (at or above the probe's surface).
        radius: radius of the probe's surface; the beams meet that far above it. Unused by `linear`.
        half_angle: half opening angle in radians. Unused by `linear`.
    """

    kind: str
    depth: float
    width: float
    top: float
    radius: float
    half_angle: float

    @property
    def height(self) -> float:
        """Height of the displayed window."""
        return self.depth - self.top


def make_view(kind: str, height: float, settings: dict[str, float]) -> View:
    """A view whose window is `height` mm high, from the drawn scanner settings."""
    width = height * settings["aspect"]
    half = math.radians(settings["half_angle_deg"])
    if kind == "linear":
        return View(kind, height, width, 0.0, 1.0, 0.0)
    if kind == "crop":
        # The window starts below the probe's surface and the fan is wider than it: only corners are cut.
        radius = settings["probe_radius_mm"] + 0.5 * height
        half = min(0.95 * half, 1.05 * math.atan(0.5 * width / radius))
        return View(kind, height, width, 0.0, radius, half)
    # The whole fan is shown unless it is much wider than the window; then the display cuts its lower corners.
    radius = settings["probe_radius_mm"]
    top = -radius * (1 - math.cos(half))
    fan = 2.0 * (radius + height + top) * math.sin(half)
    return View(kind, height + top, min(fan, 1.2 * width), top, radius, half)


@dataclass(frozen=True)
class Beams:
    """The sample grid of one image: `depth` (rows, 1), position `x`, `y` (rows, lines), beam direction (1, lines)."""

    view: View
    depth: F32
    x: F32
    y: F32
    direction_x: F32
    direction_y: F32

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and lines."""
        return int(self.x.shape[0]), int(self.x.shape[1])

    def block(self, x: float, y: float, radius: float) -> tuple[slice, slice]:
        """The smallest block of rows and lines that holds a disc (mm); empty slices if it lies outside."""
        rows, lines = self.grid
        if self.view.kind == "linear":
            near, far = y - radius, y + radius
            left, right = (x - radius) / self.view.width + 0.5, (x + radius) / self.view.width + 0.5
        else:
            away = math.hypot(x, y + self.view.radius)
            near, far = away - radius - self.view.radius, away + radius - self.view.radius
            angle = math.atan2(x, y + self.view.radius)
            spread = math.asin(radius / away) if radius < away else math.pi
            left, right = ((angle + sign * spread) / self.view.half_angle * 0.5 + 0.5 for sign in (-1, 1))
        step = self.view.depth / (rows - 1)
        first_row, last_row = math.floor(near / step), math.ceil(far / step) + 1
        first_line, last_line = math.floor(left * (lines - 1)), math.ceil(right * (lines - 1)) + 1
        return (
            slice(min(max(first_row, 0), rows), min(max(last_row, 0), rows)),
            slice(min(max(first_line, 0), lines), min(max(last_line, 0), lines)),
        )


def make_beams(view: View, rows: int, lines: int) -> Beams:
    """The grid of `rows` samples on each of `lines` scan lines."""
    depth = np.linspace(0.0, view.depth, rows, dtype=np.float32)[:, None]
    if view.kind == "linear":
        across = np.linspace(-0.5 * view.width, 0.5 * view.width, lines, dtype=np.float32)[None, :]
        x, y = np.broadcast_to(across, (rows, lines)), np.broadcast_to(depth, (rows, lines))
        return Beams(view, depth, x, y, np.zeros_like(across), np.ones_like(across))
    angle = np.linspace(-view.half_angle, view.half_angle, lines, dtype=np.float32)[None, :]
    sine, cosine = np.sin(angle), np.cos(angle)
    away = depth + np.float32(view.radius)
    return Beams(view, depth, away * sine, away * cosine - np.float32(view.radius), sine, cosine)


def scan_convert(lines_image: F32, view: View, size: int) -> F32:
    """Show a beam image (rows, lines) as size x size pixels by bilinear interpolation; 0 outside the field."""
    rows, lines = lines_image.shape
    centre = (np.arange(size, dtype=np.float32) + np.float32(0.5)) / np.float32(size)
    x = ((centre - np.float32(0.5)) * np.float32(view.width))[None, :]
    y = (np.float32(view.top) + centre * np.float32(view.height))[:, None]
    if view.kind == "linear":
        row = np.broadcast_to(y / np.float32(view.depth), (size, size))
        line = np.broadcast_to(x / np.float32(view.width) + np.float32(0.5), (size, size))
    else:
        down = y + np.float32(view.radius)
        row = (np.hypot(x, down) - np.float32(view.radius)) / np.float32(view.depth)
        line = np.arctan2(x, down) / np.float32(2.0 * view.half_angle) + np.float32(0.5)
    seen = (row >= 0) & (row <= 1) & (line >= 0) & (line <= 1)
    row = np.clip(row, 0, 1) * np.float32(rows - 1.001)
    line = np.clip(line, 0, 1) * np.float32(lines - 1.001)
    upper, left = row.astype(np.int32), line.astype(np.int32)
    down_part, right_part = row - upper, line - left
    flat = lines_image.ravel()
    index = upper * lines + left
    above = flat[index] + right_part * (flat[index + 1] - flat[index])
    index += lines
    below = flat[index] + right_part * (flat[index + 1] - flat[index])
    shown: F32 = (above + down_part * (below - above)) * seen
    return shown
