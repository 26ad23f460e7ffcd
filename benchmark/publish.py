"""From a run to what people open: the board and the sample grids."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchmark.leaderboard import Board, build_board, write_board
from benchmark.pictures import real_by_class, write_sample_grids
from benchmark.protocol import load_protocol
from benchmark.runs import read_run


def publish(folder: Path, out: Path, say: Callable[[str], None]) -> Board:
    """Write the board and the pictures of a run into `out`; everything is rebuilt from records and images.

    Pictures that hold images of a cohort under licence go to `out/private`, which git ignores.
    """
    board = build_board([folder])
    write_board(board, out)
    run = read_run(folder)
    protocol = load_protocol(run.protocol.name, int(run.profile["image_size"]))
    grids = write_sample_grids(folder, out, real_by_class(protocol.adaptation))
    for note in grids.notes:
        say(note)
    return board
