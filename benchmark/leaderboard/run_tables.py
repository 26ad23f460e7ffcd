"""What a run was: its costs, its faults, its tracks, its provenance."""

from __future__ import annotations

from typing import Any

from benchmark.leaderboard.repetitions import over_repetitions
from benchmark.leaderboard.tables import Column, Table, Value
from benchmark.leaderboard.views import NOT_RUN, RunView
from benchmark.records import Record

COSTS = (
    Column("run", "run", optional=True),
    Column("method", "method"),
    Column("fit_seconds", "fit s", "generator's training, per repetition", "seconds"),
    Column("sample_seconds", "sampling s", "per repetition", "seconds"),
    Column("images_per_second", "images/s", "sampled images per second of sampling"),
    Column("peak_memory_mib", "peak MiB", "of the method's process", "MiB", digits=0),
    Column("steps", "steps", "optimiser steps of the generator"),
    Column("trained_parameters", "trained parameters", "weights that the method changed, as it tells"),
    Column("classifier_seconds", "classifier s", "training of one classifier, mean over the method's", "seconds"),
    Column("pretraining_seconds", "pre-training s", "of the base model, once", "seconds", digits=0),
    Column("pretraining_images", "pre-training images"),
    Column("pretraining_hardware", "pre-trained on", "hardware of the pre-training, as the card tells"),
    Column("notes", "notes", data=True),
)
FAULTS = (
    Column("run", "run", optional=True),
    Column("cell", "cell", "kind, method, repetition, mix or reference, network"),
    Column("status", "status"),
    Column("reason", "reason", "the last message of what failed"),
    Column("attempts", "attempts"),
)
TRACKS = (
    Column("run", "run", optional=True),
    Column("part", "part"),
    Column("n_images", "images"),
    Column("n_clusters", "clusters", "what intervals resample: patients, merged where they share images"),
    Column("classes", "per class", "images of each class"),
    Column("centers", "per centre", data=True),
    Column("role", "role, or why it is missing", "what the part is for, and who sees it"),
)
_REASON = 240


def costs_table(views: list[RunView]) -> Table:
    """Seconds, memory and size per method, means over the repetitions that are ok."""
    rows = [_costs(view, method) for view in views for method in view.run.methods]
    note = "Per repetition, mean over those that are ok. Pre-training was paid once, by whoever made the base model."
    return Table("costs", "Cost", COSTS, tuple(rows), (note,))


def faults_table(views: list[RunView]) -> Table:
    """Every cell that was tried and is not ok, with its reason; cells that never ran are counted."""
    rows: list[dict[str, Value]] = []
    notes = []
    for view in views:
        for tried in view.cells:
            if tried.record is not None and not tried.ok:
                reason = " ".join(tried.record.reason.split())[:_REASON]
                rows.append(
                    {"run": view.label, "cell": tried.cell.title, "status": tried.record.status, "reason": reason,
                     "attempts": tried.record.attempt}
                )  # fmt: skip
        waiting = sum(tried.record is None for tried in view.cells)
        if waiting:
            notes.append(
                f"Run {view.label}: {waiting} of {len(view.cells)} planned cells have no record ({NOT_RUN}, or what "
                "they build on is not ok). The same run command takes them up again."
            )
    if not rows and not notes:
        notes.append("Every planned cell is ok.")
    return Table("faults", "Cells that are not ok", FAULTS, tuple(rows), tuple(notes))


def tracks_table(views: list[RunView]) -> Table:
    """The parts of each protocol with their sizes, and the tracks that cannot be used with the reason."""
    rows: list[dict[str, Value]] = []
    for view in views:
        facts = view.run.protocol
        named = {"train": facts.train, "adaptation": facts.adaptation, "heldout": facts.heldout}
        roles = {
            "train": "source, classifiers are trained on it",
            "adaptation": "subset of train, what generators see",
            "heldout": "source, no method sees it",
        }
        for name, part in (named | facts.tracks).items():
            role = roles.get(name) or ("primary target track" if name == facts.primary_track else "target track")
            rows.append(
                {"run": view.label, "part": name, "n_images": part.n_images, "n_clusters": part.n_clusters,
                 "classes": _counted(part.per_class), "centers": _counted(part.per_center), "role": role}
            )  # fmt: skip
        rows += [
            {"run": view.label, "part": name, "role": f"missing: {reason}"}
            for name, reason in facts.missing_tracks.items()
        ]
    notes = [f"{view.label}: {note}" for view in views for note in view.run.protocol.notes]
    return Table("tracks", "Images", TRACKS, tuple(rows), tuple(notes))


