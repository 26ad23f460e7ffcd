"""How much lies in an output folder: bind mounts have no quota, so it is looked at while the method writes."""

from __future__ import annotations

import os
import time
from pathlib import Path

MAX_DEPTH = 16
"""Folders below folders that an output may have: the contract needs two, checkpoints some more."""

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

    def fault(self, *, now: bool = False) -> str:
        """What is wrong in words, or an empty string; a look is left out where the last one was too recent."""
        begin = time.monotonic()
        if not now and begin < self._next:
            return ""
        found = self._look()
        end = time.monotonic()
        self._next = end + _SHARE * (end - begin)
        return found

    def _look(self) -> str:
        allocated, entries = 0, 0
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
