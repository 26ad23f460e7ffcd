"""The process launcher: a method as a process of its own, with folders, limits and an environment of its own.

It isolates nothing (`isolation: none` in the record): use it for methods that you trust.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmark.errors import BenchError
from benchmark.records import Status

LOG_LIMIT_MIB = 64
_TAIL_LINES = 20
_TAIL_BYTES = 1 << 16
_INHERITED = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "VIRTUAL_ENV", "PYTHONPATH")

STATUS_OF_EXIT: dict[int, tuple[Status, str]] = {
    0: ("ok", ""),
    2: ("failed", "the method refused the request"),
    3: ("failed", "the method misses data or weights"),
    4: ("skipped", "the method cannot run here"),
    5: ("timeout", "the method reached its deadline; what it wrote is kept and never ranked"),
    70: ("failed", "internal error of the method"),
    75: ("failed", "the method asks to be tried again"),
    124: ("timeout", "the method was stopped at its deadline"),
    137: ("oom", "the method used more memory than its limit"),
}


@dataclass(frozen=True)
class Launch:
    """What is started: a command, its three folders, and its limits.

    Attributes:
        model: folder of verified weights, or `None` if the method needs none.
        threads: CPU threads that the method may use.
        deadline_seconds: wall-clock limit, after which the process is ended.
        memory_mib: limit of the resident memory of the whole process tree.
    """

    command: tuple[str, ...]
    input: Path
    output: Path
    model: Path | None
    threads: int
    deadline_seconds: float
    memory_mib: int


@dataclass(frozen=True)
class Outcome:
    """How a launch ended: exit code by the contract, status, the message for people, and the last log lines."""

    exit_code: int
    status: Status
    message: str
    log_tail: tuple[str, ...]
    seconds: float
    peak_memory_mib: float
    isolation: Literal["none"] = "none"


def launch_process(launch: Launch) -> Outcome:
    """Run a method to its end as a process that dies with the caller.

    Raises:
        BenchError: the supervisor itself could not be started or broke.
    """
    with tempfile.TemporaryDirectory(prefix="fulora-bench-") as scratch:
        log = Path(scratch) / "log.txt"
        home = Path(scratch) / "home"
        home.mkdir()
        spec = {
            "command": list(launch.command),
            "cwd": str(home),
            "env": _environment(launch, home),
            "log": str(log),
            "deadline_seconds": launch.deadline_seconds,
            "memory_mib": launch.memory_mib,
            "log_limit_mib": LOG_LIMIT_MIB,
        }
        report = _supervise(spec)
        return _outcome(report, _tail(log), launch)


def _environment(launch: Launch, home: Path) -> dict[str, str]:
    """The method's whole environment: the contract's folders, a fresh home, its threads, and no network use."""
    env = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    threads = str(launch.threads)
    env |= {
        "BENCH_INPUT": str(launch.input.resolve()),
        "BENCH_OUTPUT": str(launch.output.resolve()),
        "BENCH_THREADS": threads,
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "HOME": str(home),
        "TMPDIR": str(home),
        "HF_HUB_OFFLINE": "1",
        "PYTHONUNBUFFERED": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    if launch.model is not None:
        env["BENCH_MODEL"] = str(launch.model.resolve())
    return env


def _supervise(spec: dict[str, object]) -> dict[str, float | str]:
    command = [sys.executable, "-m", "benchmark.execution.supervisor"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    process.stdin.write(json.dumps(spec).encode() + b"\n")
    process.stdin.flush()
    # Standard input stays open while we wait: its closing is how the supervisor learns that we are gone.
    out, err = process.stdout.read(), process.stderr.read()
    process.stdin.close()
    if process.wait() != 0:
        raise BenchError(f"the supervisor of the method broke: {err.decode(errors='replace').strip()[-400:]}")
    report: dict[str, float | str] = json.loads(out)
    return report


def _tail(log: Path) -> tuple[str, ...]:
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - _TAIL_BYTES))
        text = stream.read().decode(errors="replace")
    return tuple(line.rstrip() for line in text.splitlines() if line.strip())[-_TAIL_LINES:]


def _outcome(report: dict[str, float | str], tail: tuple[str, ...], launch: Launch) -> Outcome:
    code = int(report["exit_code"])
    if report["stopped"] == "timeout" and code != 5:
        code = 124
    elif report["stopped"] == "oom":
        code = 137
    elif code == 137:
        # SIGKILL by somebody else: an out-of-memory kill is told only where the limit was seen to be passed.
        return _finish(report, tail, (code, "failed", "the method was killed (signal 9) below its memory limit"))
    status, meaning = STATUS_OF_EXIT.get(code, ("failed", f"the method ended with the unknown exit code {code}"))
    if report["stopped"] == "log":
        status, meaning = "failed", f"the method wrote more than {LOG_LIMIT_MIB} MiB of log"
    if code == 124:
        meaning += f" of {launch.deadline_seconds:g} s"
    if code == 137:
        meaning += f" of {launch.memory_mib} MiB"
    return _finish(report, tail, (code, status, meaning))


def _finish(report: dict[str, float | str], tail: tuple[str, ...], verdict: tuple[int, Status, str]) -> Outcome:
    code, status, meaning = verdict
    message = "" if status == "ok" else f"{meaning}: {tail[-1]}" if tail and code not in (124, 137) else meaning
    return Outcome(
        exit_code=code,
        status=status,
        message=message,
        log_tail=tail,
        seconds=float(report["seconds"]),
        peak_memory_mib=float(report["peak_memory_mib"]),
    )
