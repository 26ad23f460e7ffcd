"""The workbench of a check: small requests on small grey images, and starts of the method on them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.classes import CLASSES, PROMPTS
from benchmark.cohorts.phantom import draw_phantom
from benchmark.conformance.subject import Subject
from benchmark.contract import ClassSpec, MethodSpec, Request, SyntheticSet, validate_response, write_request
from benchmark.execution.launch import Launch, Outcome
from benchmark.models import resolve_base_model

IMAGE_SIZE = 64
"""Pixels: the size of the default profile, and the embedded base pipeline's own."""
IMAGES_PER_CLASS = 2
STEPS = 2
_TRAINING_PER_CLASS = 4


@dataclass(frozen=True)
class Limits:
    """Seconds of a check.

    Attributes:
        ordinary: deadline of a request that every method should answer in time.
        short: deadline of the request that should be too much for it.
        grace: what the host waits beyond a deadline before it ends the method.
    """

    ordinary: float = 300.0
    short: float = 4.0
    grace: float = 30.0


@dataclass(frozen=True)
class Trial:
    """One start of the method: what was asked, how it ended, and the folder that it wrote."""

    spec: MethodSpec
    request: Request
    outcome: Outcome
    output: Path

    @property
    def said(self) -> str:
        """The last line of its log, or an empty string."""
        return self.without_place(self.outcome.log_tail[-1]) if self.outcome.log_tail else ""

    def without_place(self, text: str) -> str:
        """The text without the names of our own folders, which mean nothing to a reader."""
        return text.replace(f"{self.output.parent}/", "")

    def response(self, *, partial: bool = False) -> SyntheticSet:
        """Its response, validated; raises InvalidResponse."""
        return validate_response(self.output, self.request, self.spec, partial=partial)


class Bench:
    """Starts one method on requests; may be used from several threads.

    Args:
        subject: the method.
        root: an empty folder for requests and responses.
        limits: how long it waits.
    """

    def __init__(self, subject: Subject, root: Path, limits: Limits) -> None:
        self.subject, self.root, self.limits = subject, root, limits
        self._numbers = itertools.count()
        self._answer: Trial | None = None
        self.images, self.table = _training_images()
        self.model = resolve_base_model("embedded").folder if subject.spec.needs.model else None

    @cached_property
    def request(self) -> Request:
        """The ordinary request: all classes, few images, few steps."""
        spec = self.subject.spec
        cheaper = {"steps": STEPS} if type(spec.parameters.get("steps")) is int else {}
        return Request(
            method=spec.name,
            parameters=spec.resolve_parameters(cheaper),
            seed=20_240_720,
            classes=classes(CLASSES),
            images_per_class=IMAGES_PER_CLASS,
            image_size=IMAGE_SIZE,
            steps=STEPS,
            device="cuda" if spec.needs.gpu else "cpu",
            deadline_seconds=self.limits.ordinary,
        )

    def answer(self) -> Trial:
        """How the ordinary request was answered: started once, by the first check, which the others wait for."""
        if self._answer is None:
            self._answer = self.start(self.request)
        return self._answer

    def start(
        self,
        request: Request,
        *,
        spoil: Callable[[Path], object] | None = None,
        with_model: bool = True,
        writable: bool = True,
        patience: float = 0.0,
    ) -> Trial:
        """Start the method on a request and wait for its end.

        Args:
            request: what it is asked; the training images are those of the request's classes.
            spoil: changes the request folder before the start.
            with_model: false withholds the weights.
            writable: false hands in an output that cannot be written.
            patience: seconds beyond deadline and grace after which the host ends it.
        """
        place = self.root / str(next(self._numbers))
        output = place / "output"
        output.mkdir(parents=True)
        asked = self.table["label"].isin(request.labels).to_numpy()
        write_request(place / "input", request, self.images[asked], self.table[asked])
        if spoil is not None:
            spoil(place / "input")
        launch = self._launch(request, place / "input", output)
        launch = replace(launch, deadline_seconds=launch.deadline_seconds + patience)
        if not with_model:
            launch = replace(launch, model=None)
        if not writable:
            launch = self._unwritable(launch)
        return Trial(self.subject.spec, request, self.subject.launcher.launch(launch), output)

    def _launch(self, request: Request, source: Path, output: Path) -> Launch:
        spec = self.subject.spec
        return Launch(
            command=self.subject.launcher.command(spec),
            input=source,
            output=output,
            model=self.model,
            threads=1,
            deadline_seconds=request.deadline_seconds + self.limits.grace,
            memory_mib=spec.needs.memory_mib,
            image=self.subject.started_as,
            gpu=request.device == "cuda",
        )

    def _unwritable(self, launch: Launch) -> Launch:
        """In a container a read-only mount; to a process, which may be root's, a file where a folder should be."""
        if self.subject.image is not None:
            return replace(launch, writable_output=False)
        file = launch.output.with_name("no-folder")
        file.write_text("")
        return replace(launch, output=file)


def classes(labels: tuple[str, ...]) -> tuple[ClassSpec, ...]:
    """These classes with their captions, in this order."""
    return tuple(ClassSpec(name=name, prompt=PROMPTS[name]) for name in labels)


def _training_images() -> tuple[NDArray[np.uint8], pd.DataFrame]:
    """A few phantom images of every class, uint8 (n, size, size), in the classes' canonical order, and their table."""
    cohort = draw_phantom("phantom-pretraining", IMAGE_SIZE, images=_TRAINING_PER_CLASS * len(CLASSES))
    order = np.argsort([CLASSES.index(label) for label in cohort.table["label"]], kind="stable")
    return cohort.pixels[order], cohort.table.iloc[order].reset_index(drop=True)
