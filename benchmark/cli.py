"""The command line: one verb, one function. Standard output is data, standard error is talk.

Exit codes: 0 done, 1 some cells failed, 2 usage, 3 gate failed.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmark import __version__, cli_check, cli_containers, cli_gate, cli_tables
from benchmark.console import (
    DATA,
    Json,
    Offline,
    RunProgress,
    duration,
    phases,
    print_json,
    say,
    show_listing,
    show_table,
)
from benchmark.errors import BenchError, UsageError

if TYPE_CHECKING:
    from benchmark.execution.planner import Recompute
    from benchmark.profile import Profile
    from benchmark.session import Session

app = typer.Typer(
    name="fulora-bench",
    help="Benchmark of synthetic fetal ultrasound: fidelity, and zero-shot (cross-cohort) utility.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

RUNS = Path("results/runs")
_BOARD_WIDTH = 150
"""Columns of a terminal that the leaderboard needs; a narrower one, or a pipe, gets Markdown."""


def main() -> None:
    """Entry point: errors that a user can mend become one message and their exit code."""
    try:
        app()
    except BenchError as error:
        say(f"error: {error}")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        say("interrupted: the same command goes on where it stopped")
        sys.exit(130)


@app.callback(invoke_without_command=True)
def version(
    show: Annotated[bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)] = False,
) -> None:
    """Print the version."""
    if show:
        print(__version__)
        raise typer.Exit


@app.command("list")
def list_(
    kind: Annotated[
        str | None,
        typer.Argument(help="methods, cohorts, protocols, profiles, metrics, extractors or backbones"),
    ] = None,
    as_json: Json = False,
) -> None:
    """List what there is."""
    from benchmark.catalog import listing

    found = listing(kind)
    if as_json:
        print_json(found)
    else:
        show_listing(found)


@app.command()
def info(name: Annotated[str, typer.Argument(help="any name that `list` shows")], as_json: Json = False) -> None:
    """Show one thing in full."""
    import yaml

    from benchmark.catalog import describe

    found = json.loads(json.dumps(describe(name), default=str))
    if as_json:
        print_json(found)
    else:
        print(yaml.safe_dump(found, sort_keys=False, allow_unicode=True, width=110), end="")


@app.command()
def doctor(as_json: Json = False) -> None:
    """Tell what this machine can do."""
    import yaml

    from benchmark.doctor import examine

    found = examine()
    if as_json:
        print_json(found)
    else:
        print(yaml.safe_dump(found, sort_keys=False, width=110), end="")


@app.command()
def prepare(
    names: Annotated[list[str], typer.Argument(help="cohorts, `base`, or a hub model owner/name@revision")],
    source: Annotated[Path | None, typer.Option("--from", help="A folder or archive in the published layout.")] = None,
    offline: Offline = False,
    as_json: Json = False,
) -> None:
    """Verify, index and cache cohorts or models."""
    from benchmark.cohorts.registry import prepare as prepare_cohort
    from benchmark.models import is_model_name, prepare_base_model

    if source is not None and (len(names) > 1 or is_model_name(names[0])):
        raise UsageError("--from goes with one cohort; a base model is named by its folder: --set base_model=FOLDER.")
    reports: list[dict[str, Any]] = []
    for name in names:
        if is_model_name(name):
            model = prepare_base_model("embedded" if name == "base" else name, offline=offline, say=say)
            reports.append({"name": model.name, "sha256": model.sha256, "pretraining": model.pretraining})
            continue
        with phases() as progress:
            report = prepare_cohort(name, source, offline, progress)
        reports.append(asdict(report))
        for note in report.notes:
            say(f"{name}: {note}")
    if as_json:
        print_json(reports)
    else:
        for entry in reports:
            show_table(
                ("", entry["name"]),
                [(key, _brief(value)) for key, value in entry.items() if key not in {"name", "notes"}],
            )


@app.command()
def export(
    cohort: Annotated[str, typer.Argument(help="a cohort's name")],
    out: Annotated[Path, typer.Option("--out", help="An empty or new folder.")],
    size: Annotated[int, typer.Option(help="Side of the images in pixels.")] = 64,
    images: Annotated[int | None, typer.Option(help="Phantom only: number of images.")] = None,
    draw: Annotated[int, typer.Option(help="Phantom only: number of the draw; draws share no patient.")] = 0,
    seed: Annotated[int, typer.Option(help="Phantom only: seed.")] = 0,
) -> None:
    """Write a cohort out as a folder `<label>/<image>.png` with a manifest."""
    from benchmark.cohorts.export import export_cohort
    from benchmark.cohorts.registry import COHORTS, cohort_info, load_cohort, phantom_cohort

    is_phantom = cohort_info(cohort).kind == "phantom"
    if not is_phantom and (images is not None or draw or seed):
        drawn = ", ".join(name for name, entry in COHORTS.items() if entry.kind == "phantom")
        raise UsageError(f"--images, --draw and --seed are for drawn cohorts: {drawn}.")
    with phases() as progress:
        found = phantom_cohort(cohort, size, seed, images, draw) if is_phantom else load_cohort(cohort, size)
        manifest = export_cohort(found, out, progress)
    say(f"{len(found)} images of {cohort} written")
    print(manifest)


@app.command()
def run(
    profile: Annotated[str, typer.Argument(help="a profile's name, or a YAML file")] = "phantom",
    sets: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a profile key.")
    ] = None,
    methods: Annotated[
        list[str] | None, typer.Option("--method", help="Only this method (name or folder); repeatable.")
    ] = None,
    seeds: Annotated[int | None, typer.Option("--seeds", help="Number of repetitions.")] = None,
    recompute: Annotated[str, typer.Option(help="missing, all or none")] = "missing",
    launcher: Annotated[
        str | None, typer.Option(help="How cells are started: process, podman, docker, apptainer or auto.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="The run's folder (default results/runs/PROFILE).")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the cells, hit or miss, and why; run nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Run a profile's matrix, resume what is missing, and publish its leaderboard."""
    from benchmark.session import open_session

    chosen = _profile(profile, sets or [], methods or [], seeds, launcher)
    folder = out or RUNS / chosen.name
    with phases() as progress:
        session = open_session(chosen, folder, _recompute(recompute), progress)
    for note in session.notes:
        say(note)
    if dry_run:
        _print_plan(session, as_json)
        return
    with RunProgress() as listener:
        outcome = session.start(listener)
    say(f"run finished in {duration(outcome.seconds)}: {outcome.hits} cells kept, {sum(outcome.statuses.values())} run")
    _publish(folder, as_json)
    if not outcome.complete:
        say("some cells did not end ok; the board tells why. The same command tries them again.")
        raise typer.Exit(1)


