"""What every launcher is given and gives back: a command with its folders and limits, and how it ended."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from benchmark.contract import MethodSpec
from benchmark.contract.exits import STATUS_OF_EXIT
from benchmark.errors import BenchError
from benchmark.execution.usage import RESERVE_MIB
from benchmark.records import Status
from benchmark.text import printable

LOG_LIMIT_MIB = 64
_TAIL_LINES = 20
_TAIL_BYTES = 1 << 16
_LINE_LENGTH = 500

_STOPPED: dict[str, tuple[Status, str]] = {
    "log": ("failed", f"the method wrote more than {LOG_LIMIT_MIB} MiB of log"),
    "output": ("invalid", "the method was stopped: {detail}"),
    "disk": (
        "failed",
        f"the method was stopped: less than {RESERVE_MIB} MiB were left on the disk of its output. Make room, and run "
        "the same command again",
    ),
    "lost": ("failed", "the engine's client ended before the container; the container was ended"),
}
"""Ends that a supervisor brought about, other than by deadline and memory: status, and the reason in words."""

Isolation = Literal["none", "container"]


@dataclass(frozen=True)
class Mount:
    """A further folder or file of the host that a container sees at `target`; read-only unless said."""

    source: Path
    target: str
    writable: bool = False


@dataclass(frozen=True)
class Launch:
    """What is started: a command, its folders, and its limits.

    Attributes:
        input: request folder, read-only in a container.
        output: response folder, the only place that is kept.
        model: folder of verified weights, or `None` if the method needs none.
        threads: CPU threads that the method may use.
        deadline_seconds: wall-clock limit, after which it is ended.
        memory_mib: memory limit; a process is limited by the resident memory of its tree, a container by its cgroup.
        output_mib, output_files: what may lie in the output folder before it is stopped.
        image: image id, for container launchers.
        gpu: whether the accelerator is handed in.
        mounts, environment: further mounts and variables; the suite's own cells use them, methods never.
        writable_output: false hands the output folder in read-only, as the conformance suite does once.
        trusted: the suite's own code, which runs as the caller; a method never is.
    """

    command: tuple[str, ...]
    input: Path
    output: Path
    model: Path | None
    threads: int
    deadline_seconds: float
    memory_mib: int
    output_mib: int = 4096
    output_files: int = 100_000
    image: str = ""
    gpu: bool = False
    mounts: tuple[Mount, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    writable_output: bool = True
    trusted: bool = False


@dataclass(frozen=True)
class Outcome:
    """How a launch ended: exit code by the contract, status, the message for people, and the last log lines.

    `unlimited` names the limits that the launcher could not set on this host.
    """

    exit_code: int
    status: Status
    message: str
    log_tail: tuple[str, ...]
    seconds: float
    peak_memory_mib: float
    isolation: Isolation = "none"
    unlimited: tuple[str, ...] = ()


class Launcher(Protocol):
    """A way to start a method: as a plain process, or in a container of some engine."""

    name: str

    def command(self, spec: MethodSpec) -> tuple[str, ...]:
        """The method's argument list as this launcher starts it."""

    def launch(self, launch: Launch) -> Outcome:
        """Run it to its end."""


@dataclass(frozen=True)
class Start:
    """What a supervisor starts: the method itself, or an engine's client.

    Attributes:
        cwd, env: where it starts, and its whole environment.
        log: file for its output.
        container: for an engine's client, what the supervisor must know of the container.
    """

    command: list[str]
    cwd: Path
    env: dict[str, str]
    log: Path
    container: dict[str, Any] | None = None


def supervised(launch: Launch, start: Start) -> dict[str, Any]:
    """Run a command under a supervisor of its own, within the limits of `launch`; returns the supervisor's report.

    Raises:
        BenchError: the supervisor could not be started, or broke.
    """
    spec = {
        "command": start.command,
        "cwd": str(start.cwd),
        "env": start.env,
        "log": str(start.log),
        "deadline_seconds": launch.deadline_seconds,
        "memory_mib": launch.memory_mib,
        "log_limit_mib": LOG_LIMIT_MIB,
        "output": str(launch.output.resolve()),
        "output_mib": launch.output_mib,
        "output_files": launch.output_files,
        "container": start.container,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmark.execution.supervisor"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # a signal to our whole group must not end the one who cleans up after us
    )
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    process.stdin.write(json.dumps(spec).encode() + b"\n")
    process.stdin.flush()
    # Standard input stays open while we wait: its closing is how the supervisor learns that we are gone.
    out, err = process.stdout.read(), process.stderr.read()
    process.stdin.close()
    if process.wait() != 0:
        raise BenchError(f"the supervisor of the method broke: {err.decode(errors='replace').strip()[-400:]}")
    report: dict[str, Any] = json.loads(out)
    return report


def log_tail(log: Path) -> tuple[str, ...]:
    """The last non-empty lines of a log, without control characters and cut to a length that a record can hold."""
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - _TAIL_BYTES))
        text = stream.read().decode(errors="replace")
    lines = (printable(line) for line in text.splitlines())
    return tuple(line[:_LINE_LENGTH] for line in lines if line)[-_TAIL_LINES:]


def outcome_of(report: Mapping[str, Any], tail: tuple[str, ...], launch: Launch, **facts: Any) -> Outcome:
    """The outcome that a supervisor's report means; `facts` are further fields of `Outcome`."""
    code, status, meaning = _verdict(report, launch)
    told = tail[-1] if tail and code not in (124, 137) and not report["stopped"] else ""
    message = "" if status == "ok" else ": ".join(part for part in (meaning, told) if part)
    return Outcome(
        exit_code=code,
        status=status,
        message=message,
        log_tail=tail,
        seconds=float(report["seconds"]),
        peak_memory_mib=float(report["peak_memory_mib"]),
        **facts,
    )


def _verdict(report: Mapping[str, Any], launch: Launch) -> tuple[int, Status, str]:
    code, stopped = int(report["exit_code"]), str(report["stopped"])
    if not report["started"]:
        return code, "failed", "the container could not be started"
    if stopped in _STOPPED:
        status, meaning = _STOPPED[stopped]
        return code, status, meaning.format(detail=report["detail"])
    if stopped == "timeout" and code != 5:
        code = 124
    elif stopped == "oom":
        code = 137
    elif code == 137:
        # SIGKILL by somebody else: an out-of-memory kill is told only where the limit was seen to be passed.
        return code, "failed", "the method was killed (signal 9) below its memory limit"
    known: tuple[Status, str] | None = STATUS_OF_EXIT.get(code)
    status, meaning = known or ("failed", f"the method ended with the unknown exit code {code}")
    if code == 124:
        meaning += f" of {launch.deadline_seconds:g} s"
    if code == 137:
        meaning += f" of {launch.memory_mib} MiB"
    return code, status, meaning
