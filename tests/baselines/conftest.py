from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from accelerate.state import AcceleratorState

from benchmark.classes import CLASSES, PROMPTS
from benchmark.contract import ClassSpec, Context, Request, TrainingSet, read_training_set, write_request
from benchmark.methods import get_method
from tests.tiny_pipeline import SIZE, build_tiny_pipeline


@pytest.fixture(scope="session")
def tiny_pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_pipeline(tmp_path_factory.mktemp("model") / "pipeline")


@pytest.fixture(autouse=True)
def fresh_accelerator() -> None:
    """accelerate keeps precision and device for the whole process; a method has a process of its own."""
    AcceleratorState._reset_state(reset_partial_state=True)


class Case:
    """A request on disk for one method, as the launcher would prepare it."""

    def __init__(self, root: Path, model: Path | None, method: str, **changes: Any) -> None:
        spec = get_method(method)
        small = {"inference_steps": 3, "steps": 4, "batch": 4, "width": 8, "sample_batch": 4, "precision": "no"}
        overrides = {name: value for name, value in small.items() if name in spec.parameters}
        overrides |= changes.pop("parameters", {})
        values: dict[str, Any] = {
            "method": method,
            "parameters": spec.resolve_parameters(overrides),
            "seed": 11,
            "classes": tuple(ClassSpec(name=name, prompt=PROMPTS[name]) for name in CLASSES),
            "images_per_class": 2,
            "image_size": SIZE,
            "steps": 3,
            "deadline_seconds": 300.0,
        }
        self.spec, self.model = spec, model
        self.request = Request(**(values | changes))
        self.input, self.output = root / "input", root / "output"
        self.output.mkdir(parents=True)
        labels = list(CLASSES) * 2
        size = self.request.image_size
        pixels = np.random.default_rng(0).integers(0, 256, (len(labels), size, size), dtype=np.uint8)
        table = pd.DataFrame({"label": labels, "patient_id": [f"p{i}" for i in range(len(labels))]})
        write_request(self.input, self.request, pixels, table)

    @property
    def environ(self) -> dict[str, str]:
        folders = {"BENCH_INPUT": str(self.input), "BENCH_OUTPUT": str(self.output)}
        return folders | ({"BENCH_MODEL": str(self.model)} if self.model else {})

    @cached_property
    def context(self) -> Context:
        return Context(request=self.request, input=self.input, output=self.output, model=self.model)

    @property
    def train(self) -> TrainingSet:
        return read_training_set(self.input, self.request)


@pytest.fixture
def case(tmp_path: Path, tiny_pipeline: Path) -> Callable[..., Case]:
    made: list[Case] = []

    def make(method: str, model: Path | None = tiny_pipeline, **changes: Any) -> Case:
        made.append(Case(tmp_path / str(len(made)), model, method, **changes))
        return made[-1]

    return make
