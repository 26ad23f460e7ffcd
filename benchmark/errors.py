"""Errors that a user can cause. Each message says what is wrong and what to do next."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class BenchError(Exception):
    """A fault in the input, the data or the machine that the user can mend.

    The command line prints the message without a traceback and exits with `exit_code`.
    """

    exit_code = 1


class UsageError(BenchError):
    """A name, option or file that the user gave cannot be used (exit code 2)."""

    exit_code = 2


class UnknownNameError(UsageError):
    """A name that is in no registry; the message offers the nearest ones and lists all."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=2, cutoff=0.5)
        guess = f" Did you mean {' or '.join(near)}?" if near else ""
        super().__init__(f"unknown {kind} '{name}'.{guess} Known: {', '.join(names) or 'none'}.")
