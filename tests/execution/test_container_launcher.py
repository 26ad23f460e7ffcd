"""Podman and docker as they really run a method: what it sees, how its end is told, and that nothing is left."""

from __future__ import annotations

import json
import os
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmark.contract import load_method
from benchmark.errors import BenchError
from benchmark.execution.container import METHOD_UID
from benchmark.execution.engines import LABEL_RUN, find_engine, gpu_fault, inspect_image, sweep
from benchmark.execution.launch import Launch, Outcome
from benchmark.execution.launchers import EngineOptions, method_image, open_launcher
from tests.engines import TEST_BASE, engines, require_engine

RUN = f"test-container-launcher-{os.getpid()}"
Start = Callable[..., Outcome]


@pytest.fixture
def start(engine_name: str, tmp_path: Path) -> Any:
    """Runs a Python script as a method in the base image; afterwards no container may be left."""
    engine = require_engine(engine_name)
    image = inspect_image(engine, TEST_BASE)
    assert image is not None
    for name in ("in", "out", "model"):
        (tmp_path / name).mkdir()
    (tmp_path / "in" / "request.json").write_text("{}")
    (tmp_path / "model" / "weights").write_text("weights")

    def run(script: str, *arguments: str, **changes: Any) -> Outcome:
        given: dict[str, Any] = {
            "command": ("python3", "-c", textwrap.dedent(script)),
            "input": tmp_path / "in",
            "output": tmp_path / "out",
            "model": None,
            "threads": 1,
            "deadline_seconds": 60.0,
            "memory_mib": 256,
            "output_mib": 64,
            "image": image.id,
        }
        return open_launcher(engine_name, EngineOptions(arguments, run=RUN)).launch(Launch(**(given | changes)))

    yield run
    assert engine.call("ps", "-a", "-q", "--filter", f"label={LABEL_RUN}={RUN}").split() == []


def told(tmp_path: Path) -> Any:
    return json.loads((tmp_path / "out" / "told.json").read_text())


