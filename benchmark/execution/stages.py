"""What a running method says of its progress, read as what a stranger wrote: bounded, through no link, of any form."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError

from benchmark.text import printable

_TAIL_BYTES = 4096
_SHOWN = 40


class _Line(BaseModel):
    stage: str
    done: int = Field(ge=0, lt=10**12)
    total: int = Field(ge=0, lt=10**12)


def last_progress(path: Path) -> str:
    """The last line of a `progress.jsonl` in words, or an empty string where it holds none."""
    try:
        lines = _tail(path).splitlines()
        line = _Line.model_validate_json(lines[-1]) if lines else None
    except (OSError, ValidationError):
        return ""
    return f"{printable(line.stage)[:_SHOWN]} {line.done}/{line.total}" if line else ""


def _tail(path: Path) -> bytes:
    """The end of a regular file; a pipe is not waited for."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as stream:
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode):
            return b""
        stream.seek(max(0, status.st_size - _TAIL_BYTES))
        return stream.read(_TAIL_BYTES)
