"""What is checked: a method by name, by folder or by image, and the way it is started."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmark.contract import MethodSpec, load_method
from benchmark.contract.method import FILE_NAME
from benchmark.errors import BenchError, UsageError
from benchmark.execution.engines import Engine, Image, find_engine, read_description
from benchmark.execution.launch import Launcher
from benchmark.execution.launchers import EngineOptions, image_method, method_image, open_launcher, start_name
from benchmark.methods import find_methods, get_method


class Undescribed(BenchError):  # noqa: N818 -- a finding about a method
    """The method's own description is at fault; the message is the finding of the first check."""


@dataclass(frozen=True)
class Subject:
    """A method that describes itself, with the launcher that starts it.

    Attributes:
        image: its image on this host, or `None` where it is started as a process.
        started_as: what the engine is told to start; empty for a process.
    """

    spec: MethodSpec
    launcher: Launcher
    image: Image | None = None
    started_as: str = ""


def open_subject(target: str, launcher: str, options: EngineOptions) -> Subject:
    """Find what `target` means for this launcher.

    Args:
        target: an installed method, a folder (or its `method.toml`), or with an engine an image.
        launcher: `process`, `podman`, `docker` or `apptainer`.
        options: how the engine starts containers.

    Raises:
        UsageError: there is no such method, folder or image.
        Undescribed: it is there, and `method.toml` or the image's label is wrong.
        BenchError: the engine does not work here, or the method's image is missing or stale.
    """
    opened = open_launcher(launcher, options)
    engine = None if launcher == "process" else find_engine(launcher)
    spec = find_methods().get(target) or _by_folder(target) or _by_image(target, engine)
    try:
        _ = spec.source_sha256  # names every file that the description lists
        if engine is None:
            return Subject(spec, opened)
        image = method_image(engine, spec, options)
        read_description(engine, image)
    except UsageError as error:
        raise Undescribed(str(error)) from error
    return Subject(spec, opened, image, start_name(engine, image))


def _by_folder(target: str) -> MethodSpec | None:
    path = Path(target).expanduser()
    if not (path.is_dir() or path.name == FILE_NAME):
        return None
    try:
        return load_method(path)
    except UsageError as error:
        raise Undescribed(str(error)) from error


def _by_image(target: str, engine: Engine | None) -> MethodSpec:
    if engine is None:
        if "/" in target or ":" in target:
            raise UsageError(f"{target} is no folder here. If it is an image, name its engine: --launcher podman.")
        return get_method(target)  # raises, with the nearest names
    try:
        spec = image_method(engine, target)
    except UsageError as error:
        raise Undescribed(str(error)) from error
    if spec is None:
        raise UsageError(
            f"{target} is no installed method, no folder, and no image of {engine.name} on this host. "
            "Nothing is pulled: build or load the image first. 'fulora-bench list methods' shows the methods."
        )
    return spec
