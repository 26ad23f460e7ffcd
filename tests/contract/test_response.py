from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmark.contract import InvalidResponse, MethodSpec, Result, validate_response
from benchmark.contract.png import write_gray
from benchmark.contract.request import write_rows
from benchmark.contract.response import RESPONSE_COLUMNS
from tests.contract.conftest import SIZE, make_request


def write_response(output: Path, per_class: int = 3) -> Path:
    rng = np.random.default_rng(1)
    rows = []
    for label in ("brain", "femur"):
        (output / "images" / label).mkdir(parents=True)
        for i in range(per_class):
            name = f"images/{label}/{i}.png"
            digest = write_gray(output / name, rng.integers(0, 256, (SIZE, SIZE), dtype=np.uint8))
            rows.append((name, label, i, digest))
    write_rows(output / "manifest.csv", RESPONSE_COLUMNS, rows)
    result = Result(peak_memory_mib=1, trained_parameters=0, steps=0)
    (output / "result.json").write_text(result.model_dump_json())
    return output


def rewrite(output: Path, change: Callable[[list[list[str]]], None]) -> None:
    with (output / "manifest.csv").open(newline="") as stream:
        rows = list(csv.reader(stream))
    change(rows)
    with (output / "manifest.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)


def replace_image(output: Path, data: bytes) -> None:
    """Put other bytes under the first image, with a manifest that agrees."""
    (output / "images/brain/0.png").write_bytes(data)
    rewrite(output, lambda rows: rows[1].__setitem__(3, hashlib.sha256(data).hexdigest()))


def encoded(image: Image.Image, path: Path) -> bytes:
    image.save(path, format="PNG")
    return path.read_bytes()


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return write_response(tmp_path / "response")


def refuses(output: Path, spec: MethodSpec, reason: str) -> None:
    with pytest.raises(InvalidResponse, match=reason):
        validate_response(output, make_request(), spec)


def test_a_good_response_is_loaded_in_manifest_order(output: Path, spec: MethodSpec) -> None:
    synthetic = validate_response(output, make_request(), spec)
    assert synthetic.labels == ("brain",) * 3 + ("femur",) * 3
    assert synthetic.images.shape == (6, SIZE, SIZE) and synthetic.seeds == (0, 1, 2, 0, 1, 2)
    assert np.array_equal(synthetic.images[4], np.asarray(Image.open(output / "images/femur/1.png")))


def test_the_digest_of_a_set_changes_with_one_pixel(tmp_path: Path, spec: MethodSpec) -> None:
    first = validate_response(write_response(tmp_path / "a"), make_request(), spec)
    second = write_response(tmp_path / "b")
    pixels = np.array(Image.open(second / "images/brain/0.png"))
    pixels[0, 0] ^= 1
    replace_image(second, encoded(Image.fromarray(pixels), tmp_path / "x.png"))
    assert validate_response(second, make_request(), spec).manifest_sha256 != first.manifest_sha256


def test_too_few_images_are_invalid_unless_the_deadline_was_reached(tmp_path: Path, spec: MethodSpec) -> None:
    output = write_response(tmp_path / "few", per_class=2)
    refuses(output, spec, "2 images of class 'brain' instead of 3")
    assert len(validate_response(output, make_request(), spec, partial=True)) == 4


def test_too_many_images_are_invalid_even_at_the_deadline(tmp_path: Path, spec: MethodSpec) -> None:
    output = write_response(tmp_path / "many", per_class=4)
    with pytest.raises(InvalidResponse, match="4 images"):
        validate_response(output, make_request(), spec, partial=True)


def test_a_method_that_yields_nothing_must_yield_nothing(output: Path, tmp_path: Path, spec: MethodSpec) -> None:
    silent = spec.model_copy(update={"synthesizes": False})
    refuses(output, silent, "3 images of class 'brain' instead of 0")
    empty = write_response(tmp_path / "empty", per_class=0)
    assert len(validate_response(empty, make_request(), silent)) == 0


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (Image.new("RGB", (SIZE, SIZE)), "8-bit grey"),
        (Image.new("1", (SIZE, SIZE)), "8-bit grey"),
        (Image.new("LA", (SIZE, SIZE)), "8-bit grey"),
        (Image.new("L", (SIZE + 1, SIZE + 1)), "17x17"),
    ],
)
def test_other_modes_and_sizes_are_invalid(
    output: Path, tmp_path: Path, spec: MethodSpec, image: Image.Image, reason: str
) -> None:
    replace_image(output, encoded(image, tmp_path / "x.png"))
    refuses(output, spec, reason)


