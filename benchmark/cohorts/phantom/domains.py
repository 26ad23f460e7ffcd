"""The three domains as cohorts: who the patients are, which scanner saw them, which planes they have."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.classes import CLASSES
from benchmark.cohorts.cohort import COLUMNS, Cohort
from benchmark.cohorts.phantom.patient import draw_patient
from benchmark.cohorts.phantom.scanners import NO_THORAX, PRETRAINING, SOURCE, TARGET, ScannerRange
from benchmark.cohorts.phantom.scene import draw_image
from benchmark.errors import UnknownNameError, UsageError
from benchmark.keys import named_seed

DOMAINS: tuple[str, ...] = ("phantom-pretraining", "phantom-source", "phantom-target")
PHANTOM_VERSION = "2"
"""Changes whenever any drawn pixel changes; part of every cache key."""

STANDARD: dict[str, int] = {"phantom-pretraining": 4000, "phantom-source": 550, "phantom-target": 300}
TRAIN_PART = 250 / 550
"""Part of the source cohort that trains: 50 of 110 images per class; the others are held out."""
TARGET_SHARES: dict[str, int] = {"north": 68, "delta": 68, "coast": 68, "lake": 48, "hills": 48}
_CHUNK = 32


@dataclass(frozen=True)
class _Row:
    """One image to draw."""

    label: str
    center: str
    split: str
    patient: int
    image: int


@dataclass(frozen=True)
class _Group:
    """Images of one centre and split: patients never cross groups."""

    center: str
    split: str
    count: int
    classes: tuple[str, ...]


def draw_phantom(domain: str, size: int = 64, seed: int = 0, images: int | None = None, draw: int = 0) -> Cohort:
    """Draw a phantom cohort; the same arguments give the same pixels on any number of threads.

    Args:
        domain: one of `DOMAINS`.
        size: side of the images in pixels, at least 32.
        seed: base seed of the whole phantom.
        images: number of images; None is the domain's standard (4000, 550, 300). Of the pre-training domain
            fewer images are the first ones of more.
        draw: another draw of the same domain: other patients, other pixels.

    Returns:
        The cohort; `split` is `train` or `heldout` in the source domain, `train` in pre-training, `test` in target.

    Raises:
        UnknownNameError: no such domain.
        UsageError: a size, number of images or draw that cannot be drawn.
    """
    if domain not in DOMAINS:
        raise UnknownNameError("phantom domain", domain, DOMAINS)
    count = STANDARD[domain] if images is None else images
    if size < 32 or count < 1 or draw < 0:
        raise UsageError(
            f"{domain}: size {size}, images {count}, draw {draw} cannot be drawn; "
            "size must be at least 32, images at least 1, draw at least 0"
        )
    rows = list(_roster(domain, seed, draw, count))
    pixels = np.empty((len(rows), size, size), dtype=np.uint8)
    machines: list[tuple[str, str]] = [("", "")] * len(rows)

    def work(start: int) -> None:
        for place in range(start, min(start + _CHUNK, len(rows))):
            pixels[place], machines[place] = _draw_row(domain, rows[place], size, (seed, draw))

    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        list(pool.map(work, range(0, len(rows), _CHUNK)))
    return Cohort(name=domain, table=_table(domain, draw, rows, machines, pixels), pixels=pixels)


def _draw_row(domain: str, row: _Row, size: int, key: tuple[int, int]) -> tuple[np.ndarray, tuple[str, str]]:
    """The pixels of one image, and its machine and operator: all hang on the names alone."""
    who = named_seed("phantom", *key, domain, row.center, row.split, row.patient)
    rng = np.random.Generator(np.random.SFC64([who, 0]))
    machine, scanner = _scanner(domain, row.center, rng)
    operator = f"{row.center}-op{int(rng.integers(1, 5))}"
    patient = draw_patient(scanner.weeks, rng)
    pixels = draw_image(row.label, patient, scanner, size, np.random.Generator(np.random.SFC64([who, 1 + row.image])))
    return pixels, (machine, operator)


def _scanner(domain: str, center: str, rng: np.random.Generator) -> tuple[str, ScannerRange]:
    """The scanner that saw a patient."""
    if domain == "phantom-target":
        return f"{center}-scanner", TARGET[center]
    if domain == "phantom-source":
        names = list(SOURCE)
        name = names[int(rng.integers(len(names)))]
        return name, SOURCE[name]
    return "any", PRETRAINING


def _groups(domain: str, count: int) -> list[_Group]:
    """How many images come from which centre and split."""
    if domain == "phantom-pretraining":
        return [_Group("pretraining", "train", count, CLASSES)]
    if domain == "phantom-source":
        train = min(count, max(5, 5 * round(count * TRAIN_PART / 5)))
        return [_Group("source", "train", train, CLASSES), _Group("source", "heldout", count - train, CLASSES)]
    present = tuple(name for name in CLASSES if name != "other")
    no_thorax = tuple(name for name in present if name != "thorax")
    total = sum(TARGET_SHARES.values())
    edges = np.rint(np.cumsum([0, *TARGET_SHARES.values()]) * (count / total)).astype(int).tolist()
    return [
        _Group(name, "test", edges[i + 1] - edges[i], no_thorax if name in NO_THORAX else present)
        for i, name in enumerate(TARGET_SHARES)
    ]


def _roster(domain: str, seed: int, draw: int, count: int) -> Iterator[_Row]:
    """The images in order: labels in shuffled blocks of two per class, patients of one to four images each."""
    for group in _groups(domain, count):
        rng = np.random.default_rng(named_seed("phantom-roster", seed, draw, domain, group.center, group.split))
        block: list[str] = []
        patient, image, left = 0, 0, int(rng.integers(1, 5))
        for _ in range(group.count):
            if not block:
                block = [str(name) for name in rng.permutation(group.classes * 2)]
            if left == 0:
                patient, image, left = patient + 1, 0, int(rng.integers(1, 5))
            yield _Row(block.pop(), group.center, group.split, patient, image)
            image, left = image + 1, left - 1


def _table(
    domain: str, draw: int, rows: list[_Row], machines: list[tuple[str, str]], pixels: NDArray[np.uint8]
) -> pd.DataFrame:
    """The cohort's table; names are unique over domains and draws."""
    start = domain.removeprefix("phantom-") + (f"-d{draw}" if draw else "")
    lines = []
    for row, (machine, operator), image in zip(rows, machines, pixels, strict=True):
        place = row.split if domain == "phantom-source" else row.center if domain == "phantom-target" else ""
        patient = "-".join(part for part in (start, place, f"p{row.patient:04d}") if part)
        digest = hashlib.sha256(image.tobytes()).hexdigest()
        lines.append(
            (
                f"{patient}-{row.image + 1}",
                row.label,
                patient,
                row.center,
                patient,
                row.split,
                machine,
                operator,
                digest,
            )
        )
    return pd.DataFrame(lines, columns=list(COLUMNS), dtype="str")
