"""Plots of a board: the gains with their intervals, and the dose-response. Equal boards give equal bytes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmark.leaderboard.board import Board
from benchmark.leaderboard.dose_tables import ALL
from benchmark.leaderboard.tables import Estimate, Table, Value
from benchmark.leaderboard.views import UPPER_REFERENCE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GAINS = "gains.png"
DOSE = "dose-response.png"
_DPI = 150
_MOST_COLUMNS = 2
"""Forests side by side; more go below."""

_INK, _FAINT, _GRID = "#1a1a1a", "#8a8a8a", "#dddddd"
_RANKED, _UPPER = "#0072b2", "#d55e00"

Row = Mapping[str, Value]
_BLOCK = ("run", "track", "backbone", "augmentation")


def write_plots(board: Board, out: Path) -> list[Path]:
    """Write `gains.png`, and `dose-response.png` where there is one, into `out`; returns what was written."""
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for name, figure in ((GAINS, gains_figure(board.table("main"))), (DOSE, dose_figure(board.table("dose_response")))):
        if figure is not None:
            written.append(_save(figure, out / name))
    return written


def gains_figure(table: Table) -> Figure | None:
    """A forest plot of the primary column, one panel for each backbone and augmentation; `None` without any gain."""
    blocks = _blocks(table.rows)
    if not any(_drawn(row) for rows in blocks.values() for row in rows):
        return None
    columns = min(_MOST_COLUMNS, len(blocks))
    lines = [list(blocks.items())[start : start + columns] for start in range(0, len(blocks), columns)]
    heights = [0.34 * max(len(rows) for _, rows in line) + 0.9 for line in lines]
    figure, panels = _figure(len(lines), columns, 4.4 * columns + 1.6, sum(heights) + 0.8, heights)
    low, high = _limits([row["gain"] for rows in blocks.values() for row in rows], quiet=2.0)
    for axes in panels.flat[len(blocks) :]:
        axes.set_axis_off()
    for axes, (title, rows) in zip(panels.flat, blocks.items(), strict=False):
        _forest(axes, rows, (low, high))
        axes.set_title(_title(title, blocks), loc="left", fontsize=10, color=_INK)
    figure.supxlabel(
        "gain in accuracy over real images with balanced sampling, points of percent (95 % intervals)", fontsize=9
    )
    return figure


def dose_figure(table: Table) -> Figure | None:
    """Gain against synthetic images per class: a line of panels for each method, a panel for each number of real
    images, with the band of the method's own curve; the other methods' curves are grey. `None` without a dose-response.
    """
    blocks = _blocks([row for row in table.rows if row["mix"] == "real+synthetic" and _drawn(row)])
    if not blocks:
        return None
    reals = sorted({str(row["real_per_class"]) for rows in blocks.values() for row in rows}, key=_number)
    lines = [
        (block, method) for block, rows in blocks.items() for method in dict.fromkeys(_method(row) for row in rows)
    ]
    figure, panels = _figure(len(lines), len(reals), 2.2 * len(reals) + 1.0, 2.1 * len(lines) + 0.8)
    limits = _limits([row["gain"] for rows in blocks.values() for row in rows], quiet=1.2)
    for place, (block, method) in enumerate(lines):
        for real, axes in zip(reals, panels[place], strict=True):
            rows = [row for row in blocks[block] if row["real_per_class"] == real]
            _curves(axes, rows, method, limits)
            if not place:
                axes.set_title(f"{real} real images per class", loc="left", fontsize=9, color=_INK)
            if real != reals[0]:
                axes.set_yticklabels([])
        flagged = any(not row["ranked"] for row in blocks[block] if _method(row) == method)
        told = (method, "(not ranked)" if flagged else "", _title(block, blocks))
        panels[place][0].set_ylabel("\n".join(filter(None, told)), fontsize=9, color=_INK)
    others = "; grey: the other methods" if len(lines) > len(blocks) else ""
    figure.supxlabel(f"synthetic images per class (square-root scale){others}", fontsize=9)
    figure.supylabel("gain over real images alone, points of percent (95 % bands)", fontsize=9)
    return figure


def _forest(axes: Axes, rows: Sequence[Row], limits: tuple[float, float]) -> None:
    upper = [row["mix"] == UPPER_REFERENCE for row in rows]
    heights = [-place - 0.5 * last for place, last in enumerate(upper)]
    axes.set_xlim(*limits)
    axes.axvline(0, color=_INK, linewidth=0.8, zorder=1)
    for row, height, last in zip(rows, heights, upper, strict=True):
        gain = row["gain"]
        if not isinstance(gain, Estimate):
            continue
        colour = _UPPER if last else _RANKED if row["ranked"] else _FAINT
        if gain.value is None:
            note = "control" if gain.text else "no result"
            axes.plot([0] if gain.text else [], [height] if gain.text else [], "D", color=_INK, markersize=5, zorder=3)
            axes.annotate(note, (0, height), (6, 0), textcoords="offset points", va="center", fontsize=8, color=_INK)
        else:
            _interval(axes, gain, height, colour, hollow=last or not row["ranked"])
        said = str(row.get("ties") or ("" if last else "not ranked"))
        axes.annotate(
            said,
            (1.0, height),
            (4, 0),
            ("axes fraction", "data"),
            "offset points",
            va="center",
            fontsize=8,
            color=colour if row["ranked"] else _FAINT,
        )
    axes.set_yticks(heights, [str(row["trained_on"]).replace(" (", "\n(") for row in rows], fontsize=8)
    axes.set_ylim(min(heights) - 0.7, 0.7)
    axes.grid(axis="x", color=_GRID, linewidth=0.6)
    axes.annotate("ties", (1.0, 1.0), (4, 4), "axes fraction", "offset points", fontsize=8, color=_FAINT)


def _interval(axes: Axes, gain: Estimate, height: float, colour: str, hollow: bool) -> None:
    """Point and interval; an end that lies outside the panel becomes an arrow."""
    if gain.low is not None and gain.high is not None:
        left, right = axes.get_xlim()
        inset = 0.02 * (right - left)
        low, high = max(gain.low, left + inset), min(gain.high, right - inset)
        axes.plot([low, high], [height, height], color=colour, linewidth=1.8, solid_capstyle="butt", zorder=2)
        ends = ((gain.low < low, low, "<"), (gain.high > high, high, ">"))
        for cut, where, marker in ends:
            if cut:
                axes.plot([where], [height], marker, color=colour, markersize=5, zorder=3)
    face = "white" if hollow else colour
    axes.plot([gain.value], [height], "o", color=colour, markerfacecolor=face, markersize=6, zorder=4)


def _curves(axes: Axes, rows: Sequence[Row], method: str, limits: tuple[float, float]) -> None:
    """The curves of all methods at one number of real images: that of `method` in colour, with its band."""
    axes.axhline(0, color=_INK, linewidth=0.8)
    for name in sorted({_method(row) for row in rows}, key=lambda name: name == method):
        own = sorted((row for row in rows if _method(row) == name), key=_synthetic)
        gains = [row["gain"] for row in own if isinstance(row["gain"], Estimate)]
        # Without synthetic images a row is its own control: every line starts at 0.
        x = [0, *(_synthetic(row) for row in own)]
        y = [0.0, *(float(gain.value or 0.0) for gain in gains)]
        if name != method:
            axes.plot(x, y, "-", color=_FAINT, linewidth=1.0, zorder=2)
            continue
        colour = _RANKED if all(row["ranked"] for row in own) else _UPPER
        low = [0.0, *(_or(gain.low, gain.value) for gain in gains)]
        high = [0.0, *(_or(gain.high, gain.value) for gain in gains)]
        axes.fill_between(x, low, high, color=colour, alpha=0.18, linewidth=0, zorder=1)
        axes.plot(x, y, "-o", color=colour, linewidth=1.8, markersize=4, zorder=3)
    ticks = sorted({0, *(_synthetic(row) for row in rows)})
    axes.set_xscale("function", functions=(_root, np.square))
    axes.set_xlim(-0.001, 1.06 * max(ticks, default=1))
    axes.set_xticks(ticks, [str(tick) for tick in ticks], fontsize=8)
    axes.set_ylim(*limits)
    axes.grid(axis="y", color=_GRID, linewidth=0.6)


def _limits(gains: Sequence[Value], quiet: float) -> tuple[float, float]:
    """The span of the values and of usual intervals: one that is `quiet` half-widths longer than usual is cut."""
    known = [gain for gain in gains if isinstance(gain, Estimate) and gain.value is not None]
    values = [float(gain.value or 0.0) for gain in known] or [0.0]
    halves = [(gain.high - gain.low) / 2 for gain in known if gain.low is not None and gain.high is not None]
    room = quiet * median(halves) if halves else 1.0
    ends = [gain.low for gain in known if gain.low is not None] + [gain.high for gain in known if gain.high is not None]
    low = max(min([*values, 0.0]) - room, min([*ends, *values, 0.0]))
    high = min(max([*values, 0.0]) + room, max([*ends, *values, 0.0]))
    margin = 0.04 * (high - low) or 1.0
    return low - margin, high + margin


def _blocks(rows: Sequence[Row]) -> dict[tuple[str, ...], list[Row]]:
    found: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        found.setdefault(tuple(str(row[name]) for name in _BLOCK), []).append(row)
    return found


def _title(block: tuple[str, ...], blocks: Mapping[tuple[str, ...], Any]) -> str:
    """What tells a block from the others; nothing where there is one alone."""
    differing = [place for place in range(len(block)) if len({other[place] for other in blocks}) > 1]
    named = {"augmentation": "augmentation "}
    return ", ".join(named.get(_BLOCK[place], "") + block[place] for place in differing)


def _drawn(row: Row) -> bool:
    gain = row["gain"]
    return isinstance(gain, Estimate) and gain.value is not None


def _method(row: Row) -> str:
    return str(row["method"])


def _number(real: str) -> float:
    return float("inf") if real == ALL else float(real)


def _synthetic(row: Row) -> int:
    value = row["synthetic_per_class"]
    return value if isinstance(value, int) else 0


def _or(bound: float | None, value: float | None) -> float:
    return float((value if bound is None else bound) or 0.0)


def _root(values: Any) -> Any:
    return np.sqrt(np.maximum(values, 0))


def _figure(
    lines: int, columns: int, width: float, height: float, heights: Sequence[float] | None = None
) -> tuple[Figure, Any]:
    """A figure that no window ever shows, and its panels (lines, columns); `heights` are those of the lines."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=_DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    panels = figure.subplots(lines, columns, squeeze=False, sharey=False, height_ratios=heights)
    for axes in panels.flat:
        axes.tick_params(length=0, labelsize=8, colors=_INK)
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
        axes.spines["bottom"].set_color(_GRID)
    return figure, panels


def _save(figure: Figure, path: Path) -> Path:
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    figure.savefig(scratch, format="png", metadata={"Software": None})
    scratch.replace(path)
    return path
