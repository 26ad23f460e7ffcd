"""The registry of methods and base models: found by entry point or by path, read without importing them."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from pathlib import Path

from benchmark.contract.method import FILE_NAME, MethodSpec, load_method
from benchmark.errors import UnknownNameError, UsageError

METHODS_GROUP = "fulora_bench.methods"
MODELS_GROUP = "fulora_bench.models"


def find_methods() -> dict[str, MethodSpec]:
    """All installed methods by name, in alphabetical order.

    Raises:
        UsageError: a registered method has no readable `method.toml`, or another name in it.
    """
    methods = {}
    for name, folder in _registered(METHODS_GROUP).items():
        methods[name] = load_method(folder)
        if methods[name].name != name:
            raise UsageError(f"{folder / FILE_NAME}: name is '{methods[name].name}', the entry point says '{name}'.")
    return methods


def get_method(name_or_path: str) -> MethodSpec:
    """An installed method by name, or any method by the path of its folder or `method.toml`.

    Raises:
        UnknownNameError: no such name.
        UsageError: the path holds no readable `method.toml`.
    """
    if _is_path(name_or_path) or name_or_path.endswith(".toml"):
        return load_method(Path(name_or_path).expanduser())
    folders = _registered(METHODS_GROUP)
    if name_or_path not in folders:
        raise UnknownNameError("method", name_or_path, folders)
    return find_methods()[name_or_path]


def find_models() -> dict[str, Path]:
    """Installed base models by name, each with its diffusers pipeline folder (which may be missing)."""
    return {name: folder / "pipeline" for name, folder in _registered(MODELS_GROUP).items()}


def model_folder(name_or_path: str) -> Path:
    """The diffusers pipeline folder of a base model, by name (`embedded`) or by path.

    Raises:
        UnknownNameError: no such name.
        UsageError: the folder holds no `model_index.json`.
    """
    if _is_path(name_or_path):
        folder = Path(name_or_path).expanduser().resolve()
    else:
        models = find_models()
        if name_or_path not in models:
            raise UnknownNameError("base model", name_or_path, models)
        folder = models[name_or_path]
    if not (folder / "model_index.json").is_file():
        raise UsageError(
            f"{folder} is no diffusers pipeline (model_index.json is missing). "
            "Run 'fulora-bench prepare base', or give the path of a pipeline folder."
        )
    return folder


def _is_path(text: str) -> bool:
    return "/" in text or text.startswith((".", "~"))


def _registered(group: str) -> dict[str, Path]:
    """Folder of every entry point of a group; only the top-level package is looked up, nothing is run."""
    points = sorted(importlib.metadata.entry_points(group=group), key=lambda point: point.name)
    return {point.name: _module_folder(point) for point in points}


def _module_folder(point: importlib.metadata.EntryPoint) -> Path:
    top, *rest = point.module.split(".")
    found = importlib.util.find_spec(top)
    if found is None or not found.submodule_search_locations:
        owner = point.dist.name if point.dist else "a package"
        raise UsageError(
            f"{owner} registers '{point.name}' in {point.group} as {point.value}, but '{top}' is no package. "
            f"Reinstall or remove {owner}."
        )
    return Path(next(iter(found.submodule_search_locations))).joinpath(*rest)
