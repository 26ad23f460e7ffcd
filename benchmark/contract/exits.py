"""How a method ends: the exit codes of the contract and the exceptions that lead to them."""

# ruff: noqa: N818 -- the names say how a run ends
from __future__ import annotations

from enum import IntEnum
from typing import Literal

from benchmark.errors import BenchError


class Exit(IntEnum):
    """Exit codes of a method. The host adds 124 (killed at the deadline) and 137 (out of memory)."""

    DONE = 0
    BAD_REQUEST = 2
    MISSING_DATA = 3
    CANNOT_RUN_HERE = 4
    DEADLINE = 5
    INTERNAL_ERROR = 70
    TRY_AGAIN = 75


ExitStatus = Literal["ok", "failed", "skipped", "timeout", "oom"]

STATUS_OF_EXIT: dict[int, tuple[ExitStatus, str]] = {
    0: ("ok", ""),
    2: ("failed", "the method refused the request"),
    3: ("failed", "the method misses data or weights"),
    4: ("skipped", "the method cannot run here"),
    5: ("timeout", "the method reached its deadline; what it wrote is kept and never ranked"),
    70: ("failed", "internal error of the method"),
    75: ("failed", "the method asks to be tried again"),
    124: ("timeout", "the method was stopped at its deadline"),
    137: ("oom", "the method used more memory than its limit"),
}
"""What an exit code means: the recorded status, and the reason in words. Any other code is `failed`."""


class MethodError(BenchError):
    """An end that the contract foresees; `exit_code` says which, the message is the last line on stderr."""

    exit_code = int(Exit.INTERNAL_ERROR)


class BadRequest(MethodError):
    """The request folder, or a parameter in it, cannot be used (2)."""

    exit_code = int(Exit.BAD_REQUEST)


class MissingData(MethodError):
    """Data or weights are not there; the message names the command that fetches them (3)."""

    exit_code = int(Exit.MISSING_DATA)


class CannotRunHere(MethodError):
    """This machine lacks what the method needs; the cell is skipped with this reason (4)."""

    exit_code = int(Exit.CANNOT_RUN_HERE)


class DeadlineReached(MethodError):
    """Time is up; what has been written stays valid (5)."""

    exit_code = int(Exit.DEADLINE)


class TryAgain(MethodError):
    """A passing fault: the same request may succeed later (75)."""

    exit_code = int(Exit.TRY_AGAIN)
