"""Keys and seeds follow content, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.keys import content_key, file_sha256, named_seed, tree_sha256


def test_the_key_ignores_the_order_of_names_and_sees_every_value():
    assert content_key({"a": 1, "b": [1, 2]}) == content_key({"b": [1, 2], "a": 1})
    assert content_key({"a": 1}) != content_key({"a": 1.5})
    assert content_key({"b": [1, 2]}) != content_key({"b": [2, 1]})


def test_a_value_that_is_not_a_number_has_no_key():
    with pytest.raises(ValueError, match="JSON compliant"):
        content_key({"a": float("nan")})


def test_a_tree_changes_with_a_file_its_name_and_not_with_byte_code(tmp_path: Path):
    (tmp_path / "one.py").write_text("1")
    before = tree_sha256(tmp_path)
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "one.pyc").write_text("x")
    assert tree_sha256(tmp_path) == before
    (tmp_path / "one.py").rename(tmp_path / "two.py")
    renamed = tree_sha256(tmp_path)
    assert renamed != before
    (tmp_path / "two.py").write_text("2")
    assert tree_sha256(tmp_path) not in {before, renamed}


def test_a_file_has_the_digest_that_sha256sum_prints(tmp_path: Path):
    (tmp_path / "f").write_bytes(b"abc")
    assert file_sha256(tmp_path / "f") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_named_seed_is_stable_and_parts_do_not_run_together():
    assert named_seed("generate", 1234, "phantom", "gan", 0) == named_seed("generate", 1234, "phantom", "gan", 0)
    assert named_seed("a", "bc") != named_seed("ab", "c")
    assert 0 <= named_seed("x") < 2**31
