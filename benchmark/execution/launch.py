"""What every launcher is given and gives back: a command with its folders and limits, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from benchmark.contract import MethodSpec
from benchmark.records import Status

LOG_LIMIT_MIB = 64
_TAIL_LINES = 20
_TAIL_BYTES = 1 << 16

Isolation = Literal["none", "container"]

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


def log_tail(log: Path) -> tuple[str, ...]:
    """The last non-empty lines of a log."""
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - _TAIL_BYTES))
        text = stream.read().decode(errors="replace")
    return tuple(line.rstrip() for line in text.splitlines() if line.strip())[-_TAIL_LINES:]


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
    if stopped == "log":
        return code, "failed", f"the method wrote more than {LOG_LIMIT_MIB} MiB of log"
    if stopped == "output":
        return code, "invalid", f"the method was stopped: {report['detail']}"
    if stopped == "timeout" and code != 5:
        code = 124
    elif stopped == "oom":
        code = 137
    elif code == 137:
        # SIGKILL by somebody else: an out-of-memory kill is told only where the limit was seen to be passed.
        return code, "failed", "the method was killed (signal 9) below its memory limit"
    status, meaning = STATUS_OF_EXIT.get(code, ("failed", f"the method ended with the unknown exit code {code}"))
    if code == 124:
        meaning += f" of {launch.deadline_seconds:g} s"
    if code == 137:
        meaning += f" of {launch.memory_mib} MiB"
    return code, status, meaning
