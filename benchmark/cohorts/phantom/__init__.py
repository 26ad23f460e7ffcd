"""A procedural B-mode ultrasound of the five planes, in three disjoint domains: `draw_phantom`."""

from __future__ import annotations

from benchmark.cohorts.phantom.domains import DOMAINS, PHANTOM_VERSION, draw_phantom

__all__ = ["DOMAINS", "PHANTOM_VERSION", "draw_phantom"]
