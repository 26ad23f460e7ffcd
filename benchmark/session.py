"""From a profile to a run that can start: methods, weights and images found and hashed, the manifest written."""

from __future__ import annotations

import os
import platform
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import psutil

from benchmark import __version__
from benchmark.contract import MethodSpec
from benchmark.errors import BenchError, UsageError
from benchmark.execution.arithmetic import numeric_variables
from benchmark.execution.engine import Listener, Outcome, run_cells
from benchmark.execution.engines import Engine
from benchmark.execution.launchers import choose_launcher
from benchmark.execution.planner import Planner, Recompute
from benchmark.execution.runners import Runners, find_method, open_engine, open_runners
from benchmark.fidelity.extractors import load_extractor
from benchmark.keys import content_key
from benchmark.matrix import Identity, package_versions
from benchmark.models import BaseModel, resolve_base_model
from benchmark.profile import MethodEntry, Profile
from benchmark.protocol import Protocol, load_protocol
from benchmark.records import REFERENCE_METHOD
from benchmark.runs import MethodFacts, PartFacts, ProtocolFacts, Run, run_store
from benchmark.utility.backbones import BackboneSpec, weights_sha256
from benchmark.utility.recipe import check_augmentation, load_recipe

if TYPE_CHECKING:
    from benchmark.cohorts.cohort import Cohort
    from benchmark.cohorts.images import Progress


@dataclass(frozen=True)
class Session:
    """A run that can start.

    Attributes:
        folder: the run's folder.
        planner: decides what is run.
        runners: what cells are started with.
        run: the manifest.
        notes: what the user should know before it starts, one sentence each.
    """

    folder: Path
    planner: Planner
    runners: Runners
    run: Run
    notes: tuple[str, ...]

    def start(self, listener: Listener) -> Outcome:
        """Run what the store misses."""
        return run_cells(self.planner, self.runners, self.run, self.folder, listener)


def open_session(profile: Profile, folder: Path, recompute: Recompute, progress: Progress | None = None) -> Session:
    """Find and hash everything that the profile names; nothing is run yet.

    Raises:
        BenchError: a method, image set or weights file is missing or unfit; the message says what to do.
    """
    notes: list[str] = []
    launcher = choose_launcher(profile.execution.launcher, notes.append)
    engine, options = open_engine(launcher, profile.execution, folder)
    for augmentation in profile.utility.augmentations:
        check_augmentation(augmentation)
    methods, parameters = _methods(profile, engine, notes)
    device = _device(profile.execution.device, notes)
    runners = open_runners(engine, options, methods, device)
    protocol = load_protocol(profile.protocol, profile.image_size, progress=progress)
    needs_model = [name for name, spec in methods.items() if spec.needs.model]
    base = resolve_base_model(profile.base_model) if needs_model else None
    identity = Identity(
        protocol=(protocol.name, protocol.version),
        parts=_part_digests(protocol),
        device=device,
        methods=methods,
        parameters=parameters,
        base_model=base,
        extractors={
            entry.name: load_extractor(entry.name, entry.weights, offline=True).weights_sha256
            for entry in profile.fidelity.extractors
        },
        backbones={
            entry.name: weights_sha256(BackboneSpec(entry.name, entry.weights)) for entry in profile.utility.backbones
        },
        recipe=_resolved_recipe(profile, device),
        launcher=runners.launcher,
        images=runners.images,
        engine_arguments=content_key(list(options.arguments)) if options.arguments else "",
        arithmetic=numeric_variables(),
    )
    planner = Planner(profile, identity, run_store(folder), recompute)
    run = Run(
        name=profile.name,
        profile=_portable(profile),
        protocol=_protocol_facts(protocol),
        methods={name: _method_facts(spec, identity) for name, spec in methods.items()},
        versions=_versions(),
        hardware=hardware(device),
        cells=[],
    )
    notes.extend(f"track {track} is not measured: {why}" for track, why in protocol.missing_tracks.items())
    return Session(folder, planner, runners, run, tuple(notes))


def _methods(
    profile: Profile, engine: Engine | None, notes: list[str]
) -> tuple[dict[str, MethodSpec], dict[str, dict[str, Any]]]:
    entries = list(profile.methods)
    if REFERENCE_METHOD not in {entry.name for entry in entries}:
        entries.insert(0, MethodEntry(name=REFERENCE_METHOD))
        notes.append(f"{REFERENCE_METHOD} is added: every gain is measured against it")
    methods: dict[str, MethodSpec] = {}
    parameters: dict[str, dict[str, Any]] = {}
    for entry in entries:
        spec = find_method(entry.name, engine)
        if spec.name in methods:
            raise UsageError(f"two methods of this profile are called '{spec.name}'; rename one in its method.toml")
        methods[spec.name] = spec
        parameters[spec.name] = dict(spec.resolve_parameters(entry.parameters))
    return methods, parameters


