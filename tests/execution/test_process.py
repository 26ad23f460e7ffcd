"""The process launcher keeps the limits, tells what happened, and leaves nothing running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from benchmark.execution.launch import Launch, Outcome
from benchmark.execution.process import ProcessLauncher


def _launch(tmp_path: Path, script: str, **limits: float) -> Outcome:
    (tmp_path / "in").mkdir(exist_ok=True)
    (tmp_path / "out").mkdir(exist_ok=True)
    return ProcessLauncher().launch(
        Launch(
            command=(sys.executable, "-c", textwrap.dedent(script)),
            input=tmp_path / "in",
            output=tmp_path / "out",
            model=None,
            threads=1,
            deadline_seconds=limits.get("deadline", 30),
            memory_mib=int(limits.get("memory", 512)),
        )
    )


def test_a_method_sees_the_contract_folders_and_no_foreign_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SECRET_OF_THE_HOST", "1")
    outcome = _launch(
        tmp_path,
        """
        import os, pathlib
        assert "SECRET_OF_THE_HOST" not in os.environ and "BENCH_MODEL" not in os.environ
        assert pathlib.Path.home() == pathlib.Path.cwd() and not list(pathlib.Path.home().iterdir())
        pathlib.Path(os.environ["BENCH_OUTPUT"], "seen").write_text(os.environ["BENCH_THREADS"])
        """,
    )
    assert (outcome.status, outcome.message) == ("ok", "")
    assert (tmp_path / "out" / "seen").read_text() == "1"


@pytest.mark.parametrize(
    ("code", "status"),
    [(2, "failed"), (3, "failed"), (4, "skipped"), (5, "timeout"), (70, "failed"), (75, "failed"), (9, "failed")],
)
def test_an_exit_code_becomes_its_status_and_the_last_error_line_is_the_message(tmp_path: Path, code: int, status: str):
    outcome = _launch(
        tmp_path,
        f"import sys; print('first', file=sys.stderr); print('the reason\\n', file=sys.stderr); sys.exit({code})",
    )
    assert outcome.status == status
    assert outcome.exit_code == code
    assert outcome.message.endswith("the reason")


def test_a_method_that_ignores_sigterm_is_ended_at_its_deadline(tmp_path: Path):
    outcome = _launch(
        tmp_path, "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)", deadline=1
    )
    assert (outcome.status, outcome.exit_code) == ("timeout", 124)


def test_memory_over_the_limit_is_told_as_out_of_memory(tmp_path: Path):
    outcome = _launch(tmp_path, "import time; block = bytearray(400 << 20); time.sleep(30)", memory=200)
    assert (outcome.status, outcome.exit_code) == ("oom", 137)
    assert "200 MiB" in outcome.message


def test_a_kill_from_outside_is_not_called_out_of_memory(tmp_path: Path):
    outcome = _launch(tmp_path, "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert outcome.status == "failed"
    assert "below its memory limit" in outcome.message


def test_children_that_left_the_process_group_are_ended_with_the_method(tmp_path: Path):
    outcome = _launch(
        tmp_path,
        """
        import os, pathlib, subprocess, sys
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"], start_new_session=True)
        pathlib.Path(os.environ["BENCH_OUTPUT"], "pid").write_text(str(child.pid))
        """,
    )
    assert outcome.status == "ok"
    assert not psutil.pid_exists(int((tmp_path / "out" / "pid").read_text()))


@pytest.mark.parametrize("kill", [os.kill, os.killpg], ids=["the suite alone", "its process group"])
def test_a_method_dies_when_the_suite_is_killed(tmp_path: Path, kill: Callable[[int, int], None]):
    script = textwrap.dedent(
        f"""
        from pathlib import Path
        from threading import Thread
        from benchmark.execution.launch import Launch
        from benchmark.execution.process import ProcessLauncher
        out = Path({str(tmp_path)!r})
        import sys; command = (sys.executable, "-c", "import os, pathlib, time; "
                   "pathlib.Path(os.environ['BENCH_OUTPUT'], 'pid').write_text(str(os.getpid())); time.sleep(300)")
        launch = Launch(command, out, out, model=None, threads=1, deadline_seconds=300, memory_mib=512)
        Thread(target=ProcessLauncher().launch, args=(launch,)).start()
        """
    )
    suite = subprocess.Popen([sys.executable, "-c", script], start_new_session=True)
    pid_file = tmp_path / "pid"
    _wait_until(lambda: pid_file.exists() and pid_file.read_text() != "")
    method = int(pid_file.read_text())
    kill(suite.pid, signal.SIGKILL)
    suite.wait()
    _wait_until(lambda: not psutil.pid_exists(method))


def _wait_until(condition: Callable[[], bool], seconds: float = 15) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)
