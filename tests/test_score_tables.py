from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmark.score_tables import Shown, score_tables
from benchmark.utility.predictions import prediction_frame
from benchmark.utility.scores import score


def _frame(centers: list[str]) -> pd.DataFrame:
    labels = ["abdomen", "brain"] * 4
    names = [f"i{place}" for place in range(8)]
    identity = pd.DataFrame({"image_id": names, "patient_id": names, "center": centers})
    return prediction_frame(identity, labels, np.eye(5)[[1, 2, 1, 2, 1, 1, 1, 1]])


def _tables(frame: pd.DataFrame, protocol: str = "suite-v1") -> list[Shown]:
    return list(score_tables(score(frame, protocol, replicates=100)))


@pytest.fixture
def tables() -> list[Shown]:
    return _tables(_frame(["Ghana"] * 4 + ["Malawi"] * 4))


def test_every_row_has_a_cell_for_every_column(tables: list[Shown]) -> None:
    assert [table.title.split(",")[0] for table in tables] == [
        "suite-v1: 8 images",
        "per class",
        "per centre",
        "per centre",
        "between centres",
    ]
    for table in tables:
        assert table.rows
        assert {len(row) for row in table.rows} == {len(table.columns)}, table.title


def test_an_undefined_value_is_a_dash_and_its_reason_stands_below_once(tables: list[Shown]) -> None:
    classes = tables[1]
    assert classes.rows[0] == ["other", "0", "0", "-", "-", "-", "-"]
    assert classes.notes.count("other: no image is other") == 1
    assert any(row[0] == "brain" and row[3].startswith("1.0000\n") for row in classes.rows)


def test_the_worst_centre_and_the_gap_are_named_with_the_bias_of_both(tables: list[Shown]) -> None:
    ends = tables[-1]
    assert ends.rows[0][:4] == ["worst", "all", "Malawi", "0.5000"]
    assert ends.rows[1][:4] == ["gap", "all", "Ghana - Malawi", "0.5000"]
    assert ["biased" in note for note in ends.notes] == [True, True]


def test_without_centres_or_under_the_paper_s_protocol_those_tables_are_left_out() -> None:
    assert len(_tables(_frame([""] * 8))) == 2
    assert len(_tables(_frame(["Ghana"] * 8), "paper-2407.20072")) == 1
