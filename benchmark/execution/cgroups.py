"""What the kernel says of a container's memory: podman does not tell an out-of-memory kill, its cgroup does.

Version 1: `memory.oom_control` counts kills (`oom_kill`); version 2: `memory.events`. The files vanish with the
container, some 50 ms after its last process, and an engine takes longer than that to answer a question: so a thread
finds the cgroup by the container's id, which its path holds, and reads the counter while the container lives.
"""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
_PLACES = (
    "libpod_parent/libpod-{id}",
    "machine.slice/libpod-{id}.scope",
    "docker/{id}",
    "system.slice/docker-{id}.scope",
)
_POLL_SECONDS = 0.01
_SEARCH_SECONDS = 0.05
_SEARCH_AT = (2, 10, 40)
_BYTES = 4096


class OomWitness:
    """Counts the out-of-memory kills in one container, from the moment that its cgroup is there until `close`.

    Attributes:
        made: whether the engine has made the container.
        kills: out-of-memory kills that were counted in it.
    """

    def __init__(self, id_file: Path) -> None:
        self.id_file = id_file
        self.made = False
        self.kills = 0
        self._folder: Path | None = None
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def processes(self) -> list[int]:
        """The container's processes by their numbers on the host; none while (or where) its cgroup is not known."""
        found: list[int] = []
        if self._folder is not None:
            for place in (self._folder, *self._folder.glob("*/")):
                with contextlib.suppress(OSError, ValueError):
                    found += map(int, (place / "cgroup.procs").read_text().split())
        return found

    def close(self) -> None:
        """Stop watching; the counts stay."""
        self._closed.set()
        self._thread.join()

    def _watch(self) -> None:
        events, looks = None, 0
        while events is None:
            if self._closed.wait(_SEARCH_SECONDS):
                return
            container = self._id()
            self.made = bool(container)
            if container:
                # The usual places first; the whole tree, which takes long on a large host, only now and then.
                events = _events_file(container, everywhere=looks in _SEARCH_AT)
                looks += 1
        self._folder = events.parent
        with contextlib.suppress(OSError):
            descriptor = os.open(events, os.O_RDONLY | os.O_CLOEXEC)
            try:
                while not self._closed.wait(_POLL_SECONDS):
                    self.kills = max(self.kills, _oom_kills(os.pread(descriptor, _BYTES, 0)))
            finally:
                os.close(descriptor)

    def _id(self) -> str:
        """The container's id, which the engine writes when it has made it; empty before."""
        with contextlib.suppress(OSError):
            return self.id_file.read_text().strip()
        return ""


def _events_file(container: str, *, everywhere: bool) -> Path | None:
    """The file that counts the kills of the container with this id, or `None` where there is no cgroup (yet)."""
    version_1 = (_ROOT / "memory").is_dir()
    root, name = (_ROOT / "memory", "memory.oom_control") if version_1 else (_ROOT, "memory.events")
    for place in _PLACES:
        events = root / place.format(id=container) / name
        if events.is_file():
            return events
    if not everywhere:
        return None
    found = (path for path in root.glob(f"**/*{container}*/{name}") if "conmon" not in path.parent.name)
    return next(found, None)


def _oom_kills(data: bytes) -> int:
    fields = dict(line.split(maxsplit=1) for line in data.decode().splitlines() if " " in line)
    return int(fields.get("oom_kill", 0))
