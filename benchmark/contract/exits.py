"""How a method ends: the exit codes of the contract and the exceptions that lead to them."""

# ruff: noqa: N818 -- the names say how a run ends
from __future__ import annotations

from enum import IntEnum

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