def _profile(name: str, sets: list[str], methods: list[str], seeds: int | None, launcher: str | None) -> Profile:
    from benchmark.profile import load_profile

    extra = [f"repetitions={seeds}"] if seeds is not None else []
    extra += [f"execution.launcher={launcher}"] if launcher is not None else []
    return load_profile(name, [*sets, *extra], methods)


def _recompute(word: str) -> Recompute:
    if word not in ("missing", "all", "none"):
        raise UsageError(f"--recompute {word}: use missing, all or none.")
    return word  # type: ignore[return-value]


def _print_plan(session: Session, as_json: bool) -> None:
    rows = [(cell, session.planner.decide(cell)) for cell in session.planner.cells]
    if as_json:
        print_json([{"cell": c.model_dump(), "state": d.state, "why": d.why, "key": d.key} for c, d in rows])
        return
    words = {"hit": "hit", "run": "miss", "waits": "miss"}
    for cell, choice in rows:
        print(f"{words.get(choice.state, choice.state):5} {cell.title}: {choice.why}")


def _publish(folder: Path, as_json: bool) -> None:
    from benchmark.publish import publish

    board = publish(folder, folder / "leaderboard", say, private=True)
    if as_json:
        print_json(board.to_json())
        return
    main_table = board.tables[0]
    frame = main_table.display()
    if DATA.is_terminal and DATA.width >= _BOARD_WIDTH:
        show_table([str(column) for column in frame.columns], frame.to_numpy().tolist(), title=main_table.title)
    else:
        print(main_table.to_markdown())
    say(f"leaderboard: {folder / 'leaderboard' / 'leaderboard.md'}")


@app.command()
def status(
    run: Annotated[Path, typer.Argument(help="a run's folder")] = RUNS / "phantom", as_json: Json = False
) -> None:
    """Count a run's cells by status, with the time left."""
    from benchmark.progress import progress_of

    found = progress_of(run)
    if as_json:
        print_json(asdict(found))
        return
    show_table(("kind", *found.columns), [[kind, *counts.values()] for kind, counts in found.cells.items()])
    for line in found.faults:
        say(line)
    say(f"about {duration(found.seconds_left)} of work left" if found.seconds_left else "nothing left to do")


def _brief(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {count}" for name, count in value.items())
    return str(value)


for verb in (
    cli_tables.score,
    cli_tables.fidelity,
    cli_tables.leaderboard,
    cli_gate.compare,
    cli_gate.gate,
    cli_check.check,
):
    app.command()(verb)
app.add_typer(cli_containers.app, name="containers")


if __name__ == "__main__":
    main()
