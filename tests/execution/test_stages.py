"""Progress is read as what a stranger wrote: bounded, through no link, without waiting, whatever it is."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from benchmark.execution.stages import last_progress

LINE = {"seconds": 1.5, "stage": "fit", "done": 3, "total": 10}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "progress.jsonl"


def test_the_last_line_is_told(file: Path):
    file.write_text(json.dumps(LINE | {"done": 2}) + "\n" + json.dumps(LINE) + "\n")
    assert last_progress(file) == "fit 3/10"


def test_a_stage_steers_no_terminal_and_is_cut(file: Path):
    file.write_text(json.dumps(LINE | {"stage": "\x1b[2J\u202e" + "x" * 100}) + "\n")
    told = last_progress(file)
    assert told.isprintable()
    assert len(told) < 60


@pytest.mark.parametrize(
    "text", ["", "\n", "[]", "7", "null", "{}", "{", "\x00", json.dumps(LINE | {"done": 10**400}), "x" * 9_000_000]
)
def test_what_is_no_progress_tells_nothing(file: Path, text: str):
    file.write_text(text)
    assert last_progress(file) == ""


def test_bytes_that_are_no_text_tell_nothing(file: Path):
    file.write_bytes(b"\xff\xfe\n")
    assert last_progress(file) == ""


@pytest.mark.timeout(10)
def test_a_pipe_is_not_waited_for_and_no_link_is_followed(file: Path, tmp_path: Path):
    os.mkfifo(file)
    assert last_progress(file) == ""
    file.unlink()
    (tmp_path / "secret").write_text(json.dumps(LINE))
    for target in (tmp_path / "secret", Path("/dev/zero"), tmp_path):
        file.symlink_to(target)
        assert last_progress(file) == ""
        file.unlink()
    assert last_progress(file) == ""
