"""The verbs that need no run: scores of anybody's predictions, fidelity of anybody's folders, boards from records."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from benchmark.console import DATA, Json, Offline, phases, print_json, say, show_table
from benchmark.errors import UnknownNameError, UsageError


def score(
    predictions: Annotated[Path, typer.Argument(help="predictions.csv")],
    protocol: Annotated[str, typer.Option(help="suite-v1 or paper-2407.20072")] = "suite-v1",
    replicates: Annotated[int, typer.Option(help="Resamplings of the clusters; 0 gives no intervals.")] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of the resampling.")] = 0,
    as_json: Json = False,
) -> None:
    """Compute metrics with intervals from anybody's predictions: in all, per class, per centre."""
    from benchmark.score_tables import score_tables
    from benchmark.utility.predictions import read_predictions
    from benchmark.utility.scores import score as score_predictions

    result = score_predictions(read_predictions(predictions), protocol, replicates, seed)
    if as_json:
        print_json(result.to_json())
        return
    for table in score_tables(result):
        show_table(table.columns, table.rows, title=table.title)
        for note in table.notes:
            say(f"note: {note}")
    for reason in dict.fromkeys(result.reasons.values()):
        names = ", ".join(name for name, given in result.reasons.items() if given == reason)
        say(f"note: no {names}: {reason}")


def fidelity(
    real: Annotated[Path, typer.Argument(help="folder of real images")],
    synthetic: Annotated[Path, typer.Argument(help="folder of synthetic images")],
    extractor: Annotated[str, typer.Option(help="ultrasound, inception, dinov2, or module:attribute")] = "ultrasound",
    weights: Annotated[Path | None, typer.Option(help="The extractor's weights file.")] = None,
    size: Annotated[int | None, typer.Option(help="Resize all images to this side first.")] = None,
    patients: Annotated[
        Path | None, typer.Option(help="CSV of the real images: file (path below REAL), patient_id.")
    ] = None,
    replicates: Annotated[int, typer.Option(min=0, help="Replicates of the intervals; 0 leaves them out.")] = 500,
    offline: Offline = False,
    device: Annotated[str, typer.Option(help="torch device")] = "cpu",
    as_json: Json = False,
) -> None:
    """Compute FID, KID and more of two folders of anybody's images."""
    from benchmark.fidelity.evaluate import FidelityOptions, ImageSet
    from benchmark.fidelity.evaluate import fidelity as measure
    from benchmark.fidelity.extractors import load_extractor
    from benchmark.fidelity.images import folder_labels, read_folder, read_patients

    clusters = None if patients is None else read_patients(patients, real)
    network = load_extractor(extractor, weights, offline, device)
    sets = [
        ImageSet(read_folder(folder, size), folder_labels(folder), of_folder)
        for folder, of_folder in ((real, clusters), (synthetic, None))
    ]
    with phases() as progress:
        options = FidelityOptions(replicates=replicates)
        result = measure(sets[0], sets[1], network, options, lambda done, total: progress("features", done, total))
    for warning in result.warnings:
        say(f"note: {warning}")
    found = result.to_json()
    if as_json:
        print_json(found)
        return
    title = f"{found['extractor']}: {found['n_real']} real, {found['n_synthetic']} synthetic images"
    show_table(
        ("metric", "value", "95 % interval", "better", "real vs real", "ratio"),
        [_fidelity_row(name, metric) for name, metric in found["metrics"].items()],
        title=title,
    )
    for name, metric in found["metrics"].items():
        if told := _fidelity_notes(metric):
            say(f"{name}: {told}")
    say(f"compare only with: {found['comparability']}")


def _fidelity_notes(metric: dict[str, Any]) -> str:
    notes = [metric.get("reason"), metric.get("ratio_reason")]
    if "subset_size" in metric:
        notes.append(f"std {_number(metric['std'])} over subsets of {metric['subset_size']}")
    if "floor_n" in metric:
        notes.append(f"floor and ratio at n = {metric['floor_n']}, halves of the real folder")
    if "r_squared" in metric:
        notes.append(f"n = {metric['n_low']} to {metric['n_high']}, R² {metric['r_squared']:.3f}")
    if "k" in metric:
        notes.append(f"k = {metric['k']}")
    return "; ".join(filter(None, notes))


def _fidelity_row(name: str, metric: dict[str, Any]) -> tuple[str, ...]:
    interval = f"[{_number(metric['ci_low'])}, {_number(metric['ci_high'])}]" if "ci_low" in metric else ""
    return (
        name,
        _number(metric["value"]),
        interval,
        metric["direction"],
        _number(metric.get("floor")),
        _number(metric.get("ratio")),
    )


def leaderboard(
    runs: Annotated[list[Path], typer.Argument(help="folders of runs")],
    formats: Annotated[str, typer.Option("--format", help="md, csv, json; comma-separated")] = "md,csv,json",
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder to write to; without it Markdown is printed.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make the leaderboard from records; of one run, `--out` adds its records and the publishable sample grids."""
    from benchmark.leaderboard import FORMATS, build_board, write_board, write_plots
    from benchmark.publish import publish

    chosen = tuple(formats.split(","))
    for name in chosen:
        if name not in FORMATS:
            raise UnknownNameError("format", name, FORMATS)
    if out is not None and len(runs) == 1:
        board = publish(runs[0], out, say, private=False, formats=chosen)
    else:
        board = build_board(runs)
        if out is not None:
            write_board(board, out, chosen)
            write_plots(board, out)
    if out is not None:
        say(f"written to {out}")
    if as_json:
        print_json(board.to_json())
    elif out is None:
        if chosen not in (FORMATS, ("md",)):
            raise UsageError("without --out the board is printed as Markdown, or with --json as JSON; give --out DIR.")
        DATA.print(board.markdown(), markup=False, soft_wrap=True)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}" if abs(value) < 1000 else f"{value:.1f}"
