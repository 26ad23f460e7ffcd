"""`predictions.csv`: the border between classifiers and scores. Anybody's file in this format can be scored."""

from __future__ import annotations

import csv
import math
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.classes import CLASSES
from benchmark.errors import UsageError

ID_COLUMNS: tuple[str, ...] = ("image_id", "patient_id", "center", "cluster_id")
SUM_TOLERANCE = 1e-3
_PREFIX = "p_"
_HELP = f"The columns are {','.join((*ID_COLUMNS, 'label', *(_PREFIX + name for name in CLASSES)))}."


def probability_columns(frame: pd.DataFrame) -> list[str]:
    """The class columns that the frame has, in canonical order; a class without one is no output of the classifier."""
    return [_PREFIX + name for name in CLASSES if _PREFIX + name in frame.columns]


def cluster_of(frame: pd.DataFrame) -> NDArray[np.str_]:
    """(n,) the unit of resampling: `cluster_id`, or where it is empty the pair (center, patient_id).

    The two kinds cannot collide: patient numbers repeat across centres and may equal somebody's cluster name.
    """
    pairs = zip(frame["cluster_id"], frame["center"], frame["patient_id"], strict=True)
    return np.array([f"c:{cluster}" if cluster else f"p:{center}\0{patient}" for cluster, center, patient in pairs])


def prediction_frame(identity: pd.DataFrame, labels: Sequence[str], probabilities: NDArray[np.float64]) -> pd.DataFrame:
    """Put identities, true labels and (n, 5) probabilities in canonical class order together, validated.

    `identity` has `image_id` and `patient_id`, and may have `center` and `cluster_id`. A null (None, NaN, NA) is an
    empty field.
    """
    columns: dict[str, list[str] | NDArray[np.float64]] = {}
    for name in ID_COLUMNS:
        columns[name] = _texts(identity[name]) if name in identity.columns else [""] * len(identity)
    columns["label"] = [str(label) for label in labels]
    values = np.asarray(probabilities, dtype=np.float64)
    if values.shape != (len(identity), len(CLASSES)):
        raise ValueError(f"probabilities must be ({len(identity)}, {len(CLASSES)}), not {values.shape}")
    for position, name in enumerate(CLASSES):
        columns[_PREFIX + name] = values[:, position]
    frame = pd.DataFrame(columns)
    _validate(frame, "predictions", [f"row {row + 1}" for row in range(len(frame))])
    return frame


def _texts(column: pd.Series) -> list[str]:
    return ["" if empty else str(value) for value, empty in zip(column, column.isna(), strict=True)]


def write_predictions(path: Path, frame: pd.DataFrame) -> None:
    """Write a validated frame: equal frames give equal bytes, floats keep full precision, the file appears whole."""
    columns = [*ID_COLUMNS, "label", *probability_columns(frame)]
    _validate(frame, str(path.name), [f"row {row + 1}" for row in range(len(frame))])
    texts = [[repr(float(v)) for v in frame[c]] if c.startswith(_PREFIX) else list(frame[c]) for c in columns]
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=".writing-", suffix=".csv")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows(zip(*texts, strict=True))
        Path(scratch).chmod(0o644)
        Path(scratch).replace(path)
    except BaseException:
        Path(scratch).unlink(missing_ok=True)
        raise


def read_predictions(path: Path) -> pd.DataFrame:
    """Read and validate a predictions file.

    Returns:
        A frame with the identity columns and `label` as text and the class columns that the file has as float64, in
        canonical order. Columns of other names are left out.

    Raises:
        UsageError: the file, a column or a row breaks the format; the message names file, line and fault.
    """
    if not path.is_file():
        raise UsageError(f"no predictions file {path}. Write one as docs/metrics.md describes. {_HELP}")
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, strict=True)
            header = next(reader, [])
            rows = [(reader.line_num, row) for row in reader if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path}: not a CSV file in UTF-8 ({error}). {_HELP}") from error
    places = _columns(path, header)
    for line, row in rows:
        if len(row) != len(header):
            raise UsageError(f"{path}, line {line}: {len(row)} fields where the header has {len(header)}.")
    frame = pd.DataFrame({name: [row[place] for _, row in rows] for name, place in places.items()}, dtype=object)
    lines = [f"line {line}" for line, _ in rows]
    for name in probability_columns(frame):
        frame[name] = np.array([_number(path, where, name, v) for where, v in zip(lines, frame[name], strict=True)])
    _validate(frame, str(path), lines)
    return frame


def _columns(path: Path, header: Sequence[str]) -> dict[str, int]:
    names = [name.strip() for name in header]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise UsageError(f"{path}: column {repeated[0]} stands twice. {_HELP}")
    missing = [name for name in (*ID_COLUMNS, "label") if name not in names]
    if missing:
        raise UsageError(f"{path}: column {', '.join(missing)} is missing (its cells may be empty). {_HELP}")
    known = [_PREFIX + name for name in CLASSES]
    strange = [name for name in names if name.startswith(_PREFIX) and name not in known]
    if strange:
        raise UsageError(f"{path}: unknown class column {', '.join(strange)}. {_HELP}")
    outputs = [name for name in known if name in names]
    if not outputs:
        raise UsageError(f"{path}: no class column at all. {_HELP}")
    return {name: names.index(name) for name in (*ID_COLUMNS, "label", *outputs)}


def _number(path: Path, where: str, column: str, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise UsageError(f"{path}, {where}: {column} is '{text}', not a number.") from error


def _validate(frame: pd.DataFrame, name: str, lines: Sequence[str]) -> None:
    if frame.empty:
        raise UsageError(f"{name}: no predictions in it. {_HELP}")
    seen: dict[str, str] = {}
    rows = zip(lines, frame["image_id"], frame["patient_id"], frame["cluster_id"], frame["label"], strict=True)
    for where, image, patient, cluster, label in rows:
        if not image:
            raise UsageError(f"{name}, {where}: image_id is empty; give every image a name of its own.")
        if image in seen:
            raise UsageError(f"{name}, {where}: image_id '{image}' was already in {seen[image]}; keep one of them.")
        if not (patient or cluster):
            raise UsageError(f"{name}, {where}: patient_id and cluster_id are both empty; intervals need one of them.")
        if label not in CLASSES:
            raise UsageError(f"{name}, {where}: unknown label '{label}'. Known: {', '.join(CLASSES)}.")
        seen[image] = where
    columns = probability_columns(frame)
    values = frame[columns].to_numpy(dtype=np.float64)
    for where, row in zip(lines, values, strict=True):
        _validate_row(f"{name}, {where}", columns, row)


def _validate_row(where: str, columns: Sequence[str], row: NDArray[np.float64]) -> None:
    for column, value in zip(columns, row, strict=True):
        if not math.isfinite(value):
            raise UsageError(f"{where}: {column} is {value}; probabilities must be finite.")
        if value < 0:
            raise UsageError(f"{where}: {column} is {value}; probabilities must not be negative.")
    total = float(row.sum())
    if abs(total - 1) > SUM_TOLERANCE:
        raise UsageError(f"{where}: the probabilities sum to {total:.6g}, not to 1 (tolerance {SUM_TOLERANCE}).")
