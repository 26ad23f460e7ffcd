"""A profile says what to run: protocol, methods, seeds, backbones, extractors, budget, launcher."""

from __future__ import annotations

import os
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from benchmark.errors import UnknownNameError, UsageError

Mix = Literal["real+synthetic", "synthetic"]
Balance = Literal["natural", "sampling", "loss", "subset"]
Compute = Literal["matched", "unmatched"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class MethodEntry(_Part):
    """A method of the registry, or the path of a folder that holds a `method.toml`, with parameter overrides."""

    name: str
    parameters: dict[str, Any] = Field(default_factory=dict)


class ExtractorEntry(_Part):
    """A feature extractor by name or `module:attribute`; `weights` names a local file where one is needed."""

    name: str
    weights: Path | None = None


class BackboneEntry(_Part):
    """A timm backbone; `weights` is `none` (from scratch, explicit), `pretrained`, or a local file."""

    name: str
    weights: str = "none"


class FidelityPlan(_Part):
    """Which extractors measure the synthetic sets, against which references."""

    extractors: tuple[ExtractorEntry, ...] = (ExtractorEntry(name="ultrasound"),)
    references: tuple[Literal["heldout", "train"], ...] = ("heldout", "train")


class DosePlan(_Part):
    """Images per class for a dose-response: every number of real ones with every number of synthetic ones.

    `real` = 0 stands for all of the training source; `synthetic` = 0 for none. Real images are taken in an order in
    which each smaller set lies in each larger one, those that the generators saw first.
    """

    real: tuple[Annotated[int, Field(ge=0)], ...] = ()
    synthetic: tuple[Annotated[int, Field(ge=0)], ...] = ()


class UtilityPlan(_Part):
    """Which classifiers are trained, on which mixes, by which recipe. `steps` overrides the recipe's own.

    Attributes:
        controls: how classifiers of real images alone are balanced: `natural` (always run), `sampling` (each batch
            draws its classes evenly; every gain is measured against it), `loss` (weights by inverse frequency),
            `subset` (as many images of each class as the rarest has).
        balances: the same for the mixes with synthetic images.
        compute: `matched` gives every mix the recipe's optimiser steps; `unmatched` as many epochs as the natural
            real set takes. The second is a row of its own, labelled, and never the headline.
        upper_reference: also train on the target itself, cross-fitted over patients. Never ranked.
        doses: a dose-response beside the mixes.
    """

    backbones: tuple[BackboneEntry, ...]
    recipe: str
    augmentations: tuple[str, ...]
    mixes: tuple[Mix, ...] = ("real+synthetic", "synthetic")
    controls: tuple[Balance, ...] = ("natural", "sampling", "loss", "subset")
    balances: tuple[Balance, ...] = ("natural",)
    compute: tuple[Compute, ...] = ("matched",)
    upper_reference: bool = True
    doses: DosePlan = DosePlan()
    steps: int | None = Field(default=None, ge=1)


class ExecutionPlan(_Part):
    """Where and under which limits cells run.

    `workers` = 0 takes one worker per `threads` cores. `deadline_seconds` and `memory_mib` bound one generate cell;
    in a container `memory_mib` bounds every cell. `output_mib` is what a cell may leave in its output folder.
    `engine_arguments` are further arguments of the container engine, for odd hosts; `images` is the prefix of the
    names of images (for apptainer the folder of its image files).
    """

    launcher: str = "process"
    engine_arguments: tuple[str, ...] = ()
    images: str = "localhost/fulora-bench"
    output_mib: int = Field(default=4096, ge=1)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    workers: int = Field(default=0, ge=0)
    threads: int = Field(default=1, ge=1)
    deadline_seconds: float = Field(default=1800, gt=0)
    memory_mib: int = Field(default=6144, ge=256)

    def worker_count(self) -> int:
        """Number of worker processes on this machine."""
        return self.workers or max(1, len(os.sched_getaffinity(0)) // self.threads)


class Profile(_Part):
    """Everything that a run is asked to do.

    Attributes:
        generator_steps: optimiser steps that full fine-tune and FU-LoRA both take.
        images_per_class: synthetic images per class and repetition.
        base_model: `embedded`, a folder with a diffusers pipeline, or `owner/name@revision` of a model hub.
    """

    name: str
    summary: str
    protocol: str
    image_size: int = Field(default=64, ge=32, le=1024)
    seed: int = Field(default=1234, ge=0)
    repetitions: int = Field(default=3, ge=1, le=100)
    images_per_class: int = Field(ge=1)
    generator_steps: int = Field(ge=1)
    base_model: str = "embedded"
    methods: tuple[MethodEntry, ...] = Field(min_length=1)
    fidelity: FidelityPlan = FidelityPlan()
    utility: UtilityPlan
    execution: ExecutionPlan = ExecutionPlan()

    @model_validator(mode="after")
    def _names_once(self) -> Profile:
        names = [entry.name for entry in self.methods]
        repeated = {name for name in names if names.count(name) > 1}
        if repeated:
            raise ValueError(f"methods named twice: {', '.join(sorted(repeated))}")
        return self


def list_profiles() -> dict[str, str]:
    """Names and summaries of the profiles that ship with the suite."""
    folder = files("benchmark") / "profiles"
    loaded = (yaml.safe_load(entry.read_text()) for entry in folder.iterdir() if entry.name.endswith(".yaml"))
    return {data["name"]: data["summary"] for data in sorted(loaded, key=lambda data: data["name"])}


def load_profile(name: str, overrides: Iterable[str] = (), methods: Iterable[str] = ()) -> Profile:
    """Load a shipped profile by name, or any YAML file by path, and apply `key=value` overrides.

    With `methods` only these run (names of the profile, of the registry, or folders). A key is dotted
    (`utility.steps=200`, `methods.fu_lora.rank=4`: a method's name, or that of its folder, addresses its
    parameters); values are YAML.

    Raises:
        UsageError: unknown profile or key, or a value that does not fit; the message names it.
    """
    data = _read(name)
    chosen = list(methods)
    if chosen:
        known = {entry["name"]: entry for entry in data.get("methods", [])}
        data["methods"] = [known.get(method, {"name": method}) for method in chosen]
    for override in overrides:
        _apply(data, override)
    try:
        return Profile.model_validate(data)
    except ValidationError as error:
        raise UsageError(f"profile {name}: {_explain(error)}") from error


def _read(name: str) -> dict[str, Any]:
    path = Path(name)
    if path.suffix in {".yaml", ".yml"}:
        if not path.is_file():
            raise UsageError(f"no profile file {name}. Shipped profiles: {', '.join(list_profiles())}.")
        text = path.read_text()
    else:
        resource = files("benchmark") / "profiles" / f"{name}.yaml"
        if not resource.is_file():
            raise UnknownNameError("profile", name, list_profiles())
        text = resource.read_text()
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UsageError(f"profile {name} is not valid YAML: {error}") from error
    if not isinstance(data, dict):
        raise UsageError(f"profile {name} must be a mapping of keys to values")
    return data


def _apply(data: dict[str, Any], override: str) -> None:
    key, separator, text = override.partition("=")
    if not separator or not key:
        raise UsageError(f"--set {override}: write key=value, e.g. --set repetitions=5")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UsageError(f"--set {override}: the value is not valid YAML ({error})") from error
    parts = key.split(".")
    if parts[0] == "methods" and len(parts) == 3:
        _apply_parameter(data, parts[1], parts[2], value)
        return
    place: dict[str, Any] = data
    model: type[BaseModel] = Profile
    for position, part in enumerate(parts):
        fields = model.model_fields
        if part not in fields:
            raise UnknownNameError("profile key", ".".join(parts[: position + 1]), _dotted(parts[:position], fields))
        if position == len(parts) - 1:
            place[part] = value
            return
        nested = fields[part].annotation
        if not (isinstance(nested, type) and issubclass(nested, BaseModel)):
            raise UsageError(f"--set {override}: '{part}' has no keys below it")
        place, model = place.setdefault(part, {}), nested


def _apply_parameter(data: dict[str, Any], method: str, parameter: str, value: Any) -> None:
    entries = data.get("methods", [])
    for entry in entries:
        if method in (entry["name"], Path(entry["name"]).name):
            entry.setdefault("parameters", {})[parameter] = value
            return
    raise UnknownNameError("method of this profile", method, [entry["name"] for entry in entries])


def _dotted(prefix: list[str], names: Iterable[str]) -> list[str]:
    return [".".join([*prefix, name]) for name in names]


def _explain(error: ValidationError) -> str:
    faults = [
        f"{'.'.join(str(part) for part in fault['loc']) or 'profile'}: {fault['msg']}" for fault in error.errors()
    ]
    return "; ".join(faults)
