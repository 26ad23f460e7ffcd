"""Hostile methods in real containers: one run holds them all, and each must end as docs/security.md says.

FULORA_BENCH_WRITE_DOCS=1               the run writes the document's table; else it must agree with it
FULORA_BENCH_HOSTILE_ENGINE=docker      another engine than the first that works
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from benchmark.contract.png import encode_gray
from benchmark.errors import BenchError
from benchmark.execution.engines import Engine
from benchmark.keys import content_key, file_sha256
from benchmark.models import resolve_base_model
from benchmark.protocol import load_protocol
from tests.containers.conftest import ENVIRONMENT, PREFIX, Images
from tests.containers.hostile_table import (
    COMMAND,
    WRITE,
    Attack,
    Ending,
    documented,
    read_attacks,
    render,
    write_document,
)
from tests.containers.isolation import (
    MARK,
    Canaries,
    DiskWatch,
    build_hostile_image,
    containers_of,
    mounts_below,
    planted,
    processes_of,
    strange_files,
    write_methods,
)
from tests.engines import ENGINE_NAMES, needs_engine, require_engine
from tests.tiny import UTILITY, records, write_profile

pytestmark = [needs_engine, pytest.mark.timeout(1200)]

ATTACKS = read_attacks()
HONEST = Attack("honest", "keeps the contract", "nothing", "ok", "^$")
SCORED = ["honest", *(attack.name for attack in ATTACKS if attack.status == "ok")]
SIZE, MEMORY_MIB, OUTPUT_MIB, DEADLINE = 32, 1280, 32, 4
_SECONDS = 900
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters but tab and line feed, signs that turn the direction of text, and halves of signs."""


@dataclass(frozen=True)
class Arena:
    """The run after its end, and what was seen of it."""

    engine: Engine
    folder: Path
    scratch: Path
    done: subprocess.CompletedProcess[str]
    records: list[dict[str, Any]]
    canaries: Canaries
    bystander_lives: bool
    weights_unchanged: bool
    endings: dict[str, Ending]

    def generated(self, name: str) -> dict[str, Any]:
        """The one record of a method's generate cell."""
        (found,) = [r for r in self.records if r["cell"]["kind"] == "generate" and r["cell"]["method"] == name]
        return found


@pytest.fixture(scope="module")
def engine() -> Engine:
    return require_engine(os.environ.get("FULORA_BENCH_HOSTILE_ENGINE") or ENGINE_NAMES[0])


