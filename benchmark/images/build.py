"""Builds images with podman or docker: the base, the runners, the suite, and strangers' methods."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
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
    inspect_image,
    read_description,
)
from benchmark.images.builders import find_builder
from benchmark.images.recipes import (
    BASE,
    LABEL_BASE,
    LABEL_RECIPE,
    LABEL_VARIANT,
    Recipe,
    find_recipe,
    own_names,
    write_context,
)
from benchmark.images.secrets import build_secrets

Variant = Literal["cuda", "cpu", "none"]
VARIANTS: tuple[Variant, ...] = ("cuda", "cpu", "none")
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
PYTHON_IMAGE = "docker.io/library/python:3.11-slim"
_TAIL = 25
_FORCING = ("--no-cache", "--pull")
"""With these arguments of the engine an image is built although nothing changed here."""

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
    """An image after its build, how long that took, and whether it was there already with the same content."""

    name: str
    image: Image
    seconds: float
    kept: bool = False


def _silent(line: str) -> None:
    """Nobody listens; the last lines of a build that fails stand in its error."""


def build_images(names: Sequence[str] = (), options: BuildOptions | None = None, talk: Talk = _silent) -> list[Built]:
    """Build images, what they stand on first.

    Args:
        names: own images (`base`, `suite`, a runner, or a method for its runner) and folders of strangers' methods;
            none: all own ones. The base is built before a runner if it is missing or not current.
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
    forced = any(argument.startswith(_FORCING) for argument in asked.arguments)
    built = []
    if recipes[0].method is None and recipes[0].name != BASE:
        built = [
            entry for entry in [_build_own(engine, find_recipe(BASE), settled, talk, forced=False)] if not entry.kept
        ]
    for recipe in recipes:
        if recipe.method is None:
            built.append(_build_own(engine, recipe, settled, talk, forced))
        else:
            built.append(_build_stranger(engine, recipe, asked, talk))
    return built


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


def _build_own(engine: Engine, recipe: Recipe, options: BuildOptions, talk: Talk, forced: bool) -> Built:
    """Build one of the suite's images, or keep it where it was built from the same content."""
    started = time.monotonic()
    labels, given = dict(recipe.labels), {"BASE": options.reference(BASE)}
    if recipe.name == BASE:
        labels[LABEL_VARIANT] = options.variant
        given["BASE"] = options.base
        given["INSTALL"] = "none" if options.variant == "none" else "all"
        given["TORCH_INDEX"] = options.torch_index if options.variant == "cpu" else ""
        ground = None
    else:
        ground = inspect_image(engine, given["BASE"])
    labels[LABEL_BASE] = given["BASE"]
    labels[LABEL_RECIPE] = recipe.sha256({**given, "ground": ground.id if ground else ""})
    there = inspect_image(engine, options.reference(recipe.name))
    if there is not None and there.labels.get(LABEL_RECIPE) == labels[LABEL_RECIPE] and not forced:
        talk(f"{there.reference} is current")
        return Built(recipe.name, there, time.monotonic() - started, kept=True)
    image = _run_engine(engine, replace(recipe, labels=labels), given, options, talk)
    return Built(recipe.name, image, time.monotonic() - started)


def _build_stranger(engine: Engine, recipe: Recipe, options: BuildOptions, talk: Talk) -> Built:
    started = time.monotonic()
    given = {"BASE": options.base} if options.base else {}
    labels = {**recipe.labels, **({LABEL_BASE: options.base} if options.base else {})}
    image = _run_engine(engine, replace(recipe, labels=labels), given, options, talk)
    _check_stranger(engine, image, recipe)
    return Built(recipe.name, image, time.monotonic() - started)


def _run_engine(
    engine: Engine, recipe: Recipe, arguments: Mapping[str, str], options: BuildOptions, talk: Talk
) -> Image:
    reference = options.reference(recipe.name)
    with tempfile.TemporaryDirectory(prefix="fulora-bench-build-") as scratch:
        folder = Path(scratch) / "context"
        folder.mkdir()
        context = write_context(recipe, folder)
        secrets = []
        if recipe.name == BASE or recipe.method is not None:  # the others install nothing
            found = build_secrets(trusted=recipe.method is None)
            secrets = found.write(Path(scratch))
            for name, reason in found.left_out.items():
                talk(f"{recipe.name}: {name} {reason}; left out")
        talk(f"building {reference} with {engine.name}")
        command = [
            *(engine.program, "build", f"--file={recipe.containerfile}", f"--tag={reference}"),
            *(f"--label={name}={value}" for name, value in recipe.labels.items()),
            *(f"--build-arg={name}={value}" for name, value in arguments.items()),
            *secrets,
            # Podman would hand the host's proxies, and their passwords, to every command of a Containerfile.
            *(["--http-proxy=false"] if engine.name == "podman" else []),
            *options.arguments,
            str(context),
        ]
        _run(command, engine, recipe, options, talk)
    image = inspect_image(engine, reference)
    if image is None:
        raise BenchError(
            f"{engine.name} built {reference} but does not list it. A builder of its own keeps images to itself: "
            "add --engine-argument=--load."
        )
    return image


def _run(command: list[str], engine: Engine, recipe: Recipe, options: BuildOptions, talk: Talk) -> None:
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
    elif recipe.method is not None and inspect_image(engine, options.reference(BASE)) is None:
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
