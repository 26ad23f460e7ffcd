"""Removing what others wrote."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from benchmark.errors import BenchError


def remove_tree(folder: Path) -> None:
    """Remove a folder of whatever depth, never through a link.

    Python's own walk needs a stack frame per level, and a method may nest folders by the thousand: there `rm` goes on,
    which walks by descriptors.

    Raises:
        BenchError: something of it could not be removed.
    """
    try:
        shutil.rmtree(folder)
    except (RecursionError, OSError):
        done = subprocess.run(
            ["rm", "-rf", "--one-file-system", "--", str(folder)], capture_output=True, check=False, text=True
        )
        if done.returncode != 0:
            raise BenchError(f"{folder} cannot be removed: {done.stderr.strip()[-300:]}") from None
