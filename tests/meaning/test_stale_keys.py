"""A record is reused only if nothing that can change its result has changed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from benchmark import matrix
from benchmark.execution.planner import Planner
from benchmark.matrix import Identity, generate_of, is_judge, judge_of, seed_of
from benchmark.methods import find_methods
from benchmark.models import BaseModel
from benchmark.profile import Profile, load_profile
from benchmark.records import Cell, Record, Store


@pytest.fixture
def profile() -> Profile:
    return load_profile("smoke")


@pytest.fixture
def identity(profile: Profile) -> Identity:
    methods = {name: spec for name, spec in find_methods().items() if name in ("real_only", "fu_lora", "gan")}
    return Identity(
        protocol=("phantom", "1"),
        parts={"train": "t", "adaptation": "a", "heldout": "h", "track:target": "x"},
        device="cpu",
        methods=methods,
        parameters={name: spec.resolve_parameters({}) for name, spec in methods.items()},
        base_model=BaseModel("embedded", Path("pipeline"), "base-weights"),
        extractors={"ultrasound": "encoder-weights"},
        backbones={entry.name: "" for entry in profile.utility.backbones},
        recipe={"lr": 0.1},
    )


def fill(planner: Planner) -> None:
    """Give every cell an ok record under its present key, as a finished run would."""
    for _ in range(3):
        for cell in planner.cells:
            choice = planner.decide(cell)
            if choice.state != "run":
                continue
            record = Record(
                key=choice.key,
                cell=cell,
                status="ok",
                started_at=datetime(2026, 1, 1, tzinfo=UTC),
                seconds=1.0,
                device="cpu",
                threads=1,
                seed=seed_of(cell, planner.profile),
                inputs=choice.inputs,
                outputs={"synthetic_sha256": f"set of {cell.method}"},
            )
            with planner.store.writing(cell.kind, choice.key) as scratch:
                planner.store.commit(scratch, record)


def misses(profile: Profile, identity: Identity, store: Store) -> set[str]:
    planner = Planner(profile, identity, store, "missing")
    return {cell.title for cell in planner.cells if planner.decide(cell).state != "hit"}


@pytest.fixture
def finished(profile: Profile, identity: Identity, tmp_path: Path) -> Store:
    store = Store(tmp_path)
    fill(Planner(profile, identity, store, "missing"))
    assert misses(profile, identity, store) == set()
    return store


def with_part(identity: Identity, part: str) -> Identity:
    return dataclasses.replace(identity, parts={**identity.parts, part: "one image changed"})


CHANGES: list[tuple[str, Callable[[Identity], Identity], Callable[[Cell], bool]]] = [
    ("an image of the adaptation subset", lambda i: with_part(i, "adaptation"), lambda cell: True),
    ("an image of the target", lambda i: with_part(i, "track:target"), lambda cell: cell.kind == "utility"),
    (
        "the weights of the base model",
        lambda i: dataclasses.replace(i, base_model=BaseModel("embedded", Path("pipeline"), "other weights")),
        lambda cell: cell.method == "fu_lora",
    ),
    (
        "the weights of the extractor",
        lambda i: dataclasses.replace(i, extractors={"ultrasound": "other"}),
        lambda cell: cell.kind == "fidelity",
    ),
    ("the recipe", lambda i: dataclasses.replace(i, recipe={"lr": 0.2}), lambda cell: cell.kind != "generate"),
    ("the device", lambda i: dataclasses.replace(i, device="cuda"), lambda cell: True),
    (
        "a parameter of one method",
        lambda i: dataclasses.replace(i, parameters={**i.parameters, "gan": {**i.parameters["gan"], "steps": 7}}),
        lambda cell: cell.method == "gan",
    ),
]


@pytest.mark.parametrize(("change", "affects"), [row[1:] for row in CHANGES], ids=[row[0] for row in CHANGES])
def test_what_changed_misses_and_the_rest_hits(
    finished: Store,
    profile: Profile,
    identity: Identity,
    change: Callable[[Identity], Identity],
    affects: Callable[[Cell], bool],
):
    changed = change(identity)
    cells = Planner(profile, changed, finished, "missing").cells
    expected = {cell.title for cell in cells if affects(cell)}
    if any(is_judge(cell) for cell in cells if affects(cell)):
        expected |= {cell.title for cell in cells if cell.kind == "fidelity"}  # their judge is trained anew
    assert misses(profile, changed, finished) == expected


def test_another_library_version_misses_in_the_rooms_that_use_it(
    finished: Store, profile: Profile, identity: Identity, monkeypatch: pytest.MonkeyPatch
):
    real = matrix.version
    monkeypatch.setattr(matrix, "version", lambda name: "99" if name == "timm" else real(name))
    cells = Planner(profile, identity, finished, "missing").cells
    upgraded = dataclasses.replace(identity)  # versions are read once for each run
    assert misses(profile, upgraded, finished) == {cell.title for cell in cells if cell.kind != "generate"}


def test_another_synthetic_set_misses_although_nothing_else_changed(
    finished: Store, profile: Profile, identity: Identity
):
    planner = Planner(profile, identity, finished, "missing")
    cell = next(cell for cell in planner.cells if cell.kind == "generate" and cell.method == "gan")
    record, _ = finished.latest_ok("generate", planner.decide(cell).key)
    with finished.writing("generate", record.key) as scratch:
        finished.commit(scratch, record.model_copy(update={"outputs": {"synthetic_sha256": "other images"}}))
    expected = {c.title for c in planner.cells if c.method == "gan" and c.kind != "generate"}
    assert misses(profile, identity, finished) == expected


def test_the_reason_of_a_miss_names_the_input_that_changed(finished: Store, profile: Profile, identity: Identity):
    parameters: dict[str, dict[str, Any]] = {**identity.parameters}
    parameters["gan"] = {**parameters["gan"], "steps": 7}
    planner = Planner(profile, dataclasses.replace(identity, parameters=parameters), finished, "missing")
    cell = next(cell for cell in planner.cells if cell.kind == "generate" and cell.method == "gan")
    assert planner.decide(cell).why.startswith("changed since the last record: parameters.steps: ")


def test_a_failed_cell_is_tried_again_and_its_reason_told(finished: Store, profile: Profile, identity: Identity):
    planner = Planner(profile, identity, finished, "missing")
    cell = next(cell for cell in planner.cells if cell.kind == "generate" and cell.method == "gan")
    key = planner.decide(cell).key
    record, folder = finished.latest_ok("generate", key)
    (folder / "record.json").write_text(
        record.model_copy(update={"status": "failed", "reason": "no luck"}).model_dump_json()
    )
    choice = Planner(profile, identity, finished, "missing").decide(cell)
    assert (choice.state, choice.why) == ("run", "the last attempt ended as failed: no luck")


def test_utility_seeds_never_see_the_method_and_generation_seeds_do(profile: Profile):
    utility = judge_of(profile, 0)
    other = utility.model_copy(update={"method": "gan", "mix": "synthetic"})
    assert seed_of(utility, profile) == seed_of(other, profile)
    assert seed_of(generate_of(utility), profile) != seed_of(generate_of(other), profile)
    assert seed_of(utility, profile) != seed_of(judge_of(profile, 1), profile)
