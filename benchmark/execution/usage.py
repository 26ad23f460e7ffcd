"""How much lies in an output folder: bind mounts have no quota, so it is looked at while the method writes."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

MAX_DEPTH = 16
"""Folders below folders that an output may have: the contract needs two, checkpoints some more."""

RESERVE_MIB = 1024
"""What is left of the host's disk whatever happens; where a method hides what it writes, this still stops it."""

_MIB = 1 << 20
_SHARE = 10
"""A look may take this part of the time, so that a large output does not cost its method the processor."""


class OutputLimit:
    """Tells when an output folder has passed its limits.

    Args:
        folder: the output folder; whoever writes to it is not trusted.
        limit_mib: what may be allocated on disk, in MiB.
        limit_files: how many files and folders may lie in it.
    """

    def __init__(self, folder: Path, limit_mib: int, limit_files: int) -> None:
        self.folder, self.limit_mib, self.limit_files = folder, limit_mib, limit_files
        self._next = 0.0

    def fault(self, processes: Callable[[], Iterable[int]] = tuple, *, now: bool = False) -> str:
        """What is wrong in words, or an empty string; a look is left out where the last one was too recent.

        `processes` tells those that may write: files without a name are only seen where they are open.
        """
        begin = time.monotonic()
        if not now and begin < self._next:
            return ""
        found = self._look(processes())
        end = time.monotonic()
        self._next = end + _SHARE * (end - begin)
        return found

    @property
    def disk_is_full(self) -> bool:
        """Whether the host's disk has no more than the reserve left, whoever filled it."""
        return _free_mib(self.folder) < RESERVE_MIB

    def _look(self, processes: Iterable[int]) -> str:
        allocated, entries = _unnamed_bytes(processes, self.folder.stat().st_dev), 0
        waiting = [(str(self.folder), 0)]
        while waiting:
            place, depth = waiting.pop()
            if depth > MAX_DEPTH:
                return f"folders are nested more than {MAX_DEPTH} deep in its output"
            try:
                with os.scandir(place) as found:
                    for entry in found:
                        entries += 1
                        if entries > self.limit_files:
                            return f"more than {self.limit_files} files in its output"
                        status = entry.stat(follow_symlinks=False)
                        allocated += status.st_blocks * 512
                        if entry.is_dir(follow_symlinks=False):
                            waiting.append((entry.path, depth + 1))
            except OSError:
                continue  # gone since, or closed to us: validation looks again when nothing runs any more
        if allocated > self.limit_mib * _MIB:
            return f"its output grew to {allocated / _MIB:.0f} MiB, the limit is {self.limit_mib} MiB"
        return ""


def _free_mib(folder: Path) -> float:
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize / _MIB


def _unnamed_bytes(processes: Iterable[int], device: int) -> int:
    """Bytes on a disk in files that were removed while open, each counted once."""
    found: dict[int, int] = {}
    for process in processes:
        with contextlib.suppress(OSError):
            for entry in os.scandir(f"/proc/{process}/fd"):
                with contextlib.suppress(OSError):
                    status = entry.stat()  # through the link: the file itself
                    if status.st_nlink == 0 and status.st_dev == device:
                        found[status.st_ino] = status.st_blocks * 512
    return sum(found.values())
