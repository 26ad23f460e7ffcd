"""From a profile to cells: their seeds, their inputs, and the keys that decide what is run again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import benchmark
from benchmark.classes import CLASSES, PROMPTS
from benchmark.contract import CONTRACT_VERSION, MethodSpec, ParameterValue
from benchmark.keys import content_key, file_sha256, named_seed, tree_sha256
from benchmark.mixes import doses, mixes
from benchmark.models import BaseModel
from benchmark.profile import BackboneEntry, Profile
from benchmark.records import REFERENCE_METHOD, Cell, Record

TARGET_MIX = "target"
"""The mix of the upper reference: the target itself, cross-fitted over its clusters."""

SUITE = "suite"
"""The image in which fidelity and utility cells run, by its name among the images of a run."""

_PACKAGES: dict[str, tuple[str, ...]] = {
    "generate": ("torch", "diffusers", "peft", "transformers", "accelerate", "numpy", "pillow"),
    "fidelity": ("torch", "torch-fidelity", "timm", "numpy", "scipy", "pillow"),
    "utility": ("torch", "torchvision", "timm", "numpy", "scipy", "scikit-learn", "pillow"),
}
_SHARED = ("classes.py", "keys.py", "execution/inputs.py", "cohorts/images.py")
_ROOMS: dict[str, tuple[str, ...]] = {
    "generate": ("contract", "execution/generate_cell.py", *_SHARED),
    "fidelity": ("fidelity", "utility", "execution/fidelity_cell.py", "execution/utility_cell.py", *_SHARED),
    "utility": ("utility", "execution/utility_cell.py", "execution/training_sets.py", *_SHARED),
}
"""Folders and files of the suite whose code can change a kind's results."""


@dataclass(frozen=True)
class Identity:
    """Content hashes of everything outside the profile that a result depends on.

    Attributes:
        protocol: name and version; `parts` maps train, adaptation, heldout and `track:<name>` to manifest digests.
        device: resolved device kind, `cpu` or `cuda`.
        launcher: resolved launcher; `images` maps every method, and `suite`, to its image's id (empty: processes).
        engine_arguments: digest of the further arguments of the engine; empty where there are none.
        arithmetic: variables of the host that choose arithmetic.
        extractors, backbones: digest of each extractor's and backbone's weights (empty: from scratch).
        recipe: the resolved recipe.
    """

    protocol: tuple[str, str]
    parts: Mapping[str, str]
    device: Literal["cpu", "cuda"]
    methods: Mapping[str, MethodSpec]
    parameters: Mapping[str, dict[str, ParameterValue]]
    base_model: BaseModel | None
    extractors: Mapping[str, str]
    backbones: Mapping[str, str]
    recipe: dict[str, Any]
    launcher: str = "process"
    images: Mapping[str, str] = field(default_factory=dict)
    engine_arguments: str = ""
    arithmetic: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def code(self) -> dict[str, str]:
        """Digest of the suite's code, room by room."""
        root = Path(benchmark.__file__).parent
        rooms = sorted({room for rooms in _ROOMS.values() for room in rooms})
        return {room: _code_sha256(root / room) for room in rooms}

    @cached_property
    def packages(self) -> dict[str, dict[str, str]]:
        """Installed versions of the packages that each kind of cell computes with."""
        return {kind: package_versions(kind) for kind in _PACKAGES}


def _code_sha256(place: Path) -> str:
    return file_sha256(place) if place.is_file() else tree_sha256(place, ("**/*.py",))


def package_versions(kind: str) -> dict[str, str]:
    """Installed versions of the packages that a kind of cell computes with."""
    found = {}
    for name in _PACKAGES[kind]:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def cells(profile: Profile, methods: Mapping[str, MethodSpec]) -> list[Cell]:
    """The whole matrix in the order in which people read it: generate, then fidelity, then utility."""
    found: list[Cell] = []
    for repetition in range(profile.repetitions):
        for name, spec in methods.items():
            found.append(Cell(kind="generate", protocol=profile.protocol, method=name, repetition=repetition))
            if spec.synthesizes:
                found.extend(_fidelity_cells(profile, name, repetition))
            found.extend(_utility_cells(profile, spec, name, repetition))
    order = {"generate": 0, "fidelity": 1, "utility": 2}
    return sorted(found, key=lambda cell: (order[cell.kind], cell.repetition))


def _fidelity_cells(profile: Profile, method: str, repetition: int) -> Iterator[Cell]:
    for extractor in profile.fidelity.extractors:
        for reference in profile.fidelity.references:
            yield Cell(
                kind="fidelity",
                protocol=profile.protocol,
                method=method,
                repetition=repetition,
                extractor=extractor.name,
                reference=reference,
            )


def _utility_cells(profile: Profile, spec: MethodSpec, method: str, repetition: int) -> Iterator[Cell]:
    plan = profile.utility
    trained_on = [*mixes(plan, spec, method), *doses(plan, spec, method)]
    if plan.upper_reference and method == REFERENCE_METHOD:
        trained_on.append({"mix": TARGET_MIX})
    for backbone in plan.backbones:
        for augmentation in plan.augmentations:
            for mix in trained_on:
                yield Cell(
                    kind="utility",
                    protocol=profile.protocol,
                    method=method,
                    repetition=repetition,
                    backbone=backbone.name,
                    augmentation=augmentation,
                    **mix,
                )


