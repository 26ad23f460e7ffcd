"""The form of every table of the board: typed columns, rows of values with their spread, three renderings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd
from tabulate import tabulate

MISSING = "–"
"""How an undefined or absent number is shown; its reason stands in the JSON."""


@dataclass(frozen=True)
class Estimate:
    """A number and what is known of its spread.

    Attributes:
        value: the mean over the repetitions, `None` where undefined (then `reason` says why).
        low: lower bound of the 95 % interval; `None` where none was made.
        high: upper bound.
        sd: standard deviation over the repetitions (n - 1).
        n: repetitions behind the value.
        images: images behind it, 0 where that is not its sample.
        clusters: clusters of these images, 0 where they were not resampled.
        se: standard error that the interval was made from.
        df: its degrees of freedom.
        covers: what varies in the interval: `clusters and repetitions`, or `clusters` for one repetition.
        name: what the value belongs to, shown before it, e.g. the worst country.
        text: what is shown in place of a value that is not there.
        mark: a sign that is shown after the value and explained under the table.
        reason: why the value, or its interval, is missing.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    sd: float | None = None
    n: int = 0
    images: int = 0
    clusters: int = 0
    se: float | None = None
    df: float | None = None
    covers: str = ""
    name: str = ""
    text: str = ""
    mark: str = ""
    reason: str | None = None

    def show(self, digits: int, signed: bool = False) -> str:
        """`value [low, high]`, `value ± sd`, or the bare value."""
        if self.value is None:
            return self.text or MISSING
        sign = "+" if signed else ""
        text = f"{self.name} {self.value:{sign}.{digits}f}".lstrip()
        if self.low is not None and self.high is not None:
            text += f" [{self.low:{sign}.{digits}f}, {self.high:{sign}.{digits}f}]"
        elif self.sd is not None:
            text += f" ± {self.sd:.{digits}f}"
        return text + self.mark

    def scaled(self, factor: float) -> Estimate:
        """The same estimate in another unit."""

        def times(number: float | None) -> float | None:
            return None if number is None else number * factor

        return replace(
            self, value=times(self.value), low=times(self.low), high=times(self.high), sd=times(self.sd),
            se=times(self.se),
        )  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        """Value, interval, repetitions and reason always; what else is known where it is."""
        spread = {"value": self.value, "ci_low": self.low, "ci_high": self.high, "sd": self.sd}
        errors = {"se": self.se, "df": self.df}
        sizes = {"n_images": self.images, "n_clusters": self.clusters}
        words = {"covers": self.covers, "name": self.name, "text": self.text, "mark": self.mark}
        return {
            **spread,
            "n_repetitions": self.n,
            "reason": self.reason,
            **{key: number for key, number in errors.items() if number is not None},
            **{key: fact for key, fact in (sizes | words).items() if fact},
        }


Value = str | int | float | bool | Estimate | None


@dataclass(frozen=True)
class Column:
    """One column: the key of its values, its title for people, its definition in one line.

    `optional` columns are left out of the display while all rows agree in them (the common value is then said in a
    note); `data` columns are only in CSV and JSON. `p` columns hold p values: small ones are shown as `< 0.001`.
    """

    key: str
    title: str
    definition: str = ""
    unit: str = ""
    digits: int = 1
    signed: bool = False
    optional: bool = False
    data: bool = False
    p: bool = False

    def show(self, value: Value) -> str:
        """A value as it stands in the Markdown table."""
        if value is None or value == "":
            return MISSING
        if isinstance(value, Estimate):
            return value.show(self.digits, self.signed)
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, float):
            least = 10.0**-self.digits
            return f"< {least:g}" if self.p and value < least else f"{value:,.{self.digits}f}"
        return f"{value:,}" if isinstance(value, int) else value.replace("|", "/").replace("\n", " ")


@dataclass(frozen=True)
class Table:
    """A table of the board.

    Attributes:
        name: its key in the JSON and the stem of its CSV file.
        title: its heading.
        columns: what stands in it, in order.
        rows: one mapping per row, from column keys to values; absent keys are empty.
        notes: sentences that a reader needs under it.
        markdown: false for tables that are only data.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[Mapping[str, Value], ...]
    notes: tuple[str, ...] = ()
    markdown: bool = field(default=True)

    def _agreed(self) -> dict[str, str]:
        """Optional columns in which all rows agree, with the common value as it would be shown."""
        agreed = {}
        for column in self.columns:
            shown = {column.show(row.get(column.key)) for row in self.rows}
            if column.optional and len(shown) == 1:
                agreed[column.key] = shown.pop()
        return agreed

    def display(self) -> pd.DataFrame:
        """The table as people read it: strings only, without data columns and agreed optional ones."""
        agreed = self._agreed()
        kept = [column for column in self.columns if not column.data and column.key not in agreed]
        rows = [[column.show(row.get(column.key)) for column in kept] for row in self.rows]
        return pd.DataFrame(rows, columns=[column.title for column in kept], dtype=str)

    def frame(self) -> pd.DataFrame:
        """The table as data: every column, estimates spread over `key`, `key_low`, `key_high`, and so on."""
        blocks: dict[str, list[Any]] = {}
        for column in self.columns:
            spread = [_spread(column.key, row.get(column.key)) for row in self.rows]
            for name in dict.fromkeys([column.key, *(name for parts in spread for name in parts)]):
                blocks[name] = [parts.get(name) for parts in spread]
        return pd.DataFrame(blocks, dtype=object)

    def to_markdown(self) -> str:
        """Heading, table and notes."""
        said = [f"{self._title(key)}: {value}." for key, value in self._agreed().items() if value != MISSING]
        lines = [f"## {self.title}", ""]
        if said:
            lines += [" ".join(said), ""]
        if self.rows:
            lines += [tabulate(_cells(self.display()), headers="keys", tablefmt="github", disable_numparse=True), ""]
        lines += [f"{note}\n" for note in self.notes]
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """Title, column definitions, rows in full precision, notes."""
        columns = [
            {"key": column.key, "title": column.title, "unit": column.unit, "definition": column.definition}
            for column in self.columns
        ]
        rows = [{key: _plain(value) for key, value in row.items()} for row in self.rows]
        return {"title": self.title, "columns": columns, "rows": rows, "notes": list(self.notes)}

    def _title(self, key: str) -> str:
        return next(column.title for column in self.columns if column.key == key)


def _cells(frame: pd.DataFrame) -> dict[str, list[str]]:
    return {str(name): frame[name].tolist() for name in frame.columns}


def _plain(value: Value) -> Any:
    return value.to_json() if isinstance(value, Estimate) else value


def _spread(key: str, value: Value) -> dict[str, Any]:
    if not isinstance(value, Estimate):
        return {key: value}
    parts = {
        "low": value.low, "high": value.high, "sd": value.sd, "n": value.n or None, "images": value.images or None,
        "clusters": value.clusters or None, "name": value.name or None,
    }  # fmt: skip
    return {key: value.value, **{f"{key}_{name}": part for name, part in parts.items() if part is not None}}
