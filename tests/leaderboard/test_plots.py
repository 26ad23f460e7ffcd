"""Plots of a board: which there are, that equal boards give equal bytes, and what is drawn."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from benchmark.leaderboard import build_board, write_plots
from benchmark.leaderboard.plots import dose_figure, gains_figure
from tests.leaderboard.fake_run import METHODS, FakeRun


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return FakeRun(tmp_path_factory.mktemp("plots"), upper=0.97, doses=((5, 0), (10, 30))).write()


def test_equal_boards_give_equal_bytes_without_a_version_in_them(folder: Path, tmp_path: Path):
    first = write_plots(build_board([folder]), tmp_path / "a")
    second = write_plots(build_board([folder]), tmp_path / "b")
    assert [path.name for path in first] == ["gains.png", "dose-response.png"]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    for path in first:
        with Image.open(path) as picture:
            assert "Software" not in picture.info


def test_the_forest_plot_names_every_row_in_the_order_of_the_board(folder: Path):
    table = build_board([folder]).table("main")
    figure = gains_figure(table)
    assert figure is not None
    names = [label.get_text().replace("\n", " ") for label in figure.axes[0].get_yticklabels()]
    assert names == [row["trained_on"] for row in table.rows]
    said = {text.get_text() for text in figure.axes[0].texts}
    assert {"control", "no result", "not ranked"} < said


def test_the_dose_response_has_a_panel_for_each_method_and_number_of_real_images(folder: Path):
    table = build_board([folder]).table("dose_response")
    figure = dose_figure(table)
    assert figure is not None
    synthetic = [row for row in table.rows if row["mix"] == "real+synthetic" and row["gain"].value is not None]
    methods = {str(row["method"]) for row in synthetic}
    reals = {str(row["real_per_class"]) for row in synthetic}
    assert len(figure.axes) == len(methods) * len(reals)
    first = figure.axes[:: len(reals)]
    assert {axes.get_ylabel().split("\n")[0] for axes in first} == methods
    for axes in first:
        method = axes.get_ylabel().split("\n")[0]
        [own] = [line for line in axes.lines if line.get_marker() == "o"]
        gains = [row["gain"].value for row in synthetic if (row["method"], row["real_per_class"]) == (method, "5")]
        assert list(own.get_ydata()) == [0.0, *gains]


def test_without_doses_or_gains_there_is_no_plot_of_them(tmp_path: Path):
    plain = FakeRun(tmp_path / "plain", methods=METHODS[:3]).write()
    assert [path.name for path in write_plots(build_board([plain]), tmp_path / "out")] == ["gains.png"]
    alone = FakeRun(tmp_path / "alone", methods=METHODS[:2], controls=("",)).write()
    assert write_plots(build_board([alone]), tmp_path / "none") == []
