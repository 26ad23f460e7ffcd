"""The verbs that hold one run against another, and against the figures that it must not fall behind."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.console import DATA, Json, print_json, say, show_table
from benchmark.errors import UnknownNameError, UsageError

if TYPE_CHECKING:
    from benchmark.gate import Snapshot

SUMMARY = "GITHUB_STEP_SUMMARY"
"""GitHub names in it the file whose Markdown it shows on the page of a job."""


def compare(
    a: Annotated[str, typer.Argument(metavar="A", help="a run's folder, or FOLDER:METHOD")],
    b: Annotated[str, typer.Argument(metavar="B", help="the run that is held against it")],
    form: Annotated[str, typer.Option("--format", help="table or md")] = "table",
    as_json: Json = False,
) -> None:
    """Differences B - A of two runs, or of two methods, paired by image, patient and repetition."""
    from benchmark.gate import compare as compare_runs
    from benchmark.gate import open_side
    from benchmark.gate.report import comparison_grids, comparison_markdown, comparison_notes

    if form not in ("table", "md"):
        raise UnknownNameError("format", form, ("table", "md"))
    found = compare_runs(open_side(a), open_side(b))
    if as_json:
        print_json(found.to_json())
    elif form == "md":
        DATA.print(comparison_markdown(found), markup=False, soft_wrap=True)
    else:
        for note in comparison_notes(found):
            say(note)
        for grid in comparison_grids(found):
            show_table(grid.columns, grid.rows, title=grid.title)


def gate(
    run: Annotated[Path, typer.Argument(help="a run's folder")],
    baseline: Annotated[Path, typer.Option("--baseline", help="The gate file; it is written if there is none.")],
    update: Annotated[
        bool, typer.Option("--update", help="Take this run's numbers into the file; tolerances stay.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Fail (exit 3) where a run is worse than its baseline by more than the tolerance and beyond chance."""
    from benchmark.gate import Baseline, check_same, judge, left_out, read_baseline, take, write_baseline
    from benchmark.gate.report import gate_lines, gate_markdown

    found = take(run)
    if not baseline.exists():
        _measured(found, run)
        write_baseline(baseline, Baseline(found))
        _written(baseline, as_json, f"there was no baseline: {baseline} is written from {run}", left_out(found))
        return
    known = read_baseline(baseline)
    if update:
        _measured(found, run)
        write_baseline(baseline, known.updated(found))
        told = f"{baseline} has the numbers of {run}; its tolerances are kept"
        _written(baseline, as_json, told, left_out(found, known.snapshot))
        return
    check_same(found, known, baseline)
    report = judge(found, known)
    for line in gate_lines(report):
        say(line)
    page = gate_markdown(report)
    if as_json:
        print_json(report.to_json())
    else:
        DATA.print(page, markup=False, soft_wrap=True)
    if os.environ.get(SUMMARY):
        with Path(os.environ[SUMMARY]).open("a", encoding="utf-8") as stream:
            stream.write(page + "\n")
    if not report.passed:
        say(f"if this is meant: fulora-bench gate {run} --baseline {baseline} --update")
        raise typer.Exit(3)


def _measured(found: Snapshot, run: Path) -> None:
    """A baseline of nothing would pass everything."""
    if not found.has_gated:
        raise UsageError(f"{run} has no result that is gated, so it is no baseline. See: fulora-bench status {run}")


def _written(path: Path, as_json: bool, told: str, lost: Mapping[str, str]) -> None:
    say(told)
    for name, why in lost.items():
        say(f"not in the baseline: {name}: {why}")
    if as_json:
        print_json({"written": str(path), "not_in_it": lost})