def provenance(view: RunView) -> dict[str, Any]:
    """Where a run's numbers come from: protocol, seeds, budgets, methods, versions, machine. No path, no host."""
    run, profile = view.run, view.run.profile
    kept = ("image_size", "seed", "repetitions", "images_per_class", "generator_steps", "utility")
    extractors = [tried.record for tried in view.of_kind("fidelity") if tried.record is not None and tried.ok]
    methods = {name: facts.model_dump(mode="json", exclude={"name", "summary"}) for name, facts in run.methods.items()}
    return {
        "run": view.label,
        "protocol": {"name": run.protocol.name, "version": run.protocol.version},
        "settings": {key: profile[key] for key in kept if key in profile},
        "methods": methods,
        "extractors": {r.cell.extractor: r.outputs.get("weights_sha256") for r in extractors},
        "versions": dict(sorted(run.versions.items())),
        "hardware": run.hardware,
        "wall_seconds": run.wall_seconds,
    }


def provenance_lines(view: RunView) -> list[str]:
    """The same for people, one Markdown bullet per fact."""
    facts = provenance(view)
    settings = {key: value for key, value in facts["settings"].items() if not isinstance(value, dict | list)}
    methods = ", ".join(f"{name} {method['version']}" for name, method in facts["methods"].items())
    lines = [
        f"- run `{view.label}`, protocol `{facts['protocol']['name']}` version {facts['protocol']['version']}",
        f"- settings: {_pairs(settings)}",
        f"- methods: {methods}",
        f"- versions: {_pairs(facts['versions'])}",
        f"- hardware: {_pairs(facts['hardware'])}",
    ]
    if facts["wall_seconds"] is not None:
        lines.append(f"- wall time of the whole run: {facts['wall_seconds']:,.0f} s")
    return lines


def _costs(view: RunView, method: str) -> dict[str, Value]:
    facts = view.run.methods[method]
    records = [tried.record for tried in view.generated(method) if tried.record is not None and tried.ok]
    trained = [
        tried.record.outputs.get("train_seconds")
        for tried in view.of_kind("utility")
        if tried.cell.method == method and tried.record is not None and tried.ok
    ]
    sampled = [_rate(record) for record in records]
    steps = [record.outputs.get("steps") for record in records]
    parameters = [record.outputs.get("trained_parameters") for record in records]
    seconds = facts.pretraining.get("seconds")
    notes = dict.fromkeys(str(note) for record in records for note in record.outputs.get("notes") or [])
    return {
        "run": view.label,
        "method": method,
        "fit_seconds": over_repetitions(record.outputs.get("fit_seconds") for record in records).value,
        "sample_seconds": over_repetitions(record.outputs.get("sample_seconds") for record in records).value,
        "images_per_second": over_repetitions(sampled).value,
        "peak_memory_mib": over_repetitions(record.peak_memory_mib for record in records).value,
        "steps": next(iter(steps), None),
        "trained_parameters": next(iter(parameters), None),
        "classifier_seconds": over_repetitions(trained).value,
        "pretraining_seconds": None if seconds is None else float(seconds),
        "pretraining_images": facts.pretraining.get("images"),
        "pretraining_hardware": str(facts.pretraining.get("hardware") or ""),
        "notes": "; ".join(notes),
    }


def _rate(record: Record) -> float | None:
    images, seconds = record.outputs.get("n_images"), record.outputs.get("sample_seconds")
    return images / seconds if images and seconds else None


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def _pairs(facts: dict[str, Any]) -> str:
    return ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in facts.items())
