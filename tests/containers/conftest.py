"""Images for tests: ours on the small base, without dependencies, which are mounted from this environment."""

from __future__ import annotations

import contextlib
import os
import sysconfig
from collections.abc import Callable, Iterator

import pytest

from benchmark.errors import BenchError
from benchmark.execution.engines import Image
from benchmark.images.build import BuildOptions, build_images
from tests.engines import TEST_BASE, require_engine

PREFIX = f"localhost/fulora-bench-test-{os.getpid()}"
ENVIRONMENT = (f"--volume={sysconfig.get_path('purelib')}:/deps:ro",)
"""Engine arguments that give a container of these images the dependencies of this environment."""

Images = Callable[[str], dict[str, Image]]


def slim_options(engine_name: str) -> BuildOptions:
    """How tests build: in seconds, with no network."""
    return BuildOptions(engine=engine_name, prefix=PREFIX, base=TEST_BASE, variant="none")


@pytest.fixture(scope="session")
def slim_images() -> Iterator[Images]:
    """All own images on the small base, built once per engine, by name; removed at the end."""
    built: dict[str, dict[str, Image]] = {}

    def images(engine_name: str) -> dict[str, Image]:
        require_engine(engine_name)
        if engine_name not in built:
            found = build_images(options=slim_options(engine_name))
            built[engine_name] = {entry.name: entry.image for entry in found}
        return built[engine_name]

    yield images
    for engine_name, found in built.items():
        for image in reversed(found.values()):
            with contextlib.suppress(BenchError):
                require_engine(engine_name).call("image", "rm", image.reference)
