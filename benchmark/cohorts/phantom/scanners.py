"""Scanners, centres and patients of the three phantom domains, as ranges; every image draws its own values.

All numbers are declared here and nowhere else: `docs/phantom.md` is written from these tables.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

Span = tuple[float, float]
"""Lowest and highest value; drawn uniformly."""


@dataclass(frozen=True)
class ScannerRange:
    """Ranges of what a site sets: probe, receive chain, display, and whom it examines.

    `sector`, `crop` and `linear` in `views` are the probabilities of the three fields of view: a whole fan, a fan
    whose sides the display cuts, a rectangle.
    """

    views: tuple[float, float, float]
    half_angle_deg: Span
    probe_radius_mm: Span
    aspect: Span
    fill: Span
    offset: Span
    axial_mm: Span
    lateral_mm: Span
    focus: Span
    gain_db: Span
    tgc_slope_db: Span
    tgc_bow_db: Span
    dynamic_range_db: Span
    attenuation_db_mm: Span
    shadow: Span
    noise_db: Span
    clutter_db: Span
    contact_db: Span
    gamma: Span
    smoothing: Span
    weeks: Span


MEANING: dict[str, str] = {
    "half_angle_deg": "half opening angle of the fan, degrees",
    "probe_radius_mm": "radius of the curved probe, mm",
    "aspect": "width over height of the displayed window before it is squeezed into a square",
    "fill": "zoom: size of the structure over the height of the window",
    "offset": "how far from the middle the structure lies, in window heights",
    "axial_mm": "axial standard deviation of the point-spread function in a window 110 mm deep, mm",
    "lateral_mm": "lateral standard deviation at the focus in a window 110 mm deep, mm",
    "focus": "depth of the focus, as a part of the window",
    "gain_db": "overall gain, dB",
    "tgc_slope_db": "error of the depth gain from top to bottom, dB",
    "tgc_bow_db": "error of the depth gain in the middle, dB",
    "dynamic_range_db": "displayed dynamic range, dB",
    "attenuation_db_mm": "two-way attenuation of soft tissue, dB/mm (the depth gain assumes 0.12)",
    "shadow": "strength of bone shadows, 1 = nominal",
    "noise_db": "electronic noise before the depth gain, dB relative to soft tissue",
    "clutter_db": "reverberation clutter at the probe, dB relative to soft tissue",
    "contact_db": "loss where the probe touches badly and at the sides of the field, dB",
    "gamma": "exponent of the grey map (above 1: darker mid-tones)",
    "smoothing": "share of the scanner's own speckle smoothing, 0 to 1",
    "weeks": "gestational age, weeks",
}

PRETRAINING = ScannerRange(
    views=(0.5, 0.3, 0.2),
    half_angle_deg=(24, 42),
    probe_radius_mm=(25, 65),
    aspect=(0.9, 1.55),
    fill=(0.46, 0.9),
    offset=(0.0, 0.1),
    axial_mm=(0.5, 1.4),
    lateral_mm=(0.9, 2.4),
    focus=(0.3, 0.75),
    gain_db=(-9, 9),
    tgc_slope_db=(-12, 9),
    tgc_bow_db=(-5, 5),
    dynamic_range_db=(42, 78),
    attenuation_db_mm=(0.07, 0.2),
    shadow=(0.5, 1.4),
    noise_db=(-52, -26),
    clutter_db=(-40, -12),
    contact_db=(0, 14),
    gamma=(0.75, 1.5),
    smoothing=(0.2, 0.95),
    weeks=(17, 36),
)

_SOURCE = replace(
    PRETRAINING,
    views=(0.45, 0.45, 0.1),
    half_angle_deg=(31, 35),
    probe_radius_mm=(44, 52),
    aspect=(1.25, 1.38),
    fill=(0.6, 0.8),
    offset=(0.0, 0.05),
    axial_mm=(0.6, 0.8),
    lateral_mm=(1.1, 1.4),
    focus=(0.45, 0.6),
    gain_db=(-2, 3),
    tgc_slope_db=(-3, 2),
    tgc_bow_db=(-1.5, 1.5),
    dynamic_range_db=(56, 64),
    attenuation_db_mm=(0.1, 0.14),
    shadow=(0.9, 1.1),
    noise_db=(-50, -44),
    clutter_db=(-36, -28),
    contact_db=(2, 6),
    gamma=(0.95, 1.1),
    smoothing=(0.5, 0.7),
    weeks=(18, 26),
)

SOURCE: dict[str, ScannerRange] = {
    "V6": _SOURCE,
    "V10": replace(_SOURCE, axial_mm=(0.5, 0.65), lateral_mm=(0.95, 1.2), gain_db=(0, 4), gamma=(0.85, 1.0)),
    "Aplio": replace(_SOURCE, views=(0.2, 0.3, 0.5), dynamic_range_db=(50, 58), smoothing=(0.7, 0.85)),
}
"""The scanners of the one source hospital."""

TARGET: dict[str, ScannerRange] = {
    "north": replace(
        _SOURCE,
        views=(1.0, 0.0, 0.0),
        half_angle_deg=(36, 40),
        aspect=(1.35, 1.55),
        fill=(0.5, 0.64),
        gain_db=(-6, -1),
        tgc_slope_db=(-9, -3),
        dynamic_range_db=(50, 58),
        weeks=(22, 32),
    ),
    "delta": replace(
        _SOURCE,
        views=(0.0, 0.2, 0.8),
        aspect=(0.95, 1.1),
        fill=(0.65, 0.9),
        gain_db=(5, 11),
        tgc_slope_db=(2, 8),
        dynamic_range_db=(68, 80),
        gamma=(0.65, 0.8),
        smoothing=(0.8, 1.0),
        weeks=(26, 36),
    ),
    "coast": replace(
        _SOURCE,
        views=(0.9, 0.1, 0.0),
        half_angle_deg=(29, 34),
        axial_mm=(0.9, 1.45),
        lateral_mm=(1.6, 2.45),
        fill=(0.5, 0.66),
        gain_db=(-6, -2),
        dynamic_range_db=(46, 54),
        noise_db=(-38, -30),
        gamma=(1.1, 1.3),
        weeks=(18, 28),
    ),
    "lake": replace(
        _SOURCE,
        views=(1.0, 0.0, 0.0),
        half_angle_deg=(22, 26),
        probe_radius_mm=(20, 30),
        aspect=(0.85, 1.05),
        fill=(0.5, 0.7),
        dynamic_range_db=(37, 42),
        gain_db=(3, 8),
        attenuation_db_mm=(0.15, 0.21),
        clutter_db=(-18, -10),
        weeks=(20, 34),
    ),
    "hills": replace(
        _SOURCE,
        views=(0.7, 0.3, 0.0),
        half_angle_deg=(33, 38),
        axial_mm=(0.9, 1.2),
        lateral_mm=(1.6, 2.2),
        fill=(0.48, 0.65),
        tgc_slope_db=(-14, -8),
        gain_db=(0, 6),
        gamma=(1.5, 1.75),
        shadow=(1.2, 1.5),
        weeks=(28, 38),
    ),
}
"""The five target centres, each with one scanner of its own."""

NO_THORAX: tuple[str, ...] = ("lake", "hills")
"""Target centres that sent no thorax, as two of the five African ones."""


def draw_settings(scanner: ScannerRange, rng: np.random.Generator) -> dict[str, float]:
    """One value from every range but `views` and `weeks`, in the order of the fields."""
    names = [field.name for field in fields(scanner) if field.name not in ("views", "weeks")]
    parts = rng.random(len(names))
    spans: list[Span] = [getattr(scanner, name) for name in names]
    return {
        name: low + part * (high - low) for name, part, (low, high) in zip(names, parts.tolist(), spans, strict=True)
    }
