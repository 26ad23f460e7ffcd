"""A run from images to a board, its resume, and what a method that misbehaves does to it."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.length import FULL
from tests.tiny import EXECUTION, METHODS, bench, records, without_times, write_profile

KILLS = 5 if FULL else 2


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_profile(
        tmp_path_factory.mktemp("profile"), [{"name": "real_only"}, {"name": "nothing"}, {"name": "copies"}]
    )


@pytest.fixture(scope="module")
def finished(profile: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "run"
    bench("run", profile, "--out", folder)
    return folder


def predictions(run: Path, method: str, mix: str, repetition: int) -> str:
    for path in (run / "store" / "utility").glob("*/[0-9]*/record.json"):
        cell = json.loads(path.read_text())["cell"]
        if (cell["method"], cell["mix"], cell["repetition"], cell["balance"]) == (method, mix, repetition, ""):
            return (path.parent / "predictions" / "target.csv").read_text()
    raise AssertionError(f"no utility record of {method} {mix} {repetition}")


def test_every_cell_is_recorded_and_the_board_is_there(finished: Path):
    kinds = [key.split("/")[0] for key in records(finished)]
    # 3 methods x 2 repetitions; fidelity of copies x 2 references; utility of real_only (natural and sampled evenly),
    # nothing, 2 mixes of copies
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {"generate": 6, "fidelity": 4, "utility": 10}
    board = (finished / "leaderboard" / "leaderboard.md").read_text()
    assert all(name in board for name in ("real_only", "nothing", "copies"))
    assert (finished / "leaderboard" / "samples-copies.png").stat().st_size > 1000


def test_real_only_equals_a_method_that_yields_nothing(finished: Path):
    for repetition in (0, 1):
        assert predictions(finished, "real_only", "real", repetition) == predictions(
            finished, "nothing", "real", repetition
        )
    assert predictions(finished, "real_only", "real", 0) != predictions(finished, "real_only", "real", 1)


def test_a_finished_run_is_not_run_again(finished: Path, profile: Path):
    before = {key: len(attempts) for key, attempts in records(finished).items()}
    done = bench("run", profile, "--out", finished)
    assert "20 cells, 20 of them done before" in done.stderr
    assert {key: len(attempts) for key, attempts in records(finished).items()} == before
    bench("run", profile, "--out", finished, "--recompute", "none")


def test_a_dry_run_says_hit_or_miss_and_why_and_runs_nothing(finished: Path, profile: Path):
    shuffled = bench("run", profile, "--out", finished, "--dry-run", "--set", "methods.copies.shuffled=true").stdout
    assert "miss  generate copies r0: changed since the last record: parameters.shuffled: False -> True" in shuffled
    assert "hit   generate nothing r0" in shuffled
    plan = json.loads(bench("run", profile, "--out", finished, "--dry-run", "--json", "--set", "seed=7").stdout)
    assert {row["state"] for row in plan} == {"run", "waits"}
    assert any("seed: " in row["why"] for row in plan)
    assert (
        "no ok record"
        in bench("run", profile, "--out", finished, "--set", "seed=7", "--recompute", "none", check=1).stderr
    )


def test_status_counts_what_the_store_holds(finished: Path):
    found = json.loads(bench("status", finished, "--json").stdout)
    assert {kind: counts["ok"] for kind, counts in found["cells"].items()} == {
        "generate": 6,
        "fidelity": 4,
        "utility": 10,
    }
    assert found["seconds_left"] == 0
    assert found["faults"] == []


def test_publishing_brings_the_board_its_records_and_public_grids(finished: Path, tmp_path: Path):
    bench("leaderboard", finished, "--out", tmp_path / "published")
    names = {path.name for path in (tmp_path / "published").iterdir()}
    assert {
        "leaderboard.md",
        "leaderboard.json",
        "main.csv",
        "records.jsonl",
        "samples.png",
        "samples-copies.png",
    } <= names
    assert len((tmp_path / "published" / "records.jsonl").read_text().splitlines()) == 20
    printed = bench("leaderboard", finished).stdout
    assert "| copies" in printed
    assert json.loads(bench("leaderboard", finished, "--json").stdout)["tables"]["main"]


def test_records_and_board_hold_no_path_host_or_user(finished: Path):
    texts = [path.read_text() for path in finished.rglob("*.json")] + [
        (finished / "leaderboard" / "leaderboard.md").read_text()
    ]
    for forbidden in (str(finished.parent), str(Path.home()), os.uname().nodename, sys.prefix):
        assert not any(forbidden in text for text in texts if len(forbidden) > 3)


def test_run_again_wholly_gives_identical_metrics(finished: Path, profile: Path):
    before = {key: len(attempts) for key, attempts in records(finished).items()}
    part = ["--method", "real_only", "--method", METHODS / "copies", "--set", "repetitions=1"]
    bench("run", profile, "--out", finished, *part, "--recompute", "all")
    again = {key: attempts for key, attempts in records(finished).items() if len(attempts) > before[key]}
    # One repetition of two methods; the other cells of the profile are left alone.
    assert sorted(key.split("/")[0] for key in again) == ["fidelity"] * 2 + ["generate"] * 2 + ["utility"] * 4
    for key, attempts in again.items():
        assert len(attempts) == before[key] + 1
        assert without_times(attempts[-1]) == without_times(attempts[-2])


def test_kill_9_at_random_moments_and_the_same_command_end_as_an_undisturbed_run(
    finished: Path, profile: Path, tmp_path: Path
):
    run, reference = tmp_path / "run", records(finished)
    command = [sys.executable, "-m", "benchmark.cli", "run", str(profile), "--out", str(run)]
    chance = random.Random(os.urandom(4))
    for _ in range(KILLS):
        wanted = len(records(run)) + chance.randint(0, len(reference) // (KILLS + 2))
        suite = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _wait_for_records(run, wanted, suite)
        time.sleep(chance.uniform(0, 0.5))
        children = psutil.Process(suite.pid).children(recursive=True)
        suite.send_signal(signal.SIGKILL)
        assert suite.wait() == -signal.SIGKILL, "the run ended before it could be killed"
        _, alive = psutil.wait_procs(children, timeout=15)
        assert alive == [], "children outlived the run"
    bench("run", profile, "--out", run)
    ours = records(run)
    assert {key: len(attempts) for key, attempts in ours.items()} == dict.fromkeys(reference, 1)
    for key, attempts in ours.items():
        assert without_times(attempts[0]) == without_times(reference[key][0])


def _wait_for_records(run: Path, wanted: int, suite: subprocess.Popen[bytes]) -> None:
    """Until the run holds this many cells; some seconds at least, so that it has begun."""
    begin = time.monotonic()
    while suite.poll() is None and (len(records(run)) < wanted or time.monotonic() < begin + 3):
        assert time.monotonic() < begin + 240, f"the run holds {len(records(run))} cells of {wanted}"
        time.sleep(0.1)
    assert suite.poll() is None, "the run ended before it could be killed"


def test_methods_that_misbehave_are_recorded_with_a_reason_and_the_rest_completes(tmp_path: Path):
    names = ["real_only", "broken", "late", "mislabelled", "copies"]
    profile = write_profile(
        tmp_path,
        [{"name": name} for name in names],
        repetitions=1,
        fidelity={"references": ["train"]},
        execution=EXECUTION | {"workers": 1},
    )
    done = bench("run", profile, "--out", tmp_path / "run", check=1)
    found = {
        r["cell"]["method"]: r
        for attempts in records(tmp_path / "run").values()
        for r in attempts
        if r["cell"]["kind"] == "generate"
    }
    assert {name: found[name]["status"] for name in names} == {
        "real_only": "ok",
        "broken": "failed",
        "late": "timeout",
        "mislabelled": "invalid",
        "copies": "ok",
    }
    assert "out of ideas" in found["broken"]["reason"]
    assert "cervix" in found["mislabelled"]["reason"]
    assert found["late"]["outputs"]["n_images"] == 12
    assert "somebody" not in json.dumps(found["broken"])
    board = (tmp_path / "run" / "leaderboard" / "leaderboard.md").read_text()
    assert "out of ideas" in board
    assert "the same command tries them again" in " ".join(done.stderr.split()).lower()
    scored = {
        r["cell"]["method"]
        for attempts in records(tmp_path / "run").values()
        for r in attempts
        if r["cell"]["kind"] == "utility"
    }
    assert scored == {"real_only", "copies"}


def test_two_runs_never_share_a_folder(tmp_path: Path):
    import fcntl

    profile = write_profile(tmp_path, [{"name": "real_only"}])
    (tmp_path / "run").mkdir()
    with (tmp_path / "run" / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "another run works" in bench("run", profile, "--out", tmp_path / "run", check=1).stderr
