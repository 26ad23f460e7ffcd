"""A small parent for one launch, so that what was started dies with the suite and keeps its limits.

    python -m benchmark.execution.supervisor        (one line of JSON on standard input, which then stays open)

It is a process of its own, for two reasons. A parent-death signal fires when the *thread* that started the child
ends, and the engine runs cells in threads; here the only thread is the main one. And when the suite is killed, its
end of the pipe on standard input closes, which this process sees.

The line: `command`, `cwd`, `env`, `log` (file for the child's output), `deadline_seconds`, `log_limit_mib`,
`memory_mib`, `output` (folder), `output_mib`, `output_files`, and for an engine's client `container` (`program`,
`name`, `memory_limited`). It prints one JSON line: `exit_code` (128 + signal where one ended it), `stopped` (empty,
`timeout`, `oom`, `log`, `output`, `disk` or `lost`), `detail` (in words), `seconds`, `peak_memory_mib` (resident
memory of the whole process tree, sampled), `started` (whether the command itself was ever running), `removed` (whether
a container is known to be gone).
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmark.execution.usage import OutputLimit
from benchmark.execution.watched import Container, Tree

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_POLL_SECONDS = 0.05
_GRACE_SECONDS = 5.0
_MIB = 1 << 20


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _parent_is_gone() -> bool:
    readable, _, _ = select.select([sys.stdin], [], [], 0)
    return bool(readable) and not os.read(sys.stdin.fileno(), 1)


def supervise(spec: dict[str, Any]) -> dict[str, Any]:
    """Run the command of `spec` to its end or to a limit; see the module for the keys."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)
    # The engine's client goes on when this process is told to end: only the container may be stopped, and in order.
    started, stopped, detail = time.monotonic(), "", ""
    with Path(spec["log"]).open("wb") as log:
        child = subprocess.Popen(
            spec["command"],
            cwd=spec["cwd"],
            env=spec["env"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - this process has one thread only
        )
    container = spec.get("container")
    watched: Tree | Container = Container(child, **container) if container else Tree(child)
    output = OutputLimit(Path(spec["output"]), spec["output_mib"], spec["output_files"])
    while child.poll() is None:
        watched.look()
        if _parent_is_gone():
            watched.stop(grace=0)
            watched.close()
            sys.exit(1)
        stopped, detail = _passed(spec, watched, output, time.monotonic() - started)
        if stopped:
            watched.stop(grace=_GRACE_SECONDS if stopped == "timeout" else 0)
            break
        time.sleep(_POLL_SECONDS)
    end = watched.close()
    if not stopped:
        # What was written between the last look and the end counts too.
        detail = output.fault(now=True)
        stopped = "output" if detail else end.stopped
    return {
        "exit_code": end.exit_code,
        "stopped": stopped,
        "detail": detail,
        "seconds": time.monotonic() - started,
        "peak_memory_mib": watched.peak_memory_mib,
        "started": end.started,
        "removed": end.removed,
    }


def _passed(spec: dict[str, Any], watched: Tree | Container, output: OutputLimit, seconds: float) -> tuple[str, str]:
    """The limit that was passed, and the detail in words; empty where none was."""
    if not watched.memory_limited and watched.memory_mib > spec["memory_mib"]:
        return "oom", ""
    if seconds > spec["deadline_seconds"]:
        return "timeout", ""
    if Path(spec["log"]).stat().st_size > spec["log_limit_mib"] * _MIB:
        return "log", ""
    if output.disk_is_full:
        return "disk", ""
    fault = output.fault(watched.processes)
    return ("output", fault) if fault else ("", "")


if __name__ == "__main__":
    print(json.dumps(supervise(json.loads(sys.stdin.buffer.readline()))))
