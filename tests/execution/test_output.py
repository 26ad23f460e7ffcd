"""The output folder while a stranger writes to it, and when it is taken back."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.execution import usage
from benchmark.execution.ownership import take_over
from benchmark.execution.usage import OutputLimit
from benchmark.files import remove_tree


def nest(folder: Path, depth: int) -> None:
    """Folders within folders, deeper than any path can name."""
    script = "import os, sys\nos.chdir(sys.argv[1])\nfor _ in range(int(sys.argv[2])): os.mkdir('d'); os.chdir('d')"
    subprocess.run([sys.executable, "-c", script, str(folder), str(depth)], check=True)


def test_a_folder_within_its_limits_has_no_fault(tmp_path: Path):
    (tmp_path / "a").write_bytes(bytes(1 << 20))
    assert OutputLimit(tmp_path, limit_mib=2, limit_files=2).fault() == ""


def test_size_on_disk_number_and_depth_are_told_in_words(tmp_path: Path):
    (tmp_path / "a").write_bytes(os.urandom(3 << 20))
    assert "3 MiB, the limit is 2 MiB" in OutputLimit(tmp_path, 2, 10).fault()
    (tmp_path / "b").touch()
    assert "more than 1 files" in OutputLimit(tmp_path, 10, 1).fault()
    nest(tmp_path, 40)
    assert "nested more than 16 deep" in OutputLimit(tmp_path, 10, 100).fault()


def test_a_sparse_file_counts_what_it_takes_from_the_disk(tmp_path: Path):
    with (tmp_path / "sparse").open("wb") as stream:
        stream.truncate(1 << 40)
    assert OutputLimit(tmp_path, 2, 10).fault() == ""


def test_a_recent_look_is_not_repeated_unless_it_must_be(tmp_path: Path):
    limit = OutputLimit(tmp_path, 10, 0)
    assert limit.fault() == ""
    (tmp_path / "a").touch()
    assert "more than 0 files" in limit.fault(now=True)


def test_what_is_taken_back_has_plain_modes_and_links_are_not_followed(tmp_path: Path):
    output, outside = tmp_path / "output", tmp_path / "outside"
    (output / "images").mkdir(parents=True)
    outside.write_text("not theirs")
    outside.chmod(0o600)
    (output / "link").symlink_to(outside)
    (output / "images" / "rooted").touch()
    (output / "images" / "rooted").chmod(0o6755)
    (output / "images" / "closed").mkdir(mode=0o000)
    assert take_over(output) == ""
    assert outside.stat().st_mode & 0o777 == 0o600
    assert (output / "images" / "rooted").stat().st_mode & 0o7777 == 0o644
    assert (output / "images" / "closed").stat().st_mode & 0o7777 == 0o755


@pytest.mark.skipif(os.geteuid() != 0, reason="only root lends its output folder to another user")
def test_a_root_caller_owns_everything_again(tmp_path: Path):
    output = tmp_path / "output"
    (output / "images").mkdir(parents=True)
    (output / "images" / "0.png").touch()
    for place in (output, output / "images", output / "images" / "0.png"):
        os.chown(place, 65532, 65532)
    take_over(output)
    assert {place.stat().st_uid for place in (output, *output.rglob("*"))} == {0}


def test_a_tree_too_deep_to_walk_is_removed_and_told(tmp_path: Path):
    output = tmp_path / "output"
    output.mkdir()
    nest(output, 3000)
    assert "nested" in take_over(output)
    assert list(output.iterdir()) == []


def test_a_tree_of_any_depth_can_be_removed(tmp_path: Path):
    (tmp_path / "deep").mkdir()
    nest(tmp_path / "deep", 3000)
    remove_tree(tmp_path / "deep")
    assert not (tmp_path / "deep").exists()


def test_a_file_without_a_name_counts_where_it_is_open(tmp_path: Path):
    with (tmp_path / "hidden").open("wb") as stream:
        stream.write(os.urandom(3 << 20))
        stream.flush()
        os.fsync(stream.fileno())
        (tmp_path / "hidden").unlink()
        limit = OutputLimit(tmp_path, limit_mib=2, limit_files=10)
        assert limit.fault(now=True) == ""
        assert "3 MiB, the limit is 2 MiB" in limit.fault(lambda: [os.getpid()], now=True)
    assert limit.fault(lambda: [os.getpid()], now=True) == ""


def test_a_part_of_the_disk_is_left_whatever_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert not OutputLimit(tmp_path, 2, 10).disk_is_full
    monkeypatch.setattr(usage, "RESERVE_MIB", 1 << 40)
    assert OutputLimit(tmp_path, 2, 10).disk_is_full
