"""From a run to what people open: the board, the sample grids, and the records that both were made from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from benchmark.leaderboard import FORMATS, Board, build_board, write_board, write_plots
from benchmark.pictures import FREE_PROTOCOLS, real_images, write_sample_grids
from benchmark.protocol import load_protocol
from benchmark.runs import read_run, run_records, run_store

RECORDS = "records.jsonl"


def publish(
    folder: Path, out: Path, say: Callable[[str], None], *, private: bool, formats: Sequence[str] = FORMATS
) -> Board:
    """Write board, plots, pictures and records of one run into `out`; everything is rebuilt from records and images.

    Args:
        folder: the run.
        out: folder to write to.
        say: told what was left out of a picture, and why.
        formats: of the board's tables.
        private: also draw pictures that hold images of a cohort under licence, into `out/private`, which git ignores.
    """
    board = build_board([folder])
    write_board(board, out, formats)
    write_plots(board, out)
    run = read_run(folder)
    lines = [record.model_dump_json() for record, _ in run_records(run, run_store(folder))]
    (out / RECORDS).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    real = None
    if private or run.protocol.name in FREE_PROTOCOLS:
        real = real_images(load_protocol(run.protocol.name, int(run.profile["image_size"])).adaptation)
    for note in write_sample_grids(folder, out, real).notes:
        say(note)
    return board
