"""A small parent for one method process, so that the method dies with the suite and keeps its limits.

    python -m benchmark.execution.supervisor        (one line of JSON on standard input, which then stays open)

It is a process of its own, for two reasons. A parent-death signal fires when the *thread* that started the child
ends, and the engine runs cells in threads; here the only thread is the main one. And when the suite is killed, its
end of the pipe on standard input closes, which this process sees.

The line: `command`, `cwd`, `env`, `log` (file for the child's output), `deadline_seconds`, `memory_mib`,
`log_limit_mib`. It prints one JSON line: `exit_code` (128 + signal where one ended it), `stopped` (empty, `timeout`,
`oom` or `log`), `seconds`, `peak_memory_mib` (of the whole process tree, sampled).
"""

from __future__ import annotations

import contextlib
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

import psutil

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_POLL_SECONDS = 0.1
_GRACE_SECONDS = 5.0
_MIB = 1 << 20


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _tree(pid: int) -> list[psutil.Process]:
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _memory_mib(pid: int) -> float:
    total = 0
    for process in _tree(pid):
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total / _MIB


def _descendants() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


def _stop(child: subprocess.Popen[bytes], grace: float) -> None:
    """End the child and all its descendants, also those that made a session of their own."""
    if grace > 0 and child.poll() is None:
        os.killpg(child.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(grace)
    while left := _descendants():
        for process in left:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        psutil.wait_procs(left, timeout=1.0)


def _parent_is_gone() -> bool:
    readable, _, _ = select.select([sys.stdin], [], [], 0)
    return bool(readable) and not os.read(sys.stdin.fileno(), 1)


def supervise(spec: dict[str, Any]) -> dict[str, Any]:
    """Run the command of `spec` to its end or to a limit; see the module for the keys."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)
    started, peak, stopped = time.monotonic(), 0.0, ""
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
    while child.poll() is None:
        memory = _memory_mib(child.pid)
        peak = max(peak, memory)
        if _parent_is_gone():
            _stop(child, grace=0)
            sys.exit(1)
        if memory > spec["memory_mib"]:
            stopped = "oom"
        elif time.monotonic() - started > spec["deadline_seconds"]:
            stopped = "timeout"
        elif Path(spec["log"]).stat().st_size > spec["log_limit_mib"] * _MIB:
            stopped = "log"
        if stopped:
            _stop(child, grace=_GRACE_SECONDS if stopped == "timeout" else 0)
            break
        time.sleep(_POLL_SECONDS)
    code = child.wait()
    _stop(child, grace=0)
    return {
        "exit_code": code if code >= 0 else 128 - code,
        "stopped": stopped,
        "seconds": time.monotonic() - started,
        "peak_memory_mib": peak,
    }


if __name__ == "__main__":
    print(json.dumps(supervise(json.loads(sys.stdin.buffer.readline()))))
