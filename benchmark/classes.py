"""The five fetal planes, in the canonical order of every output, and their prompts.

Order and captions are those of the study (Wang et al., arXiv 2407.20072).
"""

from __future__ import annotations

CLASSES: tuple[str, ...] = ("other", "abdomen", "brain", "femur", "thorax")

PROMPTS: dict[str, str] = {
    "other": "a photo of fetal ultrasound",
    "abdomen": "a photo of fetal abdomen",
    "brain": "a photo of fetal brain",
    "femur": "a photo of fetal femur",
    "thorax": "a photo of fetal thorax",
}
