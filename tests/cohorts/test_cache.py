"""Pixels are decoded once, kept by content, and never served stale or cut short."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from benchmark.cohorts import images
from benchmark.cohorts.cache import ImageSource, decoded_pixels, pixels_path, written_whole
from benchmark.cohorts.images import decode_image, to_grey
from benchmark.cohorts.registry import load_cohort, phantom_cohort, prepare
from benchmark.errors import BenchError, UsageError
from tests.cohorts.conftest import Spanish


@pytest.fixture
def decodings(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The paths decoded during the test."""
    seen: list[Path] = []

    def counted(path: Path, size: int, where: str = "") -> NDArray[np.uint8]:
        seen.append(path)
        return decode_image(path, size, where)

    monkeypatch.setattr(images, "decode_image", counted)
    return seen


def test_pixels_are_a_read_only_map_decoded_once(spanish: Spanish, cache: Path, decodings: list[Path]) -> None:
    prepare("spain", spanish.write())
    first = load_cohort("spain", 16)
    assert first.pixels.shape == (5, 16, 16)
    assert isinstance(first.pixels, np.memmap) and not first.pixels.flags.writeable
    before = len(decodings)
    np.testing.assert_array_equal(load_cohort("spain", 16).pixels, first.pixels)
    assert len(decodings) == before


def test_a_truncated_cache_is_decoded_again(spanish: Spanish, cache: Path, decodings: list[Path]) -> None:
    prepare("spain", spanish.write())
    expected = np.array(load_cohort("spain", 16).pixels)
    kept = [path for path in (cache / "pixels").iterdir() if b"16, 16" in path.read_bytes()[:128]]
    assert len(kept) == 1
    kept[0].write_bytes(kept[0].read_bytes()[:-1])
    before = len(decodings)
    np.testing.assert_array_equal(load_cohort("spain", 16).pixels, expected)
    assert len(decodings) == before + 5


def test_the_key_follows_content_size_and_decoder_but_not_the_name(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = ImageSource(tmp_path / "a.png", "1" * 64)
    key = pixels_path([one], 16)
    assert pixels_path([ImageSource(tmp_path / "b.png", "1" * 64, "elsewhere")], 16) == key
    others = {pixels_path([one], 17), pixels_path([ImageSource(one.path, "2" * 64)], 16), pixels_path([one] * 2, 16)}
    monkeypatch.setattr(images, "DECODER_VERSION", "another")
    others.add(pixels_path([one], 16))
    assert len(others | {key}) == 5


def test_a_changed_image_is_noticed_and_then_misses(spanish: Spanish, cache: Path) -> None:
    prepare("spain", spanish.write())
    before = load_cohort("spain", 16)
    changed = spanish.root / "Images" / "Patient00002_Plane2_1_of_1.png"
    Image.new("L", (24, 20), 77).save(changed)
    with pytest.raises(BenchError, match=r"Patient00002.* has changed since 'spain' was prepared"):
        load_cohort("spain", 16)
    prepare("spain", spanish.root)
    after = load_cohort("spain", 16)
    assert after.manifest_sha256 != before.manifest_sha256
    assert (after.pixels == 77).all(axis=(1, 2)).sum() == 1


def test_a_touched_image_is_still_the_same(spanish: Spanish, cache: Path) -> None:
    prepare("spain", spanish.write())
    os.utime(spanish.root / "Images" / "Patient00002_Plane2_1_of_1.png", (1, 1))
    assert len(load_cohort("spain", 16)) == 5


def test_files_that_have_gone_are_told(spanish: Spanish, cache: Path) -> None:
    prepare("spain", spanish.write())
    (spanish.root / "Images" / "Patient00002_Plane2_1_of_1.png").unlink()
    with pytest.raises(BenchError, match=r"(?s)Patient00002.*has gone.*fulora-bench prepare spain"):
        load_cohort("spain", 16)


def test_an_unreadable_index_is_told(spanish: Spanish, cache: Path) -> None:
    prepare("spain", spanish.write())
    (cache / "cohorts" / "spain.json").write_text("{")
    with pytest.raises(BenchError, match="prepare spain"):
        load_cohort("spain", 16)


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "kept.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), written_whole(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert [p.name for p in tmp_path.iterdir()] == ["kept.txt"] and path.read_text() == "old"


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "LA", "1", "I;16"])
def test_every_kind_of_png_becomes_the_same_grey(mode: str, tmp_path: Path) -> None:
    grey = np.where(np.indices((12, 12)).sum(0) % 2, 255, 0).astype(np.uint8)
    image = Image.fromarray(grey)
    made = Image.fromarray(grey.astype(np.uint16) * 257) if mode == "I;16" else image.convert(mode)
    made.save(tmp_path / "a.png")
    np.testing.assert_array_equal(decode_image(tmp_path / "a.png", 12), grey)


def test_transparent_pixels_are_black_as_on_a_screen() -> None:
    assert np.asarray(to_grey(Image.new("RGBA", (4, 4), (255, 255, 255, 0)))).max() == 0


def test_reduction_is_antialiased(tmp_path: Path) -> None:
    stripes = np.zeros((64, 64), np.uint8)
    stripes[:, ::2] = 255
    Image.fromarray(stripes).save(tmp_path / "a.png")
    inside = decode_image(tmp_path / "a.png", 8)[:, 1:-1].astype(int)
    assert abs(inside - 127).max() <= 3


def test_an_image_larger_than_the_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("L", (40, 40)).save(tmp_path / "a.png")
    monkeypatch.setattr(images, "MAX_PIXELS", 1000)
    with pytest.raises(BenchError, match="exceed the limit"):
        decode_image(tmp_path / "a.png", 16)


def test_working_sizes_have_limits(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(UsageError, match="out of range"):
        decoded_pixels([ImageSource(tmp_path / "a.png", "1")], 4)
    with pytest.raises(UsageError, match="out of range"):
        load_cohort("phantom-target", 100_000)


def test_a_phantom_comes_back_from_the_cache_as_it_was_drawn(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmark.cohorts import phantom

    drawn = phantom_cohort("phantom-source", 32, images=10)
    monkeypatch.setattr(phantom, "draw_phantom", None)
    kept = phantom_cohort("phantom-source", 32, images=10)
    assert kept.manifest_sha256 == drawn.manifest_sha256 and kept.notes == drawn.notes
    np.testing.assert_array_equal(kept.pixels, drawn.pixels)
    with pytest.raises(TypeError):
        phantom_cohort("phantom-source", 32, seed=1, images=10)


def test_listing_cohorts_and_protocols_loads_no_numbers() -> None:
    code = (
        "import sys, benchmark.cohorts.registry, benchmark.protocol as p; p.list_protocols();"
        "sys.exit(any(name in sys.modules for name in ('numpy', 'pandas', 'torch', 'PIL')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
