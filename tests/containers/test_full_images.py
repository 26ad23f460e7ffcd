"""The images that users build: smoke gives the numbers of plain processes, and each method keeps the contract.

One file, so that tests in parallel build the images once (`--dist loadfile`). The short form (`tests.length`) builds
all images and runs a part of smoke in them: each image but one, whose method stands on the code and libraries of
fu_lora; one cell of fidelity and one of utility for every method. It checks the contract in the image of fu_lora, which
is the most that a method here imports; in small images `test_run`, `test_stranger` and `conformance` start others.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from benchmark.images.build import BuildOptions, build_images
from tests.engines import ENGINE_NAMES, FULL_BASE, IMAGES, needs_images, require_engine
from tests.length import FULL
from tests.tiny import bench, records

METHODS = ["real_only", "classical_copy", "gan", "fu_lora", "full_finetune", "base_untuned"]
PART = () if FULL else (
    *(word for name in METHODS[:4] for word in ("--method", name)),
    "--set", "fidelity.references=[heldout]", "--set", "utility.mixes=[real+synthetic]",
    "--set", "utility.controls=[natural]", "--set", "utility.upper_reference=false",
)  # fmt: skip
"""Options that leave out of smoke what repeats the same code."""


def measured(run: Path) -> dict[tuple[str, ...], Any]:
    """Status, metrics, scores and synthetic set of every cell, and its seconds apart."""
    found = {}
    for (record,) in records(run).values():
        outputs = {name: record["outputs"].get(name) for name in ("synthetic_sha256", "training_loss", "n_images")}
        found[tuple(map(str, record["cell"].values()))] = (
            record["status"],
            record["metrics"],
            record["scores"],
            outputs,
        )
    return found


def seconds(run: Path) -> dict[str, list[float]]:
    """Seconds of the cells by kind."""
    found: dict[str, list[float]] = {}
    for (record,) in records(run).values():
        found.setdefault(record["cell"]["kind"], []).append(record["seconds"])
    return found


@needs_images
@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_smoke_in_images_gives_the_numbers_of_processes_to_the_last_digit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    require_engine("podman")
    begin = time.monotonic()
    bench("containers", "build", "--engine", "podman", "--base", FULL_BASE, "--prefix", IMAGES)
    built = time.monotonic()
    images = ("--set", f"execution.images={IMAGES}")
    bench("run", "smoke", *PART, "--launcher", "podman", *images, "--out", tmp_path / "podman")
    ran = time.monotonic()
    bench("run", "smoke", *PART, "--launcher", "process", "--out", tmp_path / "process")
    ours, theirs = measured(tmp_path / "podman"), measured(tmp_path / "process")
    assert {status for status, *_ in ours.values()} == {"ok"}
    assert ours == theirs
    times = {name: seconds(tmp_path / name) for name in ("process", "podman")}
    with capsys.disabled():
        print(f"\nimages built in {built - begin:.0f} s, smoke in containers {ran - built:.0f} s", end="")
        print(f", by processes {time.monotonic() - ran:.0f} s")
        for kind, own in times["podman"].items():
            extra = (sum(own) - sum(times["process"][kind])) / len(own)
            print(f"  {kind}: {len(own)} cells, {extra:+.1f} s a cell in a container")


@needs_images
@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS if FULL else ["fu_lora"])
def test_ours_pass_in_their_images(name: str) -> None:
    engine = require_engine(ENGINE_NAMES[0]).name
    build_images([name], BuildOptions(engine=engine, prefix=IMAGES, base=FULL_BASE))
    done = bench("check", name, "--launcher", engine, "--images", IMAGES, "--json", check=None)
    report = json.loads(done.stdout)
    verdicts = {entry["name"]: entry["verdict"] for entry in report["checks"]}
    needs_weights = name in ("fu_lora", "full_finetune", "base_untuned")
    assert verdicts["missing weights"] == ("pass" if needs_weights else "not applicable")
    assert [entry for entry in report["checks"] if entry["verdict"] == "fail"] == []
    assert report["passed"] and report["image_id"] and done.returncode == 0
