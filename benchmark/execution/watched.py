"""What a supervisor watches: a process and its descendants, or a container behind an engine's client."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmark.execution.cgroups import OomWitness

_MIB = 1 << 20
_CALL_SECONDS = 60.0
_SAMPLE_SECONDS = 0.1
_INSPECT_SECONDS = 0.3
_ATTEMPTS = 3
_ENGINE_FAULT = 125
"""Exit codes of a client from here to 127 are the engine's own words: it could not start the container."""
_NO_ANSWER = 124
_SIGKILLED = 128 + signal.SIGKILL


@dataclass(frozen=True)
class End:
    """How it ended: exit code (128 + signal where one ended it), a limit that was passed unseen, or `lost`.

    `removed` says whether the container is known to be gone.
    """

    exit_code: int
    stopped: str = ""
    started: bool = True
    removed: bool = True


class Tree:
    """A process that was started in a session of its own, with all its descendants."""

    memory_limited = False
    """Whether somebody else keeps the memory limit."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self.child = child
        self.memory_mib = self.peak_memory_mib = 0.0
        self._sampled = 0.0

    def look(self) -> None:
        """Sample the memory, at most ten times a second."""
        if time.monotonic() - self._sampled < _SAMPLE_SECONDS:
            return
        self._sampled = time.monotonic()
        self.memory_mib = _resident_mib(self.processes())
        self.peak_memory_mib = max(self.peak_memory_mib, self.memory_mib)

    def processes(self) -> list[int]:
        """The child and its descendants."""
        return _tree(self.child.pid)

    def stop(self, grace: float) -> None:
        """End the child and all its descendants, also those that made a session of their own."""
        if grace > 0 and self.child.poll() is None:
            os.killpg(self.child.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.child.wait(grace)
        while left := psutil.Process().children(recursive=True):
            for process in left:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            psutil.wait_procs(left, timeout=1.0)

    def close(self) -> End:
        """Wait for the child, leave nothing running."""
        code = self.child.wait()
        self.stop(grace=0)
        return End(code if code >= 0 else 128 - code)


class Container:
    """A container that an engine's client is attached to.

    Its processes are seen from the host: signals go to its first process, so that no engine call stands between a
    limit and its effect. Only where that process is not known (yet) the engine is asked to end it.
    """

    def __init__(
        self, client: subprocess.Popen[bytes], program: str, name: str, id_file: str, memory_limited: bool
    ) -> None:
        self.client, self.program, self.name, self.memory_limited = client, program, name, memory_limited
        self._witness = OomWitness(Path(id_file))
        self.memory_mib = self.peak_memory_mib = 0.0
        self._first: psutil.Process | None = None
        self._sampled = self._inspected = 0.0

    def look(self) -> None:
        """Find the first process, and sample the memory."""
        now = time.monotonic()
        if self._first is None:
            self._first = _first_of(self._witness.processes())
        if self._first is None:
            if self._witness.made and now - self._inspected >= _INSPECT_SECONDS:
                self._find()
                self._inspected = time.monotonic()
        elif now - self._sampled >= _SAMPLE_SECONDS:
            self._sampled = now
            self.memory_mib = _resident_mib(self.processes())
            self.peak_memory_mib = max(self.peak_memory_mib, self.memory_mib)

    def processes(self) -> list[int]:
        """The processes of the container, by their numbers on the host; none while they are not known."""
        return self._witness.processes() or (_tree(self._first.pid) if self._first else [])

    def stop(self, grace: float) -> None:
        """End it: SIGTERM and a time to finish where `grace` says so, then SIGKILL to all its processes."""
        self._first = self._first or _first_of(self._witness.processes())
        if self._first is None:
            self._find()
        if self._first is None:
            self._ask("stop", "-t", str(int(grace)), self.name)
            return
        try:
            if grace > 0:
                self._first.terminate()
                with contextlib.suppress(psutil.TimeoutExpired):
                    self._first.wait(grace)
            self._first.kill()  # the first process of a process namespace takes all others with it
        except psutil.NoSuchProcess:
            return
        except psutil.Error:  # a user that we may not signal: the engine may
            self._ask("kill", self.name)

    def close(self) -> End:
        """Wait for the client, ask the engine how it ended, and remove the container."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.client.wait(_CALL_SECONDS)
        self._witness.close()
        state = self._state()
        lost = bool(state.get("Running"))
        removed = self._remove()
        if self.client.poll() is None:
            self.client.kill()
        code = self.client.wait()
        if state.get("Status") in ("created", "configured", "initialized") or (not state and code >= _ENGINE_FAULT):
            return End(code if code >= 0 else 128 - code, started=False, removed=removed)
        exit_code = _SIGKILLED if lost else int(state.get("ExitCode", code))
        oom = bool(state.get("OOMKilled")) or self._witness.kills > 0
        if exit_code == _SIGKILLED and oom:
            return End(exit_code, "oom", removed=removed)
        return End(exit_code, "lost" if lost else "", removed=removed)

    def _remove(self) -> bool:
        """Remove the container; whether it is known to be gone."""
        for _ in range(_ATTEMPTS):
            self._ask("rm", "-f", "-v", self.name)
            if self._asked("container", "inspect", self.name).returncode not in (0, _NO_ANSWER):
                return True
        return False

    def _find(self) -> None:
        # An engine elsewhere counts in another namespace: a number is taken only where it is a container's first.
        pid = int(self._state().get("Pid") or 0)
        self._first = _first_of([pid]) if pid else None

    def _state(self) -> dict[str, Any]:
        """What the engine says of the container; empty where there is none, or where it does not answer."""
        for _ in range(_ATTEMPTS):
            told = self._asked("container", "inspect", "--format", "{{json .State}}", self.name)
            with contextlib.suppress(json.JSONDecodeError):
                state: dict[str, Any] = json.loads(told.stdout)
                return state
            if told.returncode != _NO_ANSWER:
                break
        return {}

    def _ask(self, *arguments: str) -> None:
        self._asked(*arguments)

    def _asked(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [self.program, *arguments]
        try:
            return subprocess.run(
                command,
                capture_output=True,
                text=True,
                check=False,
                timeout=_CALL_SECONDS,
                stdin=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(command, _NO_ANSWER, "", "no answer")


def _resident_mib(processes: list[int]) -> float:
    """Resident memory of processes in MiB; pages that they share count in each."""
    total = 0
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            total += psutil.Process(process).memory_info().rss
    return total / _MIB


def _first_of(processes: list[int]) -> psutil.Process | None:
    """The process that is number 1 in the innermost process namespace of a container, seen from the host."""
    for process in processes:
        with contextlib.suppress(OSError, psutil.NoSuchProcess):
            lines = Path(f"/proc/{process}/status").read_text().splitlines()
            numbers = next((line.split()[1:] for line in lines if line.startswith("NSpid:")), [])
            if len(numbers) > 1 and numbers[-1] == "1":
                return psutil.Process(process)
    return None


def _tree(pid: int) -> list[int]:
    with contextlib.suppress(psutil.NoSuchProcess):
        return [pid, *(process.pid for process in psutil.Process(pid).children(recursive=True))]
    return []