@pytest.fixture(scope="module")
def methods(engine: Engine, slim_images: Images, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """Folders of all hostile methods and of the honest one; their image lies beside ours."""
    slim_images(engine.name)
    folders = write_methods(tmp_path_factory.mktemp("methods"), (*ATTACKS, HONEST))
    reference = f"{PREFIX}/hostile:latest"
    build_hostile_image(engine, reference, folders)
    yield folders
    with contextlib.suppress(BenchError):
        engine.call("image", "rm", reference)


@pytest.fixture(scope="module")
def arena(engine: Engine, methods: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    place = tmp_path_factory.mktemp("arena")
    base = resolve_base_model("embedded").folder
    weights = {path: file_sha256(path) for path in base.rglob("*.safetensors")}
    with planted(place / "other-run") as canaries, tempfile.TemporaryDirectory(prefix="hostile-") as scratch:
        canaries.told |= {"hashes": _target_hashes(), "memory_mib": MEMORY_MIB}
        profile = write_profile(place, _entries(methods, canaries), **_limits())
        watch = DiskWatch(place / "run", Path(scratch))
        with watch:
            done = _run(engine, profile, place / "run", Path(scratch), canaries)
        found = [attempt for attempts in records(place / "run").values() for attempt in attempts]
        yield Arena(
            engine=engine,
            folder=place / "run",
            scratch=Path(scratch),
            done=done,
            records=found,
            canaries=canaries,
            bystander_lives=canaries.bystander.poll() is None,
            weights_unchanged=all(file_sha256(path) == digest for path, digest in weights.items()),
            endings=_endings(found, _board(place / "run"), watch),
        )


def _entries(methods: dict[str, Path], canaries: Canaries) -> list[dict[str, Any]]:
    told = {attack.name: {name: canaries.told[name] for name in attack.told} for attack in ATTACKS}
    entries = [{"name": str(folder), "parameters": told.get(name, {})} for name, folder in methods.items()]
    return [{"name": "real_only"}, *entries]


def _limits() -> dict[str, Any]:
    execution = {
        "device": "cpu",
        "workers": 2,
        "threads": 1,
        "deadline_seconds": DEADLINE,
        "memory_mib": MEMORY_MIB,
        "output_mib": OUTPUT_MIB,
        "images": PREFIX,
        "engine_arguments": list(ENVIRONMENT),
    }
    utility = UTILITY | {"mixes": ["real+synthetic"], "steps": 2}
    fidelity = {"references": ["train"]}
    return {
        "image_size": SIZE, "repetitions": 1, "images_per_class": 3,
        "execution": execution, "utility": utility, "fidelity": fidelity,
    }  # fmt: skip


def _target_hashes() -> list[str]:
    """Digests of the target images as a method would be given them."""
    (target, *_) = load_protocol("phantom", SIZE).tracks.values()
    return [hashlib.sha256(encode_gray(pixels)).hexdigest() for pixels in target.pixels]


def _run(
    engine: Engine, profile: Path, out: Path, scratch: Path, canaries: Canaries
) -> subprocess.CompletedProcess[str]:
    """The run as a user starts it, with a secret in the environment and a scratch folder that nobody else uses."""
    command = [sys.executable, "-m", "benchmark.cli", "run", str(profile), "--launcher", engine.name, "--out", str(out)]
    environment = {**os.environ, "TMPDIR": str(scratch), "FULORA_BENCH_TEST_SECRET": canaries.secret}
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment, timeout=_SECONDS, errors="replace"
    )


def _board(run: Path) -> dict[str, dict[str, Any]]:
    """The rows of the board's main table by method; none where the run wrote no board."""
    file = run / "leaderboard" / "leaderboard.json"
    rows = json.loads(file.read_text())["tables"]["main"]["rows"] if file.is_file() else []
    return {row["method"]: row for row in rows}


def _endings(found: list[dict[str, Any]], board: dict[str, dict[str, Any]], watch: DiskWatch) -> dict[str, Ending]:
    generated = {record["cell"]["method"]: record for record in found if record["cell"]["kind"] == "generate"}
    return {
        name: Ending(
            status=record["status"],
            reason=record["reason"],
            board=board.get(name, {}).get("status", ""),
            output_mib=watch.outputs.get(record["key"], 0.0),
            log_mib=watch.log if name == "print_a_gigabyte" else 0.0,
        )
        for name, record in generated.items()
    }


@pytest.mark.parametrize("attack", ATTACKS, ids=[attack.name for attack in ATTACKS])
def test_an_attack_is_stopped_with_its_status_and_reason(arena: Arena, attack: Attack):
    record = arena.generated(attack.name)
    told = f"{record['status']}: {record['reason']}\n" + "\n".join(record["log_tail"])
    assert "BREACH" not in told
    assert record["status"] == attack.status, told
    assert re.search(attack.reason, record["reason"], flags=re.DOTALL), told
    assert record["isolation"] == "container"


def test_the_rest_of_the_matrix_completes(arena: Arena):
    assert arena.done.returncode == 1, arena.done.stderr  # some cells failed, which is what they are for
    cells = [(r["cell"]["kind"], r["cell"]["method"], r["status"]) for r in arena.records]
    assert [cell for cell in cells if cell[1] == "real_only"] == [
        ("generate", "real_only", "ok"), ("utility", "real_only", "ok"), ("utility", "real_only", "ok")
    ]  # fmt: skip
    for name in SCORED:
        assert sorted(cell for cell in cells if cell[1] == name) == [
            ("fidelity", name, "ok"), ("generate", name, "ok"), ("utility", name, "ok")
        ]  # fmt: skip
    assert {name for _, name, _ in cells} == {"real_only", "honest", *(attack.name for attack in ATTACKS)}
    assert (arena.folder / "leaderboard" / "leaderboard.md").is_file()


def test_nothing_was_heard_from_any_attack_and_no_secret_came_out(arena: Arena):
    assert arena.canaries.heard == []
    texts = [path.read_text(errors="replace") for path in arena.folder.rglob("*") if path.is_file()]
    assert not any(MARK in text for text in [*texts, arena.done.stdout, arena.done.stderr])


def test_processes_and_weights_of_the_host_are_untouched(arena: Arena):
    assert arena.bystander_lives
    assert arena.weights_unchanged
    assert not Path("/tmp/fulora-bench-unpickled").exists()


def test_nothing_is_left_running_mounted_or_lying_about(arena: Arena):
    label = content_key(str(arena.folder.resolve()))[:16]
    assert containers_of(arena.engine, label) == []
    assert mounts_below(arena.folder) == mounts_below(arena.scratch) == []
    assert processes_of(str(arena.folder), str(arena.scratch), "/method/attack.py") == []
    assert [path.name for path in arena.scratch.iterdir() if path.name != "dask-scratch-space"] == []
    assert list(arena.folder.rglob(".writing-*")) == []


def test_outputs_are_plain_files_of_the_caller(arena: Arena):
    assert strange_files(arena.folder) == []


def test_what_a_method_says_steers_no_terminal_and_no_board(arena: Arena):
    board = (arena.folder / "leaderboard" / "leaderboard.md").read_text()
    assert not _CONTROLS.search(board)
    assert "<script" not in board
    assert not _CONTROLS.search(arena.done.stderr + arena.done.stdout)
    for record in arena.records:
        assert not _CONTROLS.search(json.dumps(record, ensure_ascii=False)), record["cell"]["method"]
        assert len(record["reason"]) <= 1000


def test_only_what_was_accepted_stays_on_the_host(arena: Arena):
    for name in (attack.name for attack in ATTACKS if attack.status != "ok"):
        key = arena.generated(name)["key"]
        kept = [path.name for path in (arena.folder / "store" / "generate" / key).glob("*/*")]
        assert kept == ["record.json"], name


def test_what_was_checked_is_what_stays(arena: Arena):
    key = arena.generated("swapped_after_the_end")["key"]
    (output,) = (arena.folder / "store" / "generate" / key).glob("*/output")
    rows = [line.split(",") for line in (output / "manifest.csv").read_text().splitlines()[1:]]
    assert len(rows) == 15
    for name, _, _, digest in rows:
        assert file_sha256(output / name) == digest
        with Image.open(output / name) as image:
            assert image.size == (SIZE, SIZE)


def test_copies_of_the_training_images_are_flagged_and_unranked(arena: Arena):
    (fidelity,) = [
        r for r in arena.records
        if r["cell"]["kind"] == "fidelity" and r["cell"]["method"] == "copies_of_the_training_images"
    ]  # fmt: skip
    assert fidelity["metrics"]["near_copies"]["value"] == 1.0
    rows = _board(arena.folder)
    assert "copies" in rows["copies_of_the_training_images"]["status"]
    assert rows["copies_of_the_training_images"]["ranked"] is False
    assert rows["honest"]["ranked"] is True


def test_the_document_tells_what_this_run_did(arena: Arena):
    if os.environ.get(WRITE):
        write_document(render(ATTACKS, arena.endings, f"{arena.engine.name} {arena.engine.version}"))
    found = {attack.name: arena.endings[attack.name].status for attack in ATTACKS}
    assert documented() == found, f"docs/security.md is out of date; write it anew: {COMMAND}"
