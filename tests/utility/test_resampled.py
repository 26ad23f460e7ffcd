"""Replicates from cluster counts against slow, independent computations on images that really stand several times."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from benchmark.classes import CLASSES
from benchmark.errors import UnknownNameError
from benchmark.statistics import cluster_counts
from benchmark.utility import ranking
from benchmark.utility.definitions import CLOSED, PROTOCOLS, metric_definitions
from benchmark.utility.ranking import pair_matrix, pairs_are_faster, weighted_auroc
from benchmark.utility.readings import Reading, closed_reading, open_reading
from benchmark.utility.resampled import class_areas, resampled
from tests.utility.oracles import ORACLES, Sample, area, area_by_pairs

Build = Callable[..., pd.DataFrame]
N = 30


def _soft(generator: np.random.Generator, codes: np.ndarray) -> np.ndarray:
    rows = generator.dirichlet(np.ones(5), size=len(codes)) + 0.5 * np.eye(5)[codes]
    return np.asarray(rows / rows.sum(axis=1, keepdims=True))


def _tied(rows: np.ndarray) -> np.ndarray:
    """Probabilities of whole tenths: many equal scores, and tops on the edges of bins."""
    tenths = np.floor(rows * 10)
    tenths[np.arange(len(rows)), rows.argmax(axis=1)] += 10 - tenths.sum(axis=1)
    return np.asarray(tenths / 10)


def _without(rows: np.ndarray, *codes: int) -> np.ndarray:
    left = rows.copy()
    left[:, codes] = 0
    return np.asarray(left / left.sum(axis=1, keepdims=True))


def _case(name: str) -> tuple[list[str], np.ndarray, list[str], list[str]]:
    """Labels, probabilities, patients and left-out columns of one case."""
    generator = np.random.default_rng(7)
    codes = generator.integers(1, 5, size=N)
    patients = [f"p{row // 3}" for row in range(N)]
    dropped: list[str] = []
    if name == "two classes absent":
        codes = generator.integers(1, 3, size=N)
    if name == "all five classes":
        codes = np.arange(N) % 5
    if name == "a class in one cluster":
        codes = np.where(np.arange(N) < 3, 4, generator.integers(1, 4, size=N))
    if name == "a single class":
        codes = np.full(N, 2)
    if name == "one-image clusters":
        patients = [f"p{row}" for row in range(N)]
    rows = _soft(generator, codes)
    if name == "ties":
        rows = _tied(rows)
    if name == "all predicted other":
        rows = np.eye(5)[np.zeros(N, dtype=int)]
    if name == "no mass on present classes for some":
        rows[::4] = np.eye(5)[0]
    if name == "no output other":
        rows, dropped = _without(rows, 0), ["p_other"]
    if name == "no output for a present class":
        rows, dropped = _without(rows, 3), ["p_femur"]
    if name == "two outputs only":
        rows, dropped = _without(rows, 0, 1, 3), ["p_other", "p_abdomen", "p_femur"]
    return [CLASSES[code] for code in codes], rows, patients, dropped


CASES = (
    "plain",
    "two classes absent",
    "all five classes",
    "a class in one cluster",
    "a single class",
    "one-image clusters",
    "ties",
    "all predicted other",
    "no mass on present classes for some",
    "no output other",
    "no output for a present class",
    "two outputs only",
)


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, frame_of: Build) -> pd.DataFrame:
    labels, rows, patients, dropped = _case(request.param)
    frame = frame_of(labels, rows, patients).drop(columns=dropped)
    return frame.sample(frac=1, random_state=3).reset_index(drop=True)


def _counts(reading: Reading) -> np.ndarray:
    """The sample itself, resamplings, and a replicate of two clusters alone, which loses classes."""
    few = np.zeros((1, reading.n_clusters), dtype=np.uint32)
    few[0, :2] = (2, 1)
    ones = np.ones((1, reading.n_clusters), dtype=np.uint32)
    return np.concatenate([ones, cluster_counts(reading.clusters, 3, 5), few])


def _samples(reading: Reading, counts: np.ndarray) -> list[Sample]:
    """The images of each replicate, as often as their cluster is drawn."""
    names = sorted(set(reading.clusters))
    found = []
    for row in counts:
        times = dict(zip(names, row, strict=True))
        images = [place for place, name in enumerate(reading.clusters) for _ in range(times[name])]
        found.append(Sample(reading.labels[images], reading.probabilities[images], reading.present, reading.outputs))
    return found


def _expected(reading: Reading, counts: np.ndarray, names: list[str]) -> dict[str, list[float]]:
    samples = _samples(reading, counts)
    shown = {"": samples, CLOSED: [sample.closed() for sample in samples]}
    plain = [(name, name.removesuffix(CLOSED), shown[CLOSED if name.endswith(CLOSED) else ""]) for name in names]
    return {name: [ORACLES[base](sample) for sample in some] for name, base, some in plain}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_metric_equals_scikit_learn_or_a_loop_on_the_images_that_were_drawn(
    case: pd.DataFrame, protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = open_reading(case)
    counts = _counts(reading)
    expected = _expected(reading, counts, [metric.name for metric in metric_definitions(protocol)])
    for by_pairs in (True, False):
        monkeypatch.setattr("benchmark.utility.resampled.pairs_are_faster", lambda *_, chosen=by_pairs: chosen)
        found = resampled(reading, protocol, counts)
        assert list(found) == list(expected)
        for name, values in found.items():
            assert values == pytest.approx(expected[name], abs=1e-9, nan_ok=True), name


def test_the_area_of_each_class_equals_scikit_learn_and_the_count_of_pairs(case: pd.DataFrame) -> None:
    reading = open_reading(case)
    counts = _counts(reading)
    found = class_areas(reading, counts)
    for place, sample in enumerate(_samples(reading, counts)):
        for code in range(5):
            assert found[place, code] == pytest.approx(area(sample, code), abs=1e-12, nan_ok=True)
            assert found[place, code] == pytest.approx(area_by_pairs(sample, code), abs=1e-12, nan_ok=True)


def test_a_closed_reading_renormalises_each_row_over_the_present_classes(case: pd.DataFrame) -> None:
    reading = open_reading(case)
    closed = closed_reading(reading, reading.present)
    expected = Sample(reading.labels, reading.probabilities, reading.present, reading.outputs).closed()
    assert closed.probabilities == pytest.approx(expected.rows)
    assert closed.predicted.tolist() == expected.predicted


def test_only_the_metrics_that_are_asked_for_are_given(random_frame: Callable[[int, int], pd.DataFrame]) -> None:
    reading = open_reading(random_frame(30, 0))
    counts = cluster_counts(reading.clusters, 20, 0)
    asked = ("auroc_ovr_macro_present", "accuracy_closed", "accuracy")
    some, every = resampled(reading, "suite-v1", counts, metrics=asked), resampled(reading, "suite-v1", counts)
    assert tuple(some) == asked
    for name in asked:
        assert np.array_equal(some[name], every[name])
    with pytest.raises(UnknownNameError, match="accuracy"):
        resampled(reading, "suite-v1", counts, metrics=("acuracy",))


def test_many_replicates_in_parts_equal_those_computed_at_once(
    random_frame: Callable[[int, int], pd.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = open_reading(random_frame(50, 2))
    counts = cluster_counts(reading.clusters, 33, 0)
    at_once = resampled(reading, "suite-v1", counts)
    monkeypatch.setattr("benchmark.utility.resampled._CHUNK", 500)
    monkeypatch.setattr(ranking, "_PAIRS", 100)
    in_parts = resampled(reading, "suite-v1", counts)
    for name, values in at_once.items():
        assert in_parts[name] == pytest.approx(values, abs=1e-15, nan_ok=True), name


def test_no_replicates_give_empty_vectors(random_frame: Callable[[int, int], pd.DataFrame]) -> None:
    reading = open_reading(random_frame(30, 0))
    found = resampled(reading, "suite-v1", np.ones((0, reading.n_clusters)))
    assert {values.shape for values in found.values()} == {(0,)}


def test_counts_of_another_number_of_clusters_are_refused(random_frame: Callable[[int, int], pd.DataFrame]) -> None:
    reading = open_reading(random_frame(30, 0))
    with pytest.raises(ValueError, match=r"must be \(R, 15\), one column a cluster, not \(2, 30\)"):
        resampled(reading, "suite-v1", np.ones((2, 30)))


def test_the_pairs_of_three_images_by_hand() -> None:
    # cluster 0: a positive of 0.5; cluster 1: a positive of 0.2 and a negative of 0.5
    scores, positive, codes = np.array([0.5, 0.2, 0.5]), np.array([True, True, False]), np.array([0, 1, 1])
    assert pair_matrix(scores, positive, codes, 2).tolist() == [[0.0, 0.5], [0.0, 0.0]]
    # counts (3, 1): positives 3 x 0.5 and 0.2, one negative of 0.5: 3 halves of 4 pairs
    assert weighted_auroc(scores, positive, np.array([[3.0, 1.0, 1.0]]))[0] == pytest.approx(1.5 / 4)


def test_twenty_thousand_clusters_make_no_matrix_of_pairs_and_the_study_s_size_does() -> None:
    assert not pairs_are_faster(20_000, 20_000, 1_000)
    assert not pairs_are_faster(1_000_000, 2_500, 1_000_000)
    assert pairs_are_faster(233, 66, 10_000)


def test_three_thousand_clusters_are_scored_as_scikit_learn_scores_them(frame_of: Build) -> None:
    from sklearn.metrics import roc_auc_score

    generator = np.random.default_rng(0)
    codes = generator.integers(1, 5, size=3000)
    reading = open_reading(frame_of([CLASSES[code] for code in codes], _soft(generator, codes)))
    counts = cluster_counts(reading.clusters, 2, 0)
    found = class_areas(reading, counts)
    for place, row in enumerate(counts):
        weights = row[reading.cluster_codes]
        for code in range(1, 5):
            expected = roc_auc_score(codes == code, reading.probabilities[:, code], sample_weight=weights)
            assert found[place, code] == pytest.approx(expected, abs=1e-9)
