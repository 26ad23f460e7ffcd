"""The launchers by name, and the images that methods run in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchmark.contract import CONTRACT_VERSION, MethodSpec
from benchmark.contract.method import parse_method
from benchmark.errors import BenchError, UnknownNameError, UsageError
from benchmark.execution.apptainer import ApptainerLauncher
from benchmark.execution.code import method_code_sha256, suite_code_sha256
from benchmark.execution.container import ContainerLauncher, EngineOptions
from benchmark.execution.engines import (
    DESCRIPTION_FOLDER,
    ENGINES,
    LABEL_CODE,
    LABEL_CONTRACT,
    Engine,
    Image,
    find_engine,
    inspect_image,
    read_description,
    working_engines,
)
from benchmark.execution.launch import Launcher
from benchmark.execution.process import ProcessLauncher

LAUNCHERS: tuple[str, ...] = ("process", *ENGINES)
AUTO = "auto"
SUITE_IMAGE = "suite"

__all__ = [
    "EngineOptions",
    "choose_launcher",
    "image_method",
    "method_image",
    "open_launcher",
    "start_name",
    "suite_image",
]


def choose_launcher(asked: str, say: Callable[[str], object]) -> str:
    """The launcher that `auto` means on this host, said with the reason; any other name is checked and kept.

    Raises:
        UnknownNameError: no such launcher.
    """
    if asked != AUTO:
        if asked not in LAUNCHERS:
            raise UnknownNameError("launcher", asked, (*LAUNCHERS, AUTO))
        return asked
    found = working_engines()
    if not found:
        say("launcher auto: no container engine answers here, so methods run as plain processes (isolation: none)")
        return "process"
    engine = found[0]
    say(f"launcher auto: {engine.name} {engine.version}{' (rootless)' if engine.rootless else ''}")
    return engine.name


def open_launcher(name: str, options: EngineOptions) -> Launcher:
    """The launcher of this name.

    Raises:
        UnknownNameError: no such launcher.
        BenchError: its engine does not work here.
    """
    if name not in LAUNCHERS:
        raise UnknownNameError("launcher", name, LAUNCHERS)
    if name == "process":
        return ProcessLauncher()
    engine = find_engine(name)
    return ApptainerLauncher(engine, options) if name == "apptainer" else ContainerLauncher(engine, options)


def method_image(engine: Engine, spec: MethodSpec, options: EngineOptions) -> Image:
    """The image of a method, built from the sources that are installed here.

    Raises:
        BenchError: it is not there, or was built from other sources; the message names the command.
    """
    reference = spec.image_reference or _reference(engine, options, spec.image_name)
    image = inspect_image(engine, reference)
    build = _build_command(engine, options, spec)
    if image is None:
        raise BenchError(f"{engine.name} has no image {reference} of the method {spec.name}. Build it: {build}")
    _check_contract(image)
    if spec.image_id:
        if image.id != spec.image_id:
            raise BenchError(
                f"the image {reference} was exchanged while this run was set up. Run the same command again."
            )
        return image
    if image.sources.get(spec.name) != spec.source_sha256:
        raise BenchError(f"the image {reference} was built from other sources of {spec.name}. Build it again: {build}")
    if image.labels.get(LABEL_CODE, "") not in ("", method_code_sha256()):
        raise BenchError(f"the image {reference} holds another version of the suite's SDK. Build it again: {build}")
    return image


def suite_image(engine: Engine, options: EngineOptions) -> Image:
    """The image in which fidelity and utility cells run, with the code that is installed here.

    Raises:
        BenchError: it is not there, or holds other code; the message names the command.
    """
    reference = _reference(engine, options, SUITE_IMAGE)
    image = inspect_image(engine, reference)
    build = f"fulora-bench containers build {SUITE_IMAGE} {_build_options(engine, options)}"
    if image is None:
        raise BenchError(f"{engine.name} has no image {reference}, in which images are measured. Build it: {build}")
    if image.labels.get(LABEL_CODE) != suite_code_sha256():
        raise BenchError(f"the image {reference} holds another version of the suite. Build it again: {build}")
    return image


def image_method(engine: Engine, reference: str) -> MethodSpec | None:
    """The method that an image on this host describes itself as; `None` if there is no such image.

    Raises:
        UsageError: the image is no image of a method, or its `method.toml` is wrong.
    """
    image = inspect_image(engine, reference)
    if image is None:
        return None
    _check_contract(image)
    where = f"method.toml of the image {reference}"
    data = read_description(engine, image)
    return parse_method(data, where, Path(DESCRIPTION_FOLDER), image_id=image.id, image_reference=reference)


def start_name(engine: Engine, image: Image) -> str:
    """What the engine is told to start: the id, which nobody can move to another image; the path of an image file."""
    return str(Path(image.reference).resolve()) if engine.name == "apptainer" else image.id


def _check_contract(image: Image) -> None:
    told = image.labels.get(LABEL_CONTRACT, "")
    if told != str(CONTRACT_VERSION):
        raise UsageError(
            f"the image {image.reference} carries the label {LABEL_CONTRACT}={told or '(none)'}, and this suite speaks "
            f"version {CONTRACT_VERSION}: put LABEL {LABEL_CONTRACT}={CONTRACT_VERSION} in its Containerfile."
        )
    if image.volumes:
        raise UsageError(
            f"the image {image.reference} declares volumes ({', '.join(sorted(image.volumes))[:200]}): they would be "
            "writable and without a limit. Remove VOLUME from its Containerfile; scratch goes to /tmp."
        )


def _reference(engine: Engine, options: EngineOptions, name: str) -> str:
    if engine.name == "apptainer":
        return str(Path(options.images) / f"{name}.sif")
    return f"{options.images}/{name}:latest"


def _build_command(engine: Engine, options: EngineOptions, spec: MethodSpec) -> str:
    own = (spec.folder / "Containerfile").is_file() or (spec.folder / "Dockerfile").is_file()
    target = str(spec.folder) if own else spec.image_name
    return f"fulora-bench containers build {target} {_build_options(engine, options)}"


def _build_options(engine: Engine, options: EngineOptions) -> str:
    prefix = "" if options.images == EngineOptions().images else f" --prefix {options.images}"
    return f"--engine {engine.name}{prefix}"
