"""What a person sees in the terminal: data and tables on standard output; progress and notes on standard error."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from benchmark.records import Cell, Record

if TYPE_CHECKING:
    from benchmark.cohorts.images import Progress as PhaseProgress

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
Offline = Annotated[bool, typer.Option("--offline", help="Never use the network; what is missing is an error.")]
TALK = Console(stderr=True, highlight=False)
DATA = Console(highlight=False)
_STYLES = {"ok": "green", "skipped": "yellow", "timeout": "yellow"}


def print_json(value: Any) -> None:
    """Data for programs, on standard output."""
    print(json.dumps(value, indent=1, ensure_ascii=False, default=str))


def say(text: str) -> None:
    """One line for the person at the terminal."""
    TALK.print(escape(text))


def show_table(columns: Sequence[str], rows: Sequence[Sequence[object]], title: str = "") -> None:
    """A table on standard output; the first column is never wrapped."""
    table = Table(title=title or None, title_justify="left", header_style="bold", expand=False)
    for position, column in enumerate(columns):
        table.add_column(column, no_wrap=position == 0)
    for row in rows:
        table.add_row(*(escape(str(value)) for value in row))
    DATA.print(table)


def show_listing(listing: Mapping[str, Mapping[str, str]]) -> None:
    """Names and summaries, one table a kind."""
    for kind, names in listing.items():
        show_table(("name", "summary"), list(names.items()), title=kind)


@contextmanager
def phases() -> Iterator[PhaseProgress]:
    """A progress bar for work in phases, as importers and decoders report it: (phase, done, total)."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=TALK,
        transient=True,
    ) as bar:
        tasks: dict[str, TaskID] = {}

        def update(phase: str, done: int, total: int) -> None:
            if phase not in tasks:
                tasks[phase] = bar.add_task(phase, total=total)
            bar.update(tasks[phase], completed=done, total=total)

        yield update


class RunProgress:
    """Draws a run: one bar with the time left, one line for every cell that ends."""

    def __init__(self) -> None:
        self._bar = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            TextColumn("[dim]{task.fields[stages]}"),
            console=TALK,
            transient=True,
        )
        self._task: TaskID | None = None
        self._started = time.monotonic()

    def __enter__(self) -> RunProgress:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def plan(self, total: int, hits: int, workers: int) -> None:
        """The matrix is known."""
        say(f"{total} cells, {hits} of them done before; {workers} workers")
        self._task = self._bar.add_task("cells", total=total, completed=hits, left="", stages="")

    def started(self, cell: Cell, why: str) -> None:
        """A cell was handed to a worker."""
        if not why.startswith("no record yet"):
            say(f"  {cell.title}: {why}")

    def working(self, stages: dict[Cell, str]) -> None:
        """How far the running methods are, beside the bar."""
        if self._task is not None:
            told = ", ".join(f"{cell.method} r{cell.repetition} {stage}" for cell, stage in stages.items())
            self._bar.update(self._task, stages=escape(told))

    def finished(self, record: Record, seconds_left: float) -> None:
        """A cell ended."""
        assert self._task is not None
        style = _STYLES.get(record.status, "red")
        line = f"[{style}]{record.status:>7}[/] {escape(record.cell.title)} {record.seconds:.1f} s"
        if record.reason:
            line += f"\n        {escape(record.reason)}"
        TALK.print(line)
        self._bar.update(self._task, advance=1, left=f"about {duration(seconds_left)} left")


def duration(seconds: float) -> str:
    """Seconds as h:mm:ss."""
    return str(timedelta(seconds=round(seconds)))
