"""A whole run in containers: the same numbers as by plain processes, and nothing lost or left after `kill -9`."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from typing import Any

import pytest

from benchmark.execution.engines import LABEL_RUN, Engine, find_engine
from benchmark.images.build import BuildOptions, build_images
from benchmark.keys import content_key
from tests.engines import ENGINE_NAMES, TEST_BASE, TEST_PREFIX, engines, needs_engine, small_images
from tests.tiny import UTILITY, bench, records, write_profile

METHODS = [{"name": "real_only"}, {"name": "gan", "parameters": {"steps": 3, "precision": "no"}}]
SMALL: dict[str, Any] = {
    "repetitions": 1,
    "fidelity": {"references": ["heldout"]},
    "utility": UTILITY | {"controls": ["natural"], "mixes": ["real+synthetic"]},
}
"""One cell of each kind and method: 2 generate, 1 fidelity, 2 utility. Each imports torch in a container of its own."""


@pytest.fixture(scope="module")
def by_process(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("process")
    bench("run", write_profile(folder, METHODS, **SMALL), "--out", folder / "run")
    return folder / "run"


def container_profile(folder: Path, engine_name: str, **changes: Any) -> Path:
    """The same tiny profile, in images on the small base with this environment lent to them."""
    arguments = small_images(engine_name, "real-only", "gan", "suite")
    execution = {
        "device": "cpu", "workers": 2, "threads": 1, "deadline_seconds": 120, "memory_mib": 3072,
        "launcher": engine_name, "images": TEST_PREFIX, "engine_arguments": list(arguments),
    }  # fmt: skip
    return write_profile(folder, METHODS, **(SMALL | {"execution": execution} | changes))


def left_over(engine: Engine, run: Path) -> str:
    label = f"label={LABEL_RUN}={content_key(str(run.resolve()))[:16]}"
    return engine.call("ps", "-a", "-q", "--filter", label).strip()


def results(run: Path) -> dict[tuple[str, ...], Any]:
    """What was measured, by the coordinates of its cell."""
    found = {}
    for attempts in records(run).values():
        for record in attempts:
            place = tuple(str(value) for value in record["cell"].values())
            measured = {name: record["outputs"].get(name) for name in ("synthetic_sha256", "training_loss", "n_images")}
            found[place] = (record["status"], record["metrics"], record["scores"], measured)
    return found


@engines(every=True)
def test_containers_and_processes_give_the_same_numbers_to_the_last_digit(
    engine_name: str, by_process: Path, tmp_path: Path
):
    profile = container_profile(tmp_path, engine_name)
    bench("run", profile, "--out", tmp_path / "run")
    assert results(tmp_path / "run") == results(by_process)
    engine = find_engine(engine_name)
    for attempts in records(tmp_path / "run").values():
        record = attempts[0]
        assert (record["launcher"], record["isolation"]) == (engine_name, "container")
        assert record["container"]["image_id"].startswith("sha256:")
        assert record["container"]["engine_version"] == engine.version
        assert record["inputs"]["image"] == record["container"]["image_id"]
    assert left_over(engine, tmp_path / "run") == ""
    # The engine's arguments name a folder of this host: that they were there is in the keys, what they say is not told.
    texts = [path.read_text() for path in (tmp_path / "run").rglob("*.json")]
    assert not [text for text in texts if sysconfig.get_path("purelib") in text]
    assert {path.stat().st_uid for path in tmp_path.rglob("*")} == {os.geteuid()}
    again = bench("run", profile, "--out", tmp_path / "run", "--recompute", "none")
    assert "5 cells, 5 of them done before" in again.stderr


@needs_engine
def test_kill_9_in_the_middle_leaves_no_container_and_loses_no_cell(by_process: Path, tmp_path: Path):
    engine_name = ENGINE_NAMES[0]  # what happens is the supervisor's doing, which is one for all engines
    profile, run = container_profile(tmp_path, engine_name), tmp_path / "run"
    command = [sys.executable, "-m", "benchmark.cli", "run", str(profile), "--out", str(run)]
    engine, chance = find_engine(engine_name), random.Random(os.urandom(4))
    kept: dict[str, int] = {}
    for kill in (os.kill, os.killpg):  # the suite alone, then its whole process group
        suite = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )  # fmt: skip
        _wait_for_a_container(engine, run, suite)
        time.sleep(chance.uniform(0, 6))
        kill(suite.pid, signal.SIGKILL)
        suite.wait()
        kept |= {key: len(attempts) for key, attempts in records(run).items()}
    # The supervisors have seen the pipe close; what they are still removing is gone within seconds
    # where the machine is not so busy that each call of the engine takes many.
    _wait_until(lambda: left_over(engine, run) == "", seconds=120)
    bench(*command[3:])
    assert results(run) == results(by_process)
    assert {key: len(attempts) for key, attempts in records(run).items()} == dict.fromkeys(records(run), 1)
    assert set(kept) <= set(records(run))


@engines()
def test_a_container_whose_supervisor_was_killed_too_is_swept_by_the_next_run(engine_name: str, tmp_path: Path):
    profile, run = container_profile(tmp_path, engine_name), tmp_path / "run"
    engine = find_engine(engine_name)
    label = f"{LABEL_RUN}={content_key(str(run.resolve()))[:16]}"
    image = f"{TEST_PREFIX}/real-only:latest"
    ulimits = ("--ulimit=nofile=4096:4096", "--ulimit=nproc=4096:4096")
    engine.call("run", "-d", f"--label={label}", "--network=none", *ulimits, "--entrypoint=sleep", image, "300")
    assert left_over(engine, run) != ""
    bench("run", profile, "--method", "real_only", "--out", run)
    assert left_over(engine, run) == ""


@engines()
def test_a_run_names_the_command_that_builds_a_missing_image(engine_name: str, tmp_path: Path):
    profile = container_profile(tmp_path, engine_name)
    nowhere = ("--set", "execution.images=localhost/fulora-bench-nowhere")
    done = bench("run", profile, "--out", tmp_path / "run", *nowhere, check=1)
    told = " ".join(done.stderr.split())
    assert f"containers build real-only --engine {engine_name} --prefix localhost/fulora-bench-nowhere" in told


def _wait_for_a_container(engine: Engine, run: Path, suite: subprocess.Popen[bytes]) -> None:
    _wait_until(lambda: left_over(engine, run) != "" or suite.poll() is not None, seconds=90)
    assert suite.poll() is None, "the run ended before it could be killed"


def _wait_until(condition: Any, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.2)


def test_the_record_of_a_process_names_no_container(by_process: Path):
    for attempts in records(by_process).values():
        assert attempts[0]["container"] == {}
        assert "image" not in attempts[0]["inputs"]


@engines()
def test_an_image_with_a_volume_is_refused_since_nothing_would_limit_it(engine_name: str, tmp_path: Path):
    (tmp_path / "method").mkdir()
    (tmp_path / "method" / "method.toml").write_text(
        'name = "with_a_volume"\nversion = "1"\nsummary = "A method."\nsynthesizes = false\ncommand = ["true"]\n'
    )
    lines = [f"FROM {TEST_BASE}", "LABEL org.fulora-bench.contract=1", "VOLUME /scratch", "COPY . /method"]
    (tmp_path / "method" / "Containerfile").write_text("\n".join(lines) + "\n")
    profile = container_profile(tmp_path, engine_name)
    build_images([str(tmp_path / "method")], BuildOptions(engine=engine_name, prefix=TEST_PREFIX))
    done = bench("run", profile, "--method", tmp_path / "method", "--out", tmp_path / "run", check=2)
    assert "declares volumes (/scratch)" in " ".join(done.stderr.split())


@engines()
def test_an_engine_that_starts_no_container_is_told_before_the_first_cell(engine_name: str, tmp_path: Path):
    profile = container_profile(tmp_path, engine_name)
    odd = ("--set", 'execution.engine_arguments=["--runtime=no-such-runtime"]')
    done = bench("run", profile, "--out", tmp_path / "run", *odd, check=1)
    assert f"{engine_name} does not run a container here" in " ".join(done.stderr.split())
    assert records(tmp_path / "run") == {}
    assert left_over(find_engine(engine_name), tmp_path / "run") == ""
