"""Builds images with podman or docker: the base, the runners, the suite, and strangers' methods."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from benchmark.contract.method import FILE_NAME
from benchmark.errors import BenchError, UsageError
from benchmark.execution.code import method_code_sha256
from benchmark.execution.container import EngineOptions
from benchmark.execution.engines import (
    DESCRIPTION_FOLDER,
    LABEL_CODE,
    Engine,
    Image,
    find_engine,
    inspect_image,
    read_description,
    working_engines,
)
from benchmark.images.recipes import (
    BASE,
    LABEL_BASE,
    LABEL_ENVIRONMENT,
    LABEL_VARIANT,
    Recipe,
    environment_sha256,
    find_recipe,
    own_names,
    write_context,
)
from benchmark.images.secrets import build_secrets

Variant = Literal["cuda", "cpu", "none"]
VARIANTS: tuple[Variant, ...] = ("cuda", "cpu", "none")
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
PYTHON_IMAGE = "docker.io/library/python:3.11-slim"
_BUILDKIT_BUILT_IN = 23
"""Docker clients below this major version need no buildx plugin for BuildKit."""
_TAIL = 25

Talk = Callable[[str], object]


@dataclass(frozen=True)
class BuildOptions:
    """How images are built.

    Attributes:
        engine: `podman`, `docker`, or `auto`, the first of them that works.
        prefix: of the images' names.
        base: the Python image that ours stand on; empty keeps that of the base image that is there, else the official.
        variant: `cuda` (torch as PyPI has it, for CPU and GPU), `cpu` (a smaller torch), `none` (no dependencies: they
            are mounted at `/deps` at run time); empty keeps that of the base image that is there, else `cuda`.
        torch_index: package index of the `cpu` variant.
        arguments: further arguments of the engine's `build`, e.g. `--network=host`.
    """

    engine: str = "auto"
    prefix: str = EngineOptions.images
    base: str = ""
    variant: Variant | Literal[""] = ""
    torch_index: str = CPU_INDEX
    arguments: tuple[str, ...] = ()

    def reference(self, name: str) -> str:
        """The name of an image with its prefix and tag."""
        return f"{self.prefix}/{name}:latest"

    def command_line(self, names: Sequence[str]) -> str:
        """The command that builds these images with these options."""
        parts = ["fulora-bench", "containers", "build", *names, "--engine", self.engine]
        default = BuildOptions()
        for name in ("prefix", "base", "variant", "torch_index"):
            if getattr(self, name) != getattr(default, name):
                parts += [f"--{name.replace('_', '-')}", getattr(self, name)]
        parts += [f"--engine-argument={argument}" for argument in self.arguments]
        return shlex.join(parts)


@dataclass(frozen=True)
class Built:
    """An image after its build, and how long that took."""

    name: str
    image: Image
    seconds: float


def _silent(line: str) -> None:
    """Nobody listens; the last lines of a build that fails stand in its error."""


def build_images(names: Sequence[str] = (), options: BuildOptions | None = None, talk: Talk = _silent) -> list[Built]:
    """Build images, what they stand on first.

    Args:
        names: own images (`base`, `suite`, a runner, or a method for its runner) and folders of strangers' methods;
            none: all own ones. The base is built with a runner only if it is missing or not current.
        talk: is given each line that the engine writes.

    Raises:
        UsageError: an unknown name, or a folder that is no method.
        BenchError: no engine, or a build that failed; the message has the last lines and the command to repeat.
    """
    asked = options or BuildOptions()
    engine = find_builder(asked.engine)
    asked = replace(asked, engine=engine.name)
    recipes = _in_order([find_recipe(name) for name in names or own_names()])
    settled = _settled(asked, engine)
    if _needs_base(recipes, engine, settled):
        recipes = [find_recipe(BASE), *recipes]
    return [_build(engine, recipe, asked if recipe.method else settled, talk) for recipe in recipes]


def find_builder(name: str) -> Engine:
    """The engine of this name (`auto`: the first that works) with a client that can build.

    Raises:
        UsageError: apptainer, which converts images and builds none of ours.
        BenchError: it does not work here.
    """
    if name == "apptainer":
        raise UsageError(
            "apptainer does not build these images; it converts what podman or docker built. From podman: "
            "'podman save --format docker-archive -o x.tar IMAGE', then "
            "'apptainer build x.sif docker-archive://x.tar'; from docker: 'apptainer build x.sif docker-daemon://IMAGE'."
        )
    if name == "auto":
        engines = [engine for engine in working_engines() if engine.name != "apptainer"]
        if not engines:
            raise BenchError(
                "no engine that builds images works here: install podman or docker ('fulora-bench doctor')."
            )
        engine = engines[0]
    else:
        engine = find_engine(name)
    return replace(engine, program=_docker_client()) if engine.name == "docker" else engine


def _docker_client() -> str:
    """A docker client that can build with secrets: an older one has BuildKit inside, a newer one needs buildx."""
    for folder in os.get_exec_path():
        program = shutil.which("docker", path=folder)
        if program is None:
            continue
        told = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
        words = told.replace(",", " ").split()
        major = words[2].partition(".")[0] if len(words) > 2 else ""
        old = major.isdigit() and int(major) < _BUILDKIT_BUILT_IN
        if old or subprocess.run([program, "buildx", "version"], capture_output=True, check=False).returncode == 0:
            return program
    raise BenchError("docker cannot build with secrets here: install its buildx plugin (docker-buildx), or use podman.")


def _in_order(recipes: list[Recipe]) -> list[Recipe]:
    order = {name: position for position, name in enumerate(own_names())}
    once = {str(recipe.containerfile): recipe for recipe in recipes}
    return sorted(once.values(), key=lambda recipe: order.get(recipe.name, len(order)))


def _settled(options: BuildOptions, engine: Engine) -> BuildOptions:
    """With the choices that are not made taken from the base image that is there."""
    there = inspect_image(engine, options.reference(BASE))
    labels = there.labels if there else {}
    variant = options.variant or labels.get(LABEL_VARIANT) or "cuda"
    if variant not in VARIANTS:
        raise UsageError(f"--variant {variant}: use {', '.join(VARIANTS)}.")
    return replace(options, base=options.base or labels.get(LABEL_BASE) or PYTHON_IMAGE, variant=variant)


def _needs_base(recipes: list[Recipe], engine: Engine, options: BuildOptions) -> bool:
    """Whether the base must be built although it was not asked for."""
    if any(recipe.name == BASE for recipe in recipes) or all(recipe.method is not None for recipe in recipes):
        return False
    there = inspect_image(engine, options.reference(BASE))
    wanted = {
        LABEL_ENVIRONMENT: environment_sha256(),
        LABEL_CODE: method_code_sha256(),
        LABEL_BASE: options.base,
        LABEL_VARIANT: options.variant,
    }
    return there is None or any(there.labels.get(label) != value for label, value in wanted.items())


def _build(engine: Engine, recipe: Recipe, options: BuildOptions, talk: Talk) -> Built:
    started = time.monotonic()
    reference = options.reference(recipe.name)
    with tempfile.TemporaryDirectory(prefix="fulora-bench-build-") as scratch:
        folder = Path(scratch) / "context"
        folder.mkdir()
        context = write_context(recipe, folder)
        secrets = build_secrets(trusted=recipe.method is None)
        for name, reason in secrets.left_out.items():
            talk(f"{recipe.name}: {name} {reason}; left out")
        arguments = _arguments(recipe, options, reference) + secrets.write(Path(scratch))
        talk(f"building {reference} with {engine.name}")
        _run([engine.program, "build", *arguments, *options.arguments, str(context)], recipe, options, talk)
    image = inspect_image(engine, reference)
    if image is None:
        raise BenchError(
            f"{engine.name} built {reference} but does not list it. A builder of its own keeps images to itself: "
            "add --engine-argument=--load."
        )
    if recipe.method is not None:
        _check_stranger(engine, image, recipe)
    return Built(recipe.name, image, time.monotonic() - started)


def _arguments(recipe: Recipe, options: BuildOptions, reference: str) -> list[str]:
    labels = dict(recipe.labels)
    given: dict[str, str] = {}
    if recipe.name == BASE:
        labels |= {LABEL_BASE: options.base, LABEL_VARIANT: options.variant}
        given["BASE"] = options.base
        given["INSTALL"] = "none" if options.variant == "none" else "all"
        given["TORCH_INDEX"] = options.torch_index if options.variant == "cpu" else ""
    elif recipe.method is None:
        labels[LABEL_BASE] = given["BASE"] = options.reference(BASE)
    elif options.base:
        labels[LABEL_BASE] = given["BASE"] = options.base
    return [
        f"--file={recipe.containerfile}",
        f"--tag={reference}",
        *(f"--label={name}={value}" for name, value in labels.items()),
        *(f"--build-arg={name}={value}" for name, value in given.items()),
    ]


def _run(command: list[str], recipe: Recipe, options: BuildOptions, talk: Talk) -> None:
    """Run the engine to its end, line by line."""
    # BuildKit mounts secrets; attestations would give each build of the same image another id.
    environment = {
        **os.environ,
        "DOCKER_BUILDKIT": "1",
        "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",
        "BUILDKIT_PROGRESS": "plain",
    }
    tail: deque[str] = deque(maxlen=_TAIL)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=environment,
        text=True, errors="replace",
    ) as process:  # fmt: skip
        assert process.stdout is not None
        for line in process.stdout:
            talk(line.rstrip())
            tail.append(line.rstrip())
    if process.returncode == 0:
        return
    name = recipe.name if recipe.method is None else str(recipe.containerfile.parent)
    hint = ""
    if recipe.name == BASE:
        hint = "\nWithout access to a registry name a Python image of this host: --base IMAGE."
    elif recipe.method is not None and inspect_image(find_engine(options.engine), options.reference(BASE)) is None:
        hint = f"\nIf it stands on {options.reference(BASE)}, build that first: fulora-bench containers build base"
    raise BenchError(
        f"{options.engine} could not build {options.reference(recipe.name)} (exit {process.returncode}):\n"
        + "\n".join(tail)
        + f"\nAgain: {options.command_line([name])}{hint}"
    )


def _check_stranger(engine: Engine, image: Image, recipe: Recipe) -> None:
    """The image must describe itself as its folder does, and hold the SDK that is installed here, if it holds it."""
    assert recipe.method is not None
    folder = recipe.containerfile.parent
    try:
        inside = read_description(engine, image)
    except UsageError as error:
        raise UsageError(f"{error} Add to {recipe.containerfile}: COPY . {DESCRIPTION_FOLDER}") from error
    if inside != (folder / FILE_NAME).read_bytes():
        raise UsageError(
            f"{DESCRIPTION_FOLDER}/{FILE_NAME} in the image is not that of {folder}. "
            f"Have {recipe.containerfile} copy the folder: COPY . {DESCRIPTION_FOLDER}"
        )
    if image.labels.get(LABEL_CODE, "") not in ("", method_code_sha256()):
        raise BenchError(
            f"{image.reference} stands on a base image with another version of the suite's SDK. "
            "Build that first: fulora-bench containers build base"
        )
