from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmark.errors import UsageError
from benchmark.utility.predictions import cluster_of, prediction_frame, read_predictions, write_predictions

HEADER = "image_id,patient_id,center,cluster_id,label,p_other,p_abdomen,p_brain,p_femur,p_thorax\n"


def _file(tmp_path: Path, *rows: str, header: str = HEADER) -> Path:
    path = tmp_path / "predictions.csv"
    path.write_text(header + "".join(row + "\n" for row in rows))
    return path


def _frame() -> pd.DataFrame:
    identity = pd.DataFrame({"image_id": ["a", "b"], "patient_id": ["1", "1"], "center": ["Ghana", "Malawi"]})
    logits = np.random.default_rng(0).normal(size=(2, 5))
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return prediction_frame(identity, ["brain", "femur"], probabilities)


def test_what_is_written_is_read_back_to_the_last_bit_and_the_last_byte(tmp_path: Path) -> None:
    frame = _frame()
    write_predictions(tmp_path / "one.csv", frame)
    again = read_predictions(tmp_path / "one.csv")
    assert (
        (again[[f"p_{c}" for c in ("other", "thorax")]] == frame[[f"p_{c}" for c in ("other", "thorax")]]).all().all()
    )
    write_predictions(tmp_path / "two.csv", again)
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.csv", "two.csv"]


def test_the_same_patient_number_in_two_centres_is_two_clusters_and_a_cluster_id_rules() -> None:
    frame = _frame()
    assert len(set(cluster_of(frame))) == 2
    frame["cluster_id"] = ["x", "x"]
    assert len(set(cluster_of(frame))) == 1


@pytest.mark.parametrize("empty", [None, float("nan"), pd.NA])
def test_a_null_in_an_identity_column_is_an_empty_field(empty: object) -> None:
    identity = pd.DataFrame(
        {"image_id": ["a", "b", "c"], "patient_id": ["1", "2", "3"], "center": empty, "cluster_id": [empty, empty, "x"]}
    )
    frame = prediction_frame(identity, ["brain"] * 3, np.eye(5)[[2, 2, 2]])
    assert frame["center"].tolist() == ["", "", ""]
    assert cluster_of(frame).tolist() == ["p:\x001", "p:\x002", "c:x"]
    with pytest.raises(UsageError, match="patient_id and cluster_id are both empty"):
        prediction_frame(identity.assign(patient_id=empty), ["brain"] * 3, np.eye(5)[[2, 2, 2]])


def test_a_class_without_a_column_is_no_output(tmp_path: Path) -> None:
    header = "image_id,patient_id,center,cluster_id,label,p_thorax,p_abdomen\n"
    frame = read_predictions(_file(tmp_path, "a,1,,,brain,0.25,0.75", header=header))
    assert [column for column in frame.columns if column.startswith("p_")] == ["p_abdomen", "p_thorax"]
    assert frame["p_thorax"].tolist() == [0.25]


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        (["a,1,,,heart,1,0,0,0,0"], "line 2: unknown label 'heart'"),
        (["a,1,,,brain,1,0,0,0,0", "a,2,,,brain,1,0,0,0,0"], "line 3: image_id 'a' was already in line 2"),
        (["a,1,,,brain,0.5,0.4,0,0,0"], "line 2: the probabilities sum to 0.9"),
        (["a,1,,,brain,1.5,-0.5,0,0,0"], "line 2: p_abdomen is -0.5"),
        (["a,1,,,brain,nan,0,0,0,1"], "line 2: p_other is nan"),
        (["a,1,,,brain,inf,0,0,0,1"], "line 2: p_other is inf"),
        (["a,1,,,brain,x,0,0,0,1"], "line 2: p_other is 'x', not a number"),
        (["a,1,,,brain,1,0,0,0"], "line 2: 9 fields where the header has 10"),
        (["a,,,,brain,1,0,0,0,0"], "line 2: patient_id and cluster_id are both empty"),
        ([], "no predictions"),
    ],
)
def test_a_faulty_row_is_refused_with_its_line_and_fault(tmp_path: Path, rows: list[str], fault: str) -> None:
    with pytest.raises(UsageError, match=fault.replace("(", "\\(")):
        read_predictions(_file(tmp_path, *rows))


@pytest.mark.parametrize(
    ("header", "fault"),
    [
        (HEADER.replace("label,", ""), "column label is missing"),
        (HEADER.replace("p_femur", "p_cervix"), "unknown class column p_cervix"),
        (HEADER.replace("p_femur", "p_brain"), "column p_brain stands twice"),
        ("image_id,patient_id,center,cluster_id,label\n", "no class column"),
    ],
)
def test_a_faulty_header_is_refused_with_the_column(tmp_path: Path, header: str, fault: str) -> None:
    with pytest.raises(UsageError, match=fault):
        read_predictions(_file(tmp_path, header=header))


def test_a_file_that_is_not_there_says_which() -> None:
    with pytest.raises(UsageError, match=r"no predictions file nowhere\.csv"):
        read_predictions(Path("nowhere.csv"))
