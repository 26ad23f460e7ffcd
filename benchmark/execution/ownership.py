"""Outputs belong to the caller: the folder is lent to the container's user and taken back when nothing runs in it."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from benchmark.execution.launch import Launch
from benchmark.execution.usage import MAX_DEPTH
from benchmark.files import remove_tree

_FILE_MODE, _FOLDER_MODE = 0o644, 0o755


def prepare_output(launch: Launch, user: tuple[int, int]) -> None:
    """Lend the output folder to the container's user, and let that user read the request, where they are not ours."""
    if user[0] == os.geteuid() or os.geteuid() != 0:
        return
    os.chown(launch.output, *user)
    for place in (launch.input, *launch.input.rglob("*")):
        wanted = _FOLDER_MODE if place.is_dir() else _FILE_MODE
        if stat.S_IMODE(place.stat().st_mode) & wanted != wanted:
            place.chmod(wanted)


def give_back(output: Path) -> None:
    """Give the folder itself to the caller, and nothing in it: something may still write there."""
    if os.geteuid() == 0:
        os.chown(output, 0, os.getegid())


def take_over(output: Path) -> str:
    """Give everything in the output folder to the caller, with plain modes; call it when the container is gone.

    Links are taken over as links and never followed. A tree that is nested too deep to be walked is removed whole.

    Returns:
        What is wrong with the tree in words, or an empty string.
    """
    if os.geteuid() == 0:
        os.chown(output, 0, os.getegid())
    output.chmod(_FOLDER_MODE)
    waiting = [(output, 0)]
    while waiting:
        place, depth = waiting.pop()
        with os.scandir(place) as found:
            entries = list(found)
        for entry in entries:
            path = Path(entry.path)
            status = entry.stat(follow_symlinks=False)
            if depth > MAX_DEPTH:
                for written in output.iterdir():
                    remove_tree(written)
                return f"folders are nested more than {MAX_DEPTH} deep in its output; the output was removed"
            _take(path, status)
            if stat.S_ISDIR(status.st_mode):
                waiting.append((path, depth + 1))
    return ""


def _take(path: Path, status: os.stat_result) -> None:
    if os.geteuid() == 0:
        os.chown(path, 0, os.getegid(), follow_symlinks=False)
    if stat.S_ISLNK(status.st_mode):
        return
    with contextlib.suppress(PermissionError):  # a file of a mapped user, where no right of root helps
        path.chmod(_FOLDER_MODE if stat.S_ISDIR(status.st_mode) else _FILE_MODE)