def test_a_decompression_bomb_is_refused_by_its_header(output: Path, spec: MethodSpec) -> None:
    bomb = bytearray((output / "images/brain/0.png").read_bytes())
    bomb[16:24] = (60_000).to_bytes(4, "big") * 2
    replace_image(output, bytes(bomb))
    refuses(output, spec, "60000x60000")


@pytest.mark.parametrize("data", [b"", b"no image at all, but long enough to be read as one"])
def test_what_is_no_png_is_invalid(output: Path, spec: MethodSpec, data: bytes) -> None:
    replace_image(output, data)
    refuses(output, spec, "PNG")


def test_a_truncated_image_is_invalid(output: Path, spec: MethodSpec) -> None:
    replace_image(output, (output / "images/brain/0.png").read_bytes()[:80])
    refuses(output, spec, "cannot be decoded")


def test_an_oversized_file_is_invalid(output: Path, spec: MethodSpec) -> None:
    replace_image(output, (output / "images/brain/0.png").read_bytes() + bytes(100_000))
    refuses(output, spec, "bytes, more than")


def test_a_wrong_digest_is_invalid(output: Path, spec: MethodSpec) -> None:
    rewrite(output, lambda rows: rows[2].__setitem__(3, "0" * 64))
    refuses(output, spec, "images/brain/1.png does not have the SHA-256")


@pytest.mark.parametrize("name", ["../escape.png", "/etc/passwd", "images/femur/0.png", "images/brain/1.png"])
def test_a_row_must_name_the_file_of_its_place(output: Path, spec: MethodSpec, name: str) -> None:
    rewrite(output, lambda rows: rows[1].__setitem__(0, name))
    refuses(output, spec, "row 2: file must be images/brain/0.png")


def test_rows_in_another_order_are_invalid(output: Path, spec: MethodSpec) -> None:
    rewrite(output, lambda rows: rows.__setitem__(slice(1, 7), rows[4:7] + rows[1:4]))
    refuses(output, spec, "request's order")


@pytest.mark.parametrize(
    ("column", "value", "reason"), [(1, "thorax", "not asked for"), (2, "-1", "seed"), (2, "", "seed")]
)
def test_a_wrong_cell_is_named_with_its_row(
    output: Path, spec: MethodSpec, column: int, value: str, reason: str
) -> None:
    rewrite(output, lambda rows: rows[3].__setitem__(column, value))
    refuses(output, spec, f"row 4.*{reason}")


@pytest.mark.parametrize("place", ["images/brain/0.png", "result.json", "checkpoint"])
def test_links_are_invalid_wherever_they_are(output: Path, tmp_path: Path, spec: MethodSpec, place: str) -> None:
    if (output / place).exists():
        (output / place).rename(tmp_path / "elsewhere")
    (output / place).symlink_to(tmp_path / "elsewhere")
    refuses(output, spec, "symbolic link")


def test_hard_links_are_invalid(output: Path, tmp_path: Path, spec: MethodSpec) -> None:
    os.link(output / "images/brain/0.png", tmp_path / "twin.png")
    refuses(output, spec, "hard link")


def test_a_pipe_is_invalid_and_does_not_block(output: Path, spec: MethodSpec) -> None:
    (output / "images/brain/0.png").unlink()
    os.mkfifo(output / "images/brain/0.png")
    refuses(output, spec, "device, pipe or socket")


def test_an_unlisted_image_is_invalid(output: Path, spec: MethodSpec) -> None:
    (output / "images/brain/9.png").write_bytes(b"x")
    refuses(output, spec, "not in manifest")


@pytest.mark.parametrize("name", ["manifest.csv", "result.json", "images/femur/2.png"])
def test_a_missing_file_is_invalid(output: Path, spec: MethodSpec, name: str) -> None:
    (output / name).unlink()
    refuses(output, spec, "missing")


def test_a_result_with_unknown_fields_is_invalid(output: Path, spec: MethodSpec) -> None:
    (output / "result.json").write_text('{"peak_memory_mib": 1, "trained_parameters": 0, "steps": 0, "fid": 1}')
    refuses(output, spec, "fid")
