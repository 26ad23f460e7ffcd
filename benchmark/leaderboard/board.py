"""The board: every table of one or several runs, and its writing to Markdown, CSV and JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from benchmark.errors import UnknownNameError
from benchmark.leaderboard.comparisons import RunScores
from benchmark.leaderboard.dose_tables import dose_table
from benchmark.leaderboard.fidelity_tables import fidelity_tables
from benchmark.leaderboard.main_tables import main_table, synthetic_table, tests_table, unmatched_table
from benchmark.leaderboard.measures import REPLICATES
from benchmark.leaderboard.memorisation_tables import memorisation_tables
from benchmark.leaderboard.paper_tables import paper_tables
from benchmark.leaderboard.reading_tables import gap_table, other_tracks_table, readings_table, reliability_table
from benchmark.leaderboard.run_tables import costs_table, faults_table, provenance, provenance_lines, tracks_table
from benchmark.leaderboard.slice_tables import centers_table, class_tables, matched_table
from benchmark.leaderboard.tables import Table
from benchmark.leaderboard.views import open_runs

FORMATS = ("md", "csv", "json")
READING = (
    "zero-shot = cross-cohort transfer: no image of the target was used for training, nor seen by a method",
    "accuracy, F, AUC and gains are percent (gain: points of percent), here and in CSV and JSON; records and "
    "`fulora-bench score` give fractions",
    "`value [low, high]`: mean over repetitions with its 95 % interval over clusters (patients, merged where they "
    "share images) and repetitions; resamplings are shared by all rows, so gains are paired",
    "`value ± sd`: mean and standard deviation over repetitions",
    "every training mix of a classifier takes the same number of optimiser steps, unless its table says unmatched",
    "each column in three sentences, with formula and source: docs/how-to-read-the-board.md",
)


@dataclass(frozen=True)
class Board:
    """All tables of a leaderboard.

    Attributes:
        tables: in the order of reading; the first is the leaderboard itself.
        provenance: one mapping per run.
        provenance_lines: the same as Markdown bullets.
    """

    tables: tuple[Table, ...]
    provenance: tuple[dict[str, Any], ...]
    provenance_lines: tuple[str, ...]

    def table(self, name: str) -> Table:
        """One table by name.

        Raises:
            UnknownNameError: no table of this board has that name.
        """
        for table in self.tables:
            if table.name == name:
                return table
        raise UnknownNameError("table", name, [table.name for table in self.tables])

    @property
    def frames(self) -> dict[str, pd.DataFrame]:
        """Every table as people read it (strings), by name."""
        return {table.name: table.display() for table in self.tables if table.markdown}

    def markdown(self) -> str:
        """The whole board as one Markdown document."""
        shown = [table.to_markdown() for table in self.tables if table.markdown and (table.rows or table.notes)]
        columns = [f"{c.title}: {c.definition}" for c in self.tables[0].columns if c.definition and not c.data]
        reading = ["## How to read it", "", *(f"- {line}" for line in (*READING, *columns)), ""]
        origin = ["## Provenance", "", *self.provenance_lines, ""]
        return "\n".join([shown[0].replace("## ", "# ", 1), *shown[1:], *reading, *origin])

    def to_json(self) -> dict[str, Any]:
        """The whole board in full precision, with the definition of every column."""
        return {
            "schema_version": 1,
            "reading": list(READING),
            "bootstrap_replicates": REPLICATES,
            "runs": list(self.provenance),
            "tables": {table.name: table.to_json() for table in self.tables},
        }


def build_board(run_folders: list[Path]) -> Board:
    """Build the board of one or several runs from their records and predictions; nothing is trained.

    Cells that failed or never ran leave their numbers empty and are listed with their reasons.

    Raises:
        UsageError: no folder, or one that holds no run.
        BenchError: a record or a predictions file is damaged or missing.
    """
    views = open_runs(run_folders)
    runs = [RunScores(view) for view in views]
    tables = [
        main_table(runs),
        tests_table(runs),
        synthetic_table(runs),
        unmatched_table(runs),
        dose_table(runs),
        centers_table(runs),
        matched_table(runs),
        *class_tables(runs),
        readings_table(runs),
        reliability_table(runs),
        gap_table(runs),
        other_tracks_table(runs),
        *paper_tables(runs),
        *fidelity_tables(views),
        *memorisation_tables(views),
        costs_table(views),
        tracks_table(views),
        faults_table(views),
    ]
    lines = tuple(line for view in views for line in provenance_lines(view))
    return Board(tuple(tables), tuple(provenance(view) for view in views), lines)


def write_board(board: Board, out: Path, formats: Sequence[str] = FORMATS) -> list[Path]:
    """Write `leaderboard.md`, `leaderboard.json` and one `<table>.csv` per table into `out`.

    Returns:
        The files written, in that order.

    Raises:
        UnknownNameError: a format is none of `FORMATS`.
    """
    for name in formats:
        if name not in FORMATS:
            raise UnknownNameError("format", name, FORMATS)
    texts: dict[str, str] = {}
    if "md" in formats:
        texts["leaderboard.md"] = board.markdown()
    if "json" in formats:
        texts["leaderboard.json"] = json.dumps(board.to_json(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    if "csv" in formats:
        texts |= {f"{table.name}.csv": table.frame().to_csv(index=False, lineterminator="\n") for table in board.tables}
    out.mkdir(parents=True, exist_ok=True)
    return [_write(out / name, text) for name, text in texts.items()]


def _write(path: Path, text: str) -> Path:
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    scratch.write_text(text, encoding="utf-8")
    scratch.replace(path)
    return path
