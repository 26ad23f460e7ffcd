"""The method contract, version 1: what a method is given, what it must hand back, and an SDK for Python.

Names are loaded on first use, so that listing methods imports neither an image library nor torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmark.contract.exits import (
        BadRequest,
        CannotRunHere,
        DeadlineReached,
        Exit,
        MethodError,
        MissingData,
        TryAgain,
    )
    from benchmark.contract.method import MethodSpec, Needs, ParameterValue, load_method
    from benchmark.contract.request import (
        ClassSpec,
        Request,
        TrainingSet,
        read_request,
        read_training_set,
        write_request,
    )
    from benchmark.contract.response import InvalidResponse, Result, SyntheticSet, validate_response
    from benchmark.contract.sdk import Context, Method, main, run_method

CONTRACT_VERSION = 1

_HOMES = {
    "exits": (
        "BadRequest",
        "CannotRunHere",
        "DeadlineReached",
        "Exit",
        "MethodError",
        "MissingData",
        "TryAgain",
    ),
    "method": ("MethodSpec", "Needs", "ParameterValue", "load_method"),
    "request": ("ClassSpec", "Request", "TrainingSet", "read_request", "read_training_set", "write_request"),
    "response": ("InvalidResponse", "Result", "SyntheticSet", "validate_response"),
    "sdk": ("Context", "Method", "main", "run_method"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "CONTRACT_VERSION",
    "BadRequest",
    "CannotRunHere",
    "ClassSpec",
    "Context",
    "DeadlineReached",
    "Exit",
    "InvalidResponse",
    "Method",
    "MethodError",
    "MethodSpec",
    "MissingData",
    "Needs",
    "ParameterValue",
    "Request",
    "Result",
    "SyntheticSet",
    "TrainingSet",
    "TryAgain",
    "load_method",
    "main",
    "read_request",
    "read_training_set",
    "run_method",
    "validate_response",
    "write_request",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
