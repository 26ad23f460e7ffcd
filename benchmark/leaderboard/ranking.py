"""Tables whose order is a ranking: which rows stand in it, which stand below it and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from benchmark.leaderboard.tables import Column, Estimate, Table, Value
from benchmark.leaderboard.views import COPY_LIMIT, RunView

Row = dict[str, Value]

WHERE = (
    Column("run", "run", optional=True),
    Column("track", "track", "the target images that are tested on", optional=True),
    Column("backbone", "backbone", "the classifier", optional=True),
    Column("augmentation", "augmentation", optional=True),
)
STATUS = Column("status", "status")
COPIED = (
    f"copies: more than {100 * COPY_LIMIT:g} % of the samples of a repetition (the largest share is shown) are "
    "near-copies of training images. Such a method gives real images back, so it is shown and never ranked."
)


def ranking(views: Iterable[RunView], table: Table) -> Table:
    """The table in the order of accuracy; where a row is not ranked, the status that says why is shown beside it."""
    views = list(views)
    columns, notes = table.columns, table.notes
    if has_unranked(views) and STATUS not in columns:
        columns = (*columns, STATUS)
    if any(view.copied(str(row["method"])) for view in views for row in table.rows if row["run"] == view.label):
        notes = (*notes, COPIED)
    return replace(table, columns=columns, rows=_sorted(table.rows), notes=notes)


def has_unranked(views: Iterable[RunView]) -> bool:
    """Whether a method of these runs stands on the board without a rank."""
    return any(not view.rankable(method) for view in views for method in view.run.methods)


def _sorted(rows: tuple[Mapping[str, Value], ...]) -> tuple[Mapping[str, Value], ...]:
    """Ranked rows by accuracy, best first, then the unranked by name; runs, tracks and classifiers stay together."""

    def order(row: Mapping[str, Value]) -> tuple[object, ...]:
        accuracy = row.get("accuracy")
        value = accuracy.value if isinstance(accuracy, Estimate) else None
        ranked = bool(row.get("ranked")) and value is not None
        where = tuple(str(row[column.key]) for column in WHERE)
        return (*where, not ranked, -(value or 0.0) if ranked else 0.0, str(row["method"]))

    return tuple(sorted(rows, key=order))
