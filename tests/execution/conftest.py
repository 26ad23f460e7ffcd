"""A real engine that runs a script as a method."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmark.execution.engines import LABEL_RUN, inspect_image
from benchmark.execution.launch import Launch, Outcome
from benchmark.execution.launchers import EngineOptions, open_launcher
from tests.engines import TEST_BASE, require_engine

RUN = f"test-container-launcher-{os.getpid()}"
Start = Callable[..., Outcome]


@pytest.fixture
def start(engine_name: str, tmp_path: Path) -> Iterator[Start]:
    """Runs a Python script as a method in the base image; afterwards no container may be left."""
    engine = require_engine(engine_name)
    image = inspect_image(engine, TEST_BASE)
    assert image is not None
    for name in ("in", "out", "model"):
        (tmp_path / name).mkdir()
    (tmp_path / "in" / "request.json").write_text("{}")
    (tmp_path / "model" / "weights").write_text("weights")

    def run(script: str, *arguments: str, **changes: Any) -> Outcome:
        given: dict[str, Any] = {
            "command": ("python3", "-c", textwrap.dedent(script)),
            "input": tmp_path / "in",
            "output": tmp_path / "out",
            "model": None,
            "threads": 1,
            "deadline_seconds": 60.0,
            "memory_mib": 256,
            "output_mib": 64,
            "image": image.id,
        }
        return open_launcher(engine_name, EngineOptions(arguments, run=RUN)).launch(Launch(**(given | changes)))

    yield run
    assert engine.call("ps", "-a", "-q", "--filter", f"label={LABEL_RUN}={RUN}").split() == []
