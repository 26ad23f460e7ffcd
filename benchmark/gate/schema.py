"""What a gate file may hold: its parts as they are written, and what must fit together in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from benchmark.errors import UnknownNameError, UsageError
from benchmark.gate.metrics import METRICS, OF_KIND, WORST, Kind
from benchmark.statistics import GATE_LEVEL

INFLUENCE_DIGITS = 4
"""Significant digits of the influences."""

POINT_DIGITS = 6
ROUNDING = 10.0 ** (1 - POINT_DIGITS)
"""Twice what rounding a point to its digits can change, as a share of it: a difference that says nothing."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Line(_Part):
    """One metric of one row; `mean` is for people, the repetitions count."""

    mean: float | None = None
    repetitions: dict[int, float] = Field(min_length=1)
    tolerance: float | str | None = None
    center: str = ""
    sd: dict[int, float] = Field(default_factory=dict)


class FidelityPart(_Part):
    """The metrics of one fidelity row, and how they were measured."""

    comparability: str
    metrics: dict[str, Line]


class TargetPart(_Part):
    """The images that classifiers were tested on."""

    protocol: str
    track: str
    images: int
    clusters: int
    sha256: str


class File(_Part):
    """A gate file. `kept_tolerances` are those of single metrics that had no result at the last update."""

    schema_version: Literal[1]
    note: str = ""
    level: float = Field(default=GATE_LEVEL, gt=0.5, lt=1)
    profile: dict[str, Any]
    target: TargetPart | None = None
    environment: dict[str, str] = Field(default_factory=dict)
    tolerances: dict[str, float | str] = Field(default_factory=dict)
    kept_tolerances: dict[str, dict[str, float | str]] = Field(default_factory=dict)
    utility: dict[str, dict[str, Line]] = Field(default_factory=dict)
    fidelity: dict[str, FidelityPart] = Field(default_factory=dict)
    influence: dict[str, dict[str, dict[int, list[float]]]] = Field(default_factory=dict)


def check(file: File) -> None:
    """See that names are known and that what was made together still fits together.

    Numbers are not for editing: what was made from them would no longer belong to them.

    Raises:
        UsageError: the first fault, and where it is.
    """
    for metric in (*file.tolerances, *(metric for row in file.kept_tolerances.values() for metric in row)):
        _check_name(metric, METRICS)
    for kind, row, metric, line in _lines(file):
        _check_name(metric, OF_KIND[kind])
        _check_line(f"{row}: {metric}", metric, line)
    if file.utility and file.target is None:
        raise UsageError("target: it does not say on which images the utility rows were measured")
    for row, metrics in file.influence.items():
        for metric in metrics:
            _check_place(f"influence: {row}", row, file.utility)
            _check_place(f"influence: {row}: {metric}", metric, file.utility[row])
    _check_influences(file)


def _lines(file: File) -> Iterator[tuple[Kind, str, str, Line]]:
    for row, lines in file.utility.items():
        yield from (("utility", row, metric, line) for metric, line in lines.items())
    for row, part in file.fidelity.items():
        yield from (("fidelity", row, metric, line) for metric, line in part.metrics.items())


def _check_name(metric: str, known: Mapping[str, Any] | tuple[str, ...]) -> None:
    if metric not in known:
        raise UnknownNameError("metric", metric, known)


def _check_place(where: str, name: str, known: Mapping[str, Any]) -> None:
    if name not in known:
        raise UsageError(f"{where}: there is no such line under utility")


def _check_line(where: str, metric: str, line: Line) -> None:
    mean = sum(line.repetitions.values()) / len(line.repetitions)
    if line.mean is not None and abs(line.mean - mean) > 1e-4 * max(1.0, abs(mean)):
        raise UsageError(f"{where}: mean {line.mean:g} is not that of its repetitions ({mean:g})")
    if not set(line.sd) <= set(line.repetitions):
        raise UsageError(f"{where}: its sd do not fit its repetitions")
    if bool(line.center) != (metric == WORST):
        raise UsageError(f"{where}: a centre belongs to {WORST}, and to nothing else")


def _check_influences(file: File) -> None:
    """One number a cluster of the target, or of the centre, whose number of clusters only its lines tell."""
    sizes = {"": file.target.clusters} if file.target else {}
    for row, lines in file.utility.items():
        for metric, line in lines.items():
            where = f"{row}: {metric}"
            if metric not in file.influence.get(row, {}):
                raise UsageError(f"{where}: it has no line under influence")
            for number, effects in file.influence[row][metric].items():
                expected = sizes.setdefault(line.center, len(effects))
                if number not in line.repetitions or len(effects) != expected or not 0 < expected <= sizes[""]:
                    raise UsageError(
                        f"{where}: its influences do not fit its repetitions or the {expected} clusters "
                        f"of {line.center or 'the target'}"
                    )
