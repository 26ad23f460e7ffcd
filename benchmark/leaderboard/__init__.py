"""From records and stored predictions to tables for people and programs."""

from benchmark.leaderboard.board import FORMATS, Board, build_board, write_board
from benchmark.leaderboard.plots import write_plots
from benchmark.leaderboard.tables import Column, Estimate, Table

__all__ = ["FORMATS", "Board", "Column", "Estimate", "Table", "build_board", "write_board", "write_plots"]