@engines()
def test_a_method_sees_the_contracts_folders_and_nothing_of_the_host(
    engine_name: str, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SECRET_OF_THE_HOST", "1")
    monkeypatch.setenv("HTTPS_PROXY", "http://user:password@proxy.invalid")
    outcome = start(
        """
        import json, os, pathlib
        told = {
            "env": dict(os.environ), "uid": os.getuid(), "gid": os.getgid(), "groups": os.getgroups(),
            "cwd": os.getcwd(), "input": sorted(os.listdir("/input")), "model": sorted(os.listdir("/model")),
            "tmp": os.listdir("/tmp"), "processes": sum(name.isdigit() for name in os.listdir("/proc")),
            "interfaces": sorted(os.listdir("/sys/class/net")),
        }
        pathlib.Path("/output/told.json").write_text(json.dumps(told))
        """,
        model=tmp_path / "model",
    )
    assert (outcome.status, outcome.message, outcome.isolation) == ("ok", "", "container")
    found = told(tmp_path)
    contract = {"BENCH_INPUT": "/input", "BENCH_OUTPUT": "/output", "BENCH_MODEL": "/model", "BENCH_THREADS": "1"}
    assert contract.items() <= found["env"].items()
    assert found["env"]["HOME"] == found["env"]["TMPDIR"] == found["cwd"] == "/tmp"
    assert not {"SECRET_OF_THE_HOST", "HTTPS_PROXY", "https_proxy"} & set(found["env"])
    assert (found["input"], found["model"], found["tmp"]) == (["request.json"], ["weights"], [])
    assert found["interfaces"] == ["lo"]
    assert found["processes"] == 2
    assert found["uid"] != 0 or find_engine(engine_name).rootless
    if os.geteuid() == 0:
        assert (found["uid"], found["gid"]) == (METHOD_UID, METHOD_UID)


@engines()
def test_without_weights_there_is_no_model(engine_name: str, start: Start):
    assert start("import os; assert 'BENCH_MODEL' not in os.environ and not os.path.exists('/model')").status == "ok"


@engines()
def test_only_output_and_scratch_can_be_written(engine_name: str, start: Start, tmp_path: Path):
    outcome = start(
        """
        import errno, os, pathlib
        for folder in ("/", "/etc", "/usr/bin", "/var/tmp", "/run", "/input", "/model", "/home", "/root"):
            try:
                pathlib.Path(folder, "x").write_text("x")
            except OSError as error:
                assert error.errno in (errno.EROFS, errno.EACCES), (folder, error)
            else:
                raise SystemExit(f"{folder} was written")
        for folder in ("/output", "/tmp", "/dev/shm"):
            pathlib.Path(folder, "x").write_text("x")
        """,
        model=tmp_path / "model",
    )
    assert outcome.status == "ok", outcome
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["x"]
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["request.json"]


@engines()
def test_an_output_folder_may_be_handed_in_read_only(engine_name: str, start: Start):
    outcome = start("open('/output/x', 'w')", writable_output=False)
    assert outcome.status == "failed"
    assert "Read-only file system" in outcome.message


@engines()
def test_outputs_belong_to_the_caller_with_plain_modes(engine_name: str, start: Start, tmp_path: Path):
    outcome = start(
        """
        import os, pathlib
        os.umask(0)
        root = pathlib.Path("/output")
        (root / "a" / "b").mkdir(parents=True)
        (root / "a" / "b" / "tool").write_text("x")
        (root / "a" / "b" / "tool").chmod(0o6777)
        (root / "secret").write_text("x")
        (root / "secret").chmod(0)
        (root / "link").symlink_to("/etc/passwd")
        (root / "a").chmod(0)
        root.chmod(0o1000)
        """
    )
    assert outcome.status == "ok", outcome
    out = tmp_path / "out"
    for path in (out, *out.rglob("*")):
        status = path.lstat()
        assert (status.st_uid, status.st_gid) == (os.geteuid(), os.getegid())
        if not path.is_symlink():
            assert status.st_mode & 0o7777 == (0o755 if path.is_dir() else 0o644), path
    assert (out / "a" / "b" / "tool").read_text() == (out / "secret").read_text() == "x"
    assert Path("/etc/passwd").stat().st_uid == 0


@engines()
@pytest.mark.parametrize(
    ("code", "status"),
    [(2, "failed"), (3, "failed"), (4, "skipped"), (5, "timeout"), (70, "failed"), (75, "failed"), (9, "failed")],
)
def test_an_exit_code_becomes_its_status_and_the_last_error_line_is_the_message(
    engine_name: str, start: Start, code: int, status: str
):
    outcome = start(
        f"import sys; print('first', file=sys.stderr); print('the reason\\n', file=sys.stderr); sys.exit({code})"
    )
    assert (outcome.status, outcome.exit_code) == (status, code)
    assert outcome.message.endswith("the reason")
    assert outcome.log_tail == ("first", "the reason")


@engines()
def test_a_method_that_ignores_sigterm_is_ended_at_its_deadline(engine_name: str, start: Start):
    outcome = start(
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(120)", deadline_seconds=2
    )
    assert (outcome.status, outcome.exit_code) == ("timeout", 124)
    assert "2 s" in outcome.message
    assert outcome.seconds < 60


@engines()
def test_a_method_that_heeds_sigterm_may_write_what_it_has(engine_name: str, start: Start, tmp_path: Path):
    outcome = start(
        """
        import pathlib, signal, sys, time
        def stop(number, frame):
            pathlib.Path("/output/told.json").write_text('"saved"')
            print("stopped in time", file=sys.stderr)
            sys.exit(5)
        signal.signal(signal.SIGTERM, stop)
        time.sleep(120)
        """,
        deadline_seconds=2,
    )
    assert (outcome.status, outcome.exit_code) == ("timeout", 5)
    assert told(tmp_path) == "saved"


@engines()
def test_memory_over_the_limit_is_told_as_out_of_memory_every_time(engine_name: str, start: Start):
    for _ in range(5):
        outcome = start(
            "kept = []\nwhile True: kept.append(bytearray(8 << 20)); kept[-1][::4096] = b'x' * (8 << 8)",
            memory_mib=128,
        )
        assert (outcome.status, outcome.exit_code) == ("oom", 137)
        assert "128 MiB" in outcome.message


@engines()
def test_an_out_of_memory_kill_of_a_child_is_told_when_its_parent_ends_with_it(engine_name: str, start: Start):
    outcome = start(
        """
        import os, signal, subprocess, sys
        code = subprocess.run([sys.executable, "-c", "x = b'1' * (1 << 30)"]).returncode
        assert code == -signal.SIGKILL, code
        os._exit(128 + signal.SIGKILL)
        """
    )
    assert (outcome.status, outcome.exit_code) == ("oom", 137)


@engines()
def test_a_kill_from_inside_is_not_called_out_of_memory(engine_name: str, start: Start):
    outcome = start("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert (outcome.status, outcome.exit_code) == ("failed", 137)
    assert "below its memory limit" in outcome.message


@engines()
def test_a_crash_is_told_by_its_signal(engine_name: str, start: Start):
    outcome = start("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    assert (outcome.status, outcome.exit_code) == ("failed", 139)


@engines()
def test_children_end_with_the_method(engine_name: str, start: Start, tmp_path: Path):
    outcome = start(
        """
        import subprocess, sys
        loop = "import time; out = open('/output/beat', 'a')\\nwhile True: out.write('x'); out.flush(); time.sleep(.01)"
        subprocess.Popen([sys.executable, "-c", loop], start_new_session=True)
        """
    )
    assert outcome.status == "ok"
    size = (tmp_path / "out" / "beat").stat().st_size if (tmp_path / "out" / "beat").exists() else 0
    time.sleep(0.3)
    assert size == ((tmp_path / "out" / "beat").stat().st_size if size else 0)


@engines()
def test_an_output_over_its_limit_ends_the_method(engine_name: str, start: Start):
    outcome = start(
        """
        import os
        for number in range(1000):
            with open(f"/output/{number}", "wb") as stream:
                stream.write(os.urandom(4 << 20))
        """,
        output_mib=16,
    )
    assert outcome.status == "invalid"
    assert "the limit is 16 MiB" in outcome.message


@engines()
def test_no_single_file_grows_beyond_the_limit_of_the_output(engine_name: str, start: Start, tmp_path: Path):
    outcome = start("open('/output/x', 'wb').truncate(1 << 40)", output_mib=16)
    assert outcome.status == "failed"
    assert "File too large" in outcome.message
    assert (tmp_path / "out" / "x").stat().st_size == 0


@engines()
def test_a_log_without_end_ends_the_method(engine_name: str, start: Start):
    outcome = start("while True: print('x' * 100_000)")
    assert outcome.status == "failed"
    assert "MiB of log" in outcome.message


@engines()
def test_nothing_that_a_method_prints_steers_a_terminal(engine_name: str, start: Start):
    outcome = start(
        r"""
        import os, sys
        sys.stderr.buffer.write(b"\x1b[2J\x1b]0;owned\x07 \xff\xfe the\x00 reason " + b"x" * 100_000)
        sys.stderr.flush()
        os._exit(70)
        """
    )
    assert "reason" not in outcome.message or outcome.message.isprintable()
    assert all(line.isprintable() for line in (outcome.message, *outcome.log_tail))
    assert len(outcome.message) < 1000


@engines()
def test_a_gpu_that_is_not_there_is_told_before_anything_is_started(engine_name: str, start: Start, tmp_path: Path):
    if not gpu_fault(find_engine(engine_name)):
        pytest.skip(f"{engine_name} can hand in a GPU here")
    with pytest.raises(BenchError, match=r"a GPU is asked for, but .* knows no NVIDIA device here.*device=cpu"):
        start("open('/output/started', 'w')", gpu=True)
    assert list((tmp_path / "out").iterdir()) == []


@engines()
def test_an_image_that_is_not_there_is_told_before_anything_is_started(engine_name: str, start: Start, tmp_path: Path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "method.toml").write_text(
        'name = "mine"\nversion = "1"\nsummary = "x"\nsynthesizes = true\ncommand = ["x"]\n'
    )
    options = EngineOptions(images="localhost/nobody-built-this")
    with pytest.raises(BenchError, match=rf"Build it: fulora-bench containers build mine --engine {engine_name}"):
        method_image(find_engine(engine_name), load_method(tmp_path / "mine"), options)
    (tmp_path / "mine" / "Containerfile").write_text("FROM scratch\n")
    with pytest.raises(BenchError, match=rf"containers build {tmp_path / 'mine'} --engine {engine_name}"):
        method_image(find_engine(engine_name), load_method(tmp_path / "mine"), options)


@engines()
def test_an_image_id_that_nobody_has_is_a_failure_with_the_engines_words(engine_name: str, start: Start):
    outcome = start("pass", image="sha256:" + "0" * 64)
    assert outcome.status == "failed"
    assert outcome.message.startswith("the container could not be started: ")


@engines()
def test_a_command_that_the_image_lacks_is_a_failure_with_the_engines_words(engine_name: str, start: Start):
    outcome = start("pass", command=("no-such-program",))
    assert outcome.status == "failed"
    assert "No such file or directory" in outcome.message


@engines()
def test_containers_of_a_run_are_swept_by_its_label_and_others_stay(engine_name: str, start: Start):
    engine = require_engine(engine_name)
    image = inspect_image(engine, TEST_BASE)
    assert image is not None
    guards = ("--pull=never", "--init", "--network=none", "--entrypoint=sleep")
    kept = engine.call("run", "-d", f"--label={LABEL_RUN}={RUN}-other", *guards, image.id, "300").split()[-1]
    try:
        for _ in range(2):
            engine.call("run", "-d", f"--label={LABEL_RUN}={RUN}", *guards, image.id, "300")
        assert sweep(engine, RUN) == 2
        assert sweep(engine, RUN) == 0
        assert engine.call("ps", "-q", "--no-trunc", "--filter", f"label={LABEL_RUN}={RUN}-other").split() == [kept]
    finally:
        engine.call("rm", "-f", kept)


@engines()
def test_a_container_that_somebody_removes_is_told_as_a_failure(engine_name: str, start: Start):
    engine = require_engine(engine_name)

    def remove() -> None:
        end = time.monotonic() + 30
        while sweep(engine, RUN) == 0 and time.monotonic() < end:
            time.sleep(0.1)

    thread = threading.Thread(target=remove)
    thread.start()
    outcome = start("import time; time.sleep(60)")
    thread.join()
    assert outcome.status == "failed"
    assert outcome.seconds < 60
