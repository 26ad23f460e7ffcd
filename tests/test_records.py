"""The store shows an attempt wholly or not at all, and the latest ok counts."""

from __future__ import annotations

import multiprocessing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from benchmark.errors import BenchError
from benchmark.records import Cell, Record, Status, Store

KEY = "0" * 64


def a_record(status: Status = "ok", reason: str = "") -> Record:
    return Record(
        key=KEY,
        cell=Cell(kind="generate", protocol="phantom", method="gan", repetition=0),
        status=status,
        reason=reason,
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        seconds=1.0,
        device="cpu",
        threads=1,
        seed=1,
        inputs={"a": 1},
    )


def write(store: Store, status: Status = "ok") -> Record:
    with store.writing("generate", KEY) as scratch:
        (scratch / "artefact").write_text("x")
        return store.commit(scratch, a_record(status))


def test_an_attempt_comes_with_its_artefacts_and_its_number(tmp_path: Path):
    store = Store(tmp_path)
    assert [write(store, "failed").attempt, write(store).attempt] == [1, 2]
    record, folder = store.latest("generate", KEY)
    assert (record.attempt, record.status) == (2, "ok")
    assert (folder / "artefact").read_text() == "x"


def test_the_latest_ok_counts_even_after_a_later_failure(tmp_path: Path):
    store = Store(tmp_path)
    write(store, "ok")
    write(store, "failed")
    assert store.latest("generate", KEY)[0].status == "failed"
    assert store.latest_ok("generate", KEY)[0].attempt == 1
    assert [record.status for record, _ in store.all_latest()] == ["ok"]


def test_an_attempt_that_was_broken_off_is_never_seen_and_is_swept(tmp_path: Path):
    store = Store(tmp_path)
    leftover = tmp_path / "generate" / KEY / ".writing-abc"
    leftover.mkdir(parents=True)
    (leftover / "record.json").write_text(a_record().model_dump_json())
    assert store.latest("generate", KEY) is None
    assert store.sweep() == 1
    assert not leftover.exists()


def test_an_exception_while_writing_leaves_nothing(tmp_path: Path):
    store = Store(tmp_path)
    with pytest.raises(RuntimeError), store.writing("generate", KEY) as scratch:
        raise RuntimeError
    assert not scratch.exists()
    assert store.attempts("generate", KEY) == []


def test_a_damaged_record_is_named(tmp_path: Path):
    store = Store(tmp_path)
    write(store)
    path = tmp_path / "generate" / KEY / "0001" / "record.json"
    path.write_text("{")
    with pytest.raises(BenchError, match=r"0001.record\.json"):
        store.latest("generate", KEY)


def _write_many(root: Path) -> None:
    for _ in range(10):
        write(Store(root))


def test_two_writers_never_take_the_same_number(tmp_path: Path):
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write_many, args=(tmp_path,)) for _ in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    numbers = [store_record.name for store_record in Store(tmp_path).attempts("generate", KEY)]
    assert numbers == [f"{n:04d}" for n in range(1, 21)]
