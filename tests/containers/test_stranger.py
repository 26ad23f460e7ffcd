"""A stranger's method that knows the contract alone: from a folder with a Containerfile to a row on the board."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from benchmark.contract import ClassSpec, Request, load_method, validate_response, write_request
from benchmark.execution.inputs import protocol_of
from benchmark.images.build import BuildOptions, build_images
from benchmark.profile import load_profile
from tests.engines import ENGINE_NAMES, TEST_BASE, TEST_PREFIX, engines, needs_engine, require_engine, small_images
from tests.tiny import UTILITY, bench, records, write_profile

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "speckled_mixtures"
PAGE = ROOT / "docs" / "images-of-methods.md"
METHODS = [{"name": "real_only"}, {"name": str(EXAMPLE)}]
SIZE = 32


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_profile(
        tmp_path_factory.mktemp("profile"), METHODS,
        repetitions=1, images_per_class=4, utility=UTILITY | {"mixes": ["real+synthetic"]},
    )  # fmt: skip


def board_row(run: Path) -> dict[str, Any]:
    frame = pd.read_csv(run / "leaderboard" / "main.csv")
    return dict(next(row for row in frame.to_dict("records") if row["method"] == "speckled_mixtures"))


def answer(
    folder: Path, spoil: Callable[[dict[str, Any]], object] = lambda request: None, only: str = "", **changes: Any
) -> tuple[subprocess.CompletedProcess[str], Request]:
    """Run the method by hand on the phantom; `spoil` changes request.json, `only` keeps the images of one label."""
    protocol = protocol_of(load_profile("smoke", [f"image_size={SIZE}"]))
    table = protocol.adaptation.table.reset_index(drop=True)
    kept = table.index[table["label"] == only] if only else table.index
    facts = {"images_per_class": 2, "deadline_seconds": 60.0} | changes
    request = Request(
        method="speckled_mixtures", parameters={"looks": 16}, seed=5, image_size=SIZE, steps=1,
        classes=tuple(ClassSpec(name=name, prompt=name) for name in ("thorax", "brain", "other", "abdomen", "femur")),
        **facts,
    )  # fmt: skip
    write_request(folder / "input", request, protocol.adaptation.pixels[kept], table.loc[kept])
    file = folder / "input" / "request.json"
    told = json.loads(file.read_text())
    spoil(told)
    file.write_text(json.dumps(told))
    (folder / "output").mkdir()
    environment = {"BENCH_INPUT": str(folder / "input"), "BENCH_OUTPUT": str(folder / "output")}
    command = load_method(EXAMPLE).command_line(sys.executable)
    done = subprocess.run(
        command, env={"PATH": os.environ["PATH"], **environment}, capture_output=True, text=True, check=False
    )
    return done, request


@engines()
def test_its_image_is_built_and_a_run_in_containers_gives_it_a_row(engine_name: str, profile: Path, tmp_path: Path):
    lent = small_images(engine_name, "real-only", "suite")
    build_images([str(EXAMPLE)], BuildOptions(engine=engine_name, prefix=TEST_PREFIX, base=TEST_BASE))
    settings = [f"execution.images={TEST_PREFIX}", f"execution.engine_arguments={json.dumps(lent)}"]
    options = [part for setting in settings for part in ("--set", setting)]
    bench("run", profile, "--launcher", engine_name, *options, "--out", tmp_path / "run")
    row = board_row(tmp_path / "run")
    assert (row["status"], row["repetitions"], row["n_per_class"]) == ("ok", "1/1", 4)
    assert row["accuracy"] > 0 and row["kid"] > 0
    generated = [
        attempts[-1]
        for attempts in records(tmp_path / "run").values()
        if attempts[-1]["cell"]["kind"] == "generate" and attempts[-1]["cell"]["method"] == "speckled_mixtures"
    ]
    assert [(record["launcher"], record["isolation"]) for record in generated] == [(engine_name, "container")]


@needs_engine
def test_its_image_keeps_the_contract():
    engine = require_engine(ENGINE_NAMES[0]).name
    build_images([str(EXAMPLE)], BuildOptions(engine=engine, prefix=TEST_PREFIX, base=TEST_BASE))
    bench("check", f"{TEST_PREFIX}/speckled-mixtures:latest", "--launcher", engine)


def test_as_a_process_it_gets_a_row_that_is_no_copy(profile: Path, tmp_path: Path):
    bench("run", profile, "--out", tmp_path / "run")
    row = board_row(tmp_path / "run")
    assert (row["status"], row["ranked"], row["n_per_class"]) == ("ok", True, 4)
    memorisation = pd.read_csv(tmp_path / "run" / "leaderboard" / "memorisation.csv").set_index("method")
    assert memorisation["near_copies"]["speckled_mixtures"] == 0
    assert not memorisation["flagged"]["speckled_mixtures"]


def test_as_a_process_it_keeps_the_contract():
    bench("check", EXAMPLE)


def test_at_its_deadline_it_leaves_a_valid_rest_and_ends_with_five(tmp_path: Path):
    done, request = answer(tmp_path, images_per_class=100_000, deadline_seconds=1.0)
    assert done.returncode == 5
    rest = validate_response(tmp_path / "output", request, load_method(EXAMPLE), partial=True)
    assert 0 < len(rest) < 500_000
    assert f"{len(rest)} of 500000 images" in done.stderr.splitlines()[-1]


def test_classes_without_images_are_missing_data_and_nothing_is_written(tmp_path: Path):
    done, _ = answer(tmp_path, only="brain")
    assert done.returncode == 3
    assert "three training images" in done.stderr.splitlines()[-1]
    assert not list((tmp_path / "output").iterdir())


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda request: request.update(contract_version=2), id="another version"),
        pytest.param(lambda request: request["parameters"].update(looks=0), id="out of range"),
        pytest.param(lambda request: request["parameters"].update(look=16), id="unknown parameter"),
        pytest.param(lambda request: request["parameters"].clear(), id="no parameter"),
        pytest.param(lambda request: request["classes"].pop(), id="label without class"),
        pytest.param(lambda request: request.pop("deadline_seconds"), id="no deadline"),
    ],
)
def test_a_bad_request_ends_with_two_and_nothing_is_written(spoil: Callable[[dict[str, Any]], object], tmp_path: Path):
    done, _ = answer(tmp_path, spoil)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("bad request: ")
    assert not list((tmp_path / "output").iterdir())


@pytest.mark.parametrize("name", ["Containerfile", "method.toml", "method.py"])
def test_the_page_shows_the_files_as_they_are(name: str):
    assert f"\n{(EXAMPLE / name).read_text()}```\n" in PAGE.read_text()


def test_it_takes_thirty_lines_beside_its_imports_and_knows_nothing_of_the_suite():
    source = (EXAMPLE / "method.py").read_text()
    code = [line for line in source.splitlines() if line and not line.startswith(("import ", "from ", '"""'))]
    assert len(code) <= 30
    assert not any(name in source for name in ("import benchmark", "from benchmark", "torch"))
