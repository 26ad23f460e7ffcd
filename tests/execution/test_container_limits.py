"""Podman and docker as they really end a method: exit codes, deadline, memory, output, log."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.engines import engines
from tests.execution.conftest import Start


@engines(every=True)
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


@engines(every=True)
def test_a_method_that_ignores_sigterm_is_ended_at_its_deadline(engine_name: str, start: Start):
    outcome = start(
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(120)", deadline_seconds=2
    )
    assert (outcome.status, outcome.exit_code) == ("timeout", 124)
    assert "2 s" in outcome.message
    assert outcome.seconds < 60


@engines(every=True)
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
    assert (tmp_path / "out" / "told.json").read_text() == '"saved"'


@engines(every=True)
def test_memory_over_the_limit_is_told_as_out_of_memory_every_time(engine_name: str, start: Start):
    for _ in range(5):
        outcome = start(
            "kept = []\nwhile True: kept.append(bytearray(8 << 20)); kept[-1][::4096] = b'x' * (8 << 8)",
            memory_mib=128,
        )
        assert (outcome.status, outcome.exit_code) == ("oom", 137)
        assert "128 MiB" in outcome.message


@engines(every=True)
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


@engines(every=True)
def test_a_kill_from_inside_is_not_called_out_of_memory(engine_name: str, start: Start):
    outcome = start("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert (outcome.status, outcome.exit_code) == ("failed", 137)
    assert "below its memory limit" in outcome.message


@engines(every=True)
def test_a_crash_is_told_by_its_signal(engine_name: str, start: Start):
    outcome = start("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    assert (outcome.status, outcome.exit_code) == ("failed", 139)


@engines(every=True)
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


@engines(every=True)
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


@engines(every=True)
def test_no_single_file_grows_beyond_the_limit_of_the_output(engine_name: str, start: Start, tmp_path: Path):
    outcome = start("open('/output/x', 'wb').truncate(1 << 40)", output_mib=16)
    assert outcome.status == "failed"
    assert "File too large" in outcome.message
    assert (tmp_path / "out" / "x").stat().st_size == 0


@engines(every=True)
def test_a_log_without_end_ends_the_method(engine_name: str, start: Start):
    outcome = start("while True: print('x' * 100_000)")
    assert outcome.status == "failed"
    assert "MiB of log" in outcome.message


@engines(every=True)
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