def _device(asked: str, notes: list[str]) -> Literal["cpu", "cuda"]:
    if asked == "cpu":
        return "cpu"
    found = _has_cuda()
    if asked == "cuda" and not found:
        raise BenchError("execution.device is cuda, but no GPU is usable here. See fulora-bench doctor, or use cpu.")
    notes.append("device auto: a GPU is used" if found else "device auto: no GPU is usable here, the CPU is used")
    return "cuda" if found else "cpu"


def _has_cuda() -> bool:
    import torch

    return bool(torch.cuda.is_available())


def _resolved_recipe(profile: Profile, device: str) -> dict[str, Any]:
    """The recipe with the precision that `auto` means on this machine: it is in the key, and so in the records."""
    from benchmark.utility.training import resolve_precision

    recipe = load_recipe(profile.utility.recipe, profile.utility.steps)
    return recipe.model_dump(mode="json") | {"precision": resolve_precision(recipe, device)}


def _part_digests(protocol: Protocol) -> dict[str, str]:
    parts: dict[str, Cohort] = {
        "train": protocol.train,
        "adaptation": protocol.adaptation,
        "heldout": protocol.heldout,
        **{f"track:{name}": track for name, track in protocol.tracks.items()},
    }
    return {name: part.manifest_sha256 for name, part in parts.items()}


def _part_facts(part: Cohort) -> PartFacts:
    return PartFacts(
        n_images=len(part),
        n_clusters=int(part.table["cluster_id"].nunique()),
        per_class=dict(Counter(part.table["label"])),
        per_center=dict(Counter(part.table["center"])),
        manifest_sha256=part.manifest_sha256,
    )


def _protocol_facts(protocol: Protocol) -> ProtocolFacts:
    return ProtocolFacts(
        name=protocol.name,
        version=protocol.version,
        train=_part_facts(protocol.train),
        adaptation=_part_facts(protocol.adaptation),
        heldout=_part_facts(protocol.heldout),
        tracks={name: _part_facts(track) for name, track in protocol.tracks.items()},
        missing_tracks=protocol.missing_tracks,
        primary_track=protocol.primary_track,
        notes=(*protocol.notes, *protocol.train.notes, *next(iter(protocol.tracks.values())).notes),
    )


def _method_facts(spec: MethodSpec, identity: Identity) -> MethodFacts:
    model: BaseModel | None = identity.base_model if spec.needs.model else None
    return MethodFacts(
        name=spec.name,
        version=spec.version,
        summary=spec.summary,
        synthesizes=spec.synthesizes,
        parameters=identity.parameters[spec.name],
        source_sha256=spec.source_sha256,
        model=_portable_name(model.name) if model else "",
        model_sha256=model.sha256 if model else "",
        pretraining=model.pretraining if model else {},
    )


def _portable(profile: Profile) -> dict[str, Any]:
    """The profile without this machine's paths: a path keeps its last part, its content is in the keys."""
    data = profile.model_dump(mode="json")
    data["base_model"] = _portable_name(data["base_model"])
    execution = data["execution"]
    execution["images"] = Path(execution["images"]).name
    if execution["engine_arguments"]:
        # They may name folders, or hold what is secret; that they were there is in the keys.
        execution["engine_arguments"] = [f"{len(execution['engine_arguments'])} not shown"]
    for entry in data["methods"]:
        entry["name"] = Path(entry["name"]).name
    for entry in [*data["fidelity"]["extractors"], *data["utility"]["backbones"]]:
        if entry["weights"] not in (None, "none", "pretrained"):
            entry["weights"] = Path(entry["weights"]).name
    return data


def _portable_name(model: str) -> str:
    """A base model's name without this machine's path; a hub id keeps its owner."""
    return Path(model).name if Path(model).exists() else model


def _versions() -> dict[str, str]:
    merged = {"fulora-bench": __version__, "python": platform.python_version()}
    for kind in ("generate", "fidelity", "utility"):
        merged |= package_versions(kind)
    return merged


def hardware(device: str) -> dict[str, Any]:
    """Processor, cores, memory and GPU, without names of hosts."""
    facts: dict[str, Any] = {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "system": f"{platform.system()} {platform.machine()}",
    }
    if device == "cuda":
        import torch

        facts["gpu"] = torch.cuda.get_device_name(0)
    return facts


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"
