"""Which container engines the tests may use, and the marks with which engine tests skip, or must run.

Environment:
    FULORA_BENCH_TEST_BASE: small Python image on which tests build theirs (default `localhost/python:bookworm`).
    FULORA_BENCH_REQUIRE_ENGINE: when set (CI), engine tests fail where they would skip.
"""

from __future__ import annotations

import functools
import os
import sys
import sysconfig

import pytest

from benchmark.errors import BenchError
from benchmark.execution.engines import Engine, EngineName, find_engine, inspect_image, list_images
from benchmark.images.build import BuildOptions, build_images
from tests.length import FULL

TEST_BASE: str = os.environ.get("FULORA_BENCH_TEST_BASE") or "localhost/python:bookworm"
REQUIRED: bool = os.environ.get("FULORA_BENCH_REQUIRE_ENGINE", "") not in ("", "0")
FULL_BASE: str = os.environ.get("FULORA_BENCH_BASE") or TEST_BASE
"""Base of the full images that tests build."""
IMAGES: str = os.environ.get("FULORA_BENCH_TEST_IMAGES") or "localhost/fulora-bench-full"
"""Prefix of the full images that tests build: never those of the user, whose ids are in the keys of the user's runs."""
TEST_PREFIX: str = "localhost/fulora-bench-test"
"""Prefix of the images that tests build."""
_CONTAINER_ENGINES: tuple[EngineName, ...] = ("podman", "docker")
_MAKE_IT = "`.ci/engine.sh` installs an engine and makes the base image"


@functools.cache
def _fault(name: str) -> str:
    """Why this engine cannot run the tests; empty if it can."""
    try:
        engine = find_engine(name)
        if inspect_image(engine, TEST_BASE) is None:
            return f"{name} has no image {TEST_BASE} ({_MAKE_IT}, or set FULORA_BENCH_TEST_BASE)"
        _python_of(engine)
    except BenchError as error:
        return str(error)
    return ""


@functools.cache
def _python_of(engine: Engine) -> str:
    """Version of the base image's Python, e.g. `3.11`; a container is run for it."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    return engine.call("run", "--rm", "--network=none", TEST_BASE, "python3", "-c", code).strip()


def _usable() -> list[str]:
    working = [name for name in _CONTAINER_ENGINES if not _fault(name)]
    return sorted({"podman", *working}, key=_CONTAINER_ENGINES.index) if REQUIRED else working


ENGINE_NAMES: list[str] = _usable()
"""Engines that work here and hold the base image; podman always where engines are required, so that its tests fail."""


def require_engine(name: str) -> Engine:
    """The engine, for a test: skips the test with the reason where it does not work, fails it where it must."""
    fault = _fault(name)
    if fault and REQUIRED:
        pytest.fail(f"FULORA_BENCH_REQUIRE_ENGINE is set, but {fault}")
    if fault:
        pytest.skip(fault)
    return find_engine(name)


def small_images(name: str, *images: str) -> tuple[str, ...]:
    """Build images of ours (`real-only`, `suite`, …) without dependencies, under `TEST_PREFIX`; seconds, no network.

    Returns:
        The engine arguments that mount this environment, in which the tests run, as their dependencies.
    """
    own = "{}.{}".format(*sys.version_info[:2])
    inside = _python_of(require_engine(name))
    if inside != own:
        reason = f"the base image {TEST_BASE} has Python {inside}, these tests run on {own} and lend it their packages"
        pytest.fail(reason) if REQUIRED else pytest.skip(reason)
    build_images(images, BuildOptions(engine=name, prefix=TEST_PREFIX, base=TEST_BASE, variant="none"))
    return (f"--mount=type=bind,source={sysconfig.get_path('purelib')},target=/deps,readonly",)


def engines(*, every: bool = False) -> pytest.MarkDecorator:
    """Parametrises `engine_name` over the usable engines; on a host with none, one visible skip tells why.

    The short form of the tests takes the first engine where what an engine does itself is tested with all of them
    elsewhere (`every`): how it starts, limits and ends a container, builds an image, and carries a whole run.
    """
    if ENGINE_NAMES:
        return pytest.mark.parametrize("engine_name", ENGINE_NAMES if every or FULL else ENGINE_NAMES[:1])
    skip = pytest.mark.skip(reason=_why_none())
    return pytest.mark.parametrize("engine_name", [pytest.param("none", marks=skip)])


def _why_none() -> str:
    return "no container engine for tests: " + "; ".join(filter(None, map(_fault, _CONTAINER_ENGINES)))


def _images_missing() -> bool:
    """Whether no engine holds an image of ours; asked for the skip only, never where engines are required."""
    for name in ENGINE_NAMES:
        if any(image.reference.startswith(f"{IMAGES}/") for image in list_images(find_engine(name))):
            return False
    return True


needs_engine = pytest.mark.skipif(not ENGINE_NAMES, reason=_why_none() if not ENGINE_NAMES else "")
"""For tests that choose their engine themselves, from `ENGINE_NAMES`."""

needs_images = pytest.mark.skipif(
    not REQUIRED and _images_missing(),
    reason="the images are not built: fulora-bench containers build (or set FULORA_BENCH_REQUIRE_ENGINE=1)",
)
"""For tests with the full images: they run where those lie, and where engines are required; then they build them."""