def judge_of(profile: Profile, repetition: int) -> Cell:
    """The real-only classifier that says how much of a synthetic set it recognises."""
    return Cell(
        kind="utility",
        protocol=profile.protocol,
        method=REFERENCE_METHOD,
        repetition=repetition,
        mix="real",
        backbone=profile.utility.backbones[0].name,
        augmentation=profile.utility.augmentations[0],
    )


def is_judge(cell: Cell) -> bool:
    """Whether the cell's classifier may judge synthetic samples, and so keeps its weights."""
    plain = (cell.mix, cell.balance, cell.n_real) == ("real", "", 0)
    return cell.kind == "utility" and cell.method == REFERENCE_METHOD and plain


def generate_of(cell: Cell) -> Cell:
    """The generate cell whose synthetic set a fidelity or utility cell uses."""
    return Cell(kind="generate", protocol=cell.protocol, method=cell.method, repetition=cell.repetition)


def seed_of(cell: Cell, profile: Profile) -> int:
    """The cell's seed. Utility never sees the method, so that differences between methods are paired."""
    if cell.kind == "generate":
        return named_seed("generate", profile.seed, cell.protocol, cell.method, cell.repetition)
    if cell.kind == "fidelity":
        return named_seed("fidelity", profile.seed, cell.protocol, cell.extractor, cell.reference, cell.repetition)
    return named_seed("utility", profile.seed, cell.protocol, cell.backbone, cell.augmentation, cell.repetition)


def inputs_of(cell: Cell, profile: Profile, identity: Identity, upstream: Mapping[str, Record]) -> dict[str, Any]:
    """Everything that can change a cell's result; its hash is the cell's key.

    Args:
        cell: the cell.
        profile: the profile.
        identity: digests of data, weights and code.
        upstream: `generate` (for fidelity and utility) and `judge` (for fidelity): `ok` records.
    """
    shared = {
        # Without what does not apply, so that a coordinate added later leaves the keys of other cells alone.
        "cell": cell.model_dump(exclude_defaults=True),
        "protocol": list(identity.protocol),
        "seed": seed_of(cell, profile),
        "image_size": profile.image_size,
        "device": identity.device,
        "threads": profile.execution.threads,
        "packages": identity.packages[cell.kind],
        "code": {room: identity.code[room] for room in _ROOMS[cell.kind]},
        **_host_inputs(cell, identity),
    }
    if cell.kind == "generate":
        return shared | _generate_inputs(cell, profile, identity)
    shared["generate_key"] = upstream["generate"].key
    shared["synthetic_sha256"] = upstream["generate"].outputs["synthetic_sha256"]
    if cell.kind == "fidelity":
        shared["extractor"] = identity.extractors[cell.extractor]
        shared["reference"] = identity.parts[_reference_part(cell)]
        shared["train"] = identity.parts["adaptation"]
        shared["source"] = identity.parts["train"]
        shared["heldout"] = identity.parts["heldout"]
        shared["judge_key"] = upstream["judge"].key
        return shared
    return shared | {
        "recipe": identity.recipe,
        "weights": _weights_kind(backbone_entry(cell, profile).weights),
        "weights_sha256": identity.backbones[cell.backbone],
        "parts": {name: digest for name, digest in identity.parts.items() if name != "adaptation" or cell.n_real},
    }


def _host_inputs(cell: Cell, identity: Identity) -> dict[str, Any]:
    """What of this host can change a result; only what there is, so that a plain process on a plain host adds none."""
    image = identity.images.get(cell.method if cell.kind == "generate" else SUITE, "")
    found = {"image": image, "engine_arguments": identity.engine_arguments if image else ""}
    return {name: value for name, value in (found | {"arithmetic": dict(identity.arithmetic)}).items() if value}


def _generate_inputs(cell: Cell, profile: Profile, identity: Identity) -> dict[str, Any]:
    spec = identity.methods[cell.method]
    model = identity.base_model if spec.needs.model else None
    return {
        "contract": CONTRACT_VERSION,
        "classes": [[name, PROMPTS[name]] for name in CLASSES],
        "method": {"name": spec.name, "version": spec.version, "source": spec.source_sha256},
        "parameters": identity.parameters[cell.method],
        "model": model.sha256 if model else "",
        "images_per_class": profile.images_per_class,
        "steps": profile.generator_steps,
        "adaptation": identity.parts["adaptation"],
        "launcher": identity.launcher,
    }


def _reference_part(cell: Cell) -> str:
    """Fidelity against `train` means the images that the method was given: the adaptation subset."""
    return "adaptation" if cell.reference == "train" else "heldout"


def backbone_entry(cell: Cell, profile: Profile) -> BackboneEntry:
    """The profile's entry of a utility cell's backbone."""
    return next(entry for entry in profile.utility.backbones if entry.name == cell.backbone)


def _weights_kind(weights: str) -> str:
    """How a backbone starts, without the path of a file: its content is in the key by its digest."""
    return weights if weights in ("none", "pretrained") else "file"


def key_of(inputs: Mapping[str, Any]) -> str:
    """The content key of a cell's inputs."""
    return content_key(dict(inputs))


def changed_inputs(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Dotted names of the inputs that differ between two cells, with both values where they are short."""
    before, after = _flat(old), _flat(new)
    names = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    return [f"{name}: {_short(before.get(name))} -> {_short(after.get(name))}" for name in names]


def _flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, item in value.items():
        if isinstance(item, Mapping):
            found |= _flat(item, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = item
    return found


def _short(value: Any) -> str:
    text = "absent" if value is None else str(value)
    return text if len(text) <= 24 else text[:8] + "…"
