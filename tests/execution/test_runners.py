"""What a cell is started with, and what its record says of that."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.errors import UnknownNameError, UsageError
from benchmark.execution.cells import attempt
from benchmark.execution.engines import Engine, Image
from benchmark.execution.jobs import Job, Runner
from benchmark.execution.runners import find_method
from benchmark.profile import load_profile
from benchmark.records import Cell

IN_PODMAN = Runner("podman", start="sha256:1", image={"engine": "podman", "image_id": "sha256:1"})


def test_a_cell_that_never_started_still_names_its_image(tmp_path: Path):
    job = Job(
        cell=Cell(kind="utility", protocol="nowhere", method="real_only", repetition=0),
        key="",
        inputs={},
        seed=0,
        profile=load_profile("smoke").model_copy(update={"protocol": "nowhere"}),
        device="cpu",
        store=tmp_path,
        upstream={},
        runner=IN_PODMAN,
    )
    result = attempt(job, tmp_path)
    assert result.status == "failed"
    assert (result.launcher, result.isolation) == ("podman", "container")
    assert result.container["image_id"] == "sha256:1"


def test_a_process_names_no_image():
    assert Runner().facts() == {}


def test_a_method_is_found_by_name_or_folder_and_an_image_needs_an_engine(tmp_path: Path):
    assert find_method("gan", None).name == "gan"
    own = Path(__file__).parents[1] / "methods" / "copies"
    assert find_method(str(own), None).name == "copies"
    with pytest.raises(UsageError, match="an image needs --launcher"):
        find_method("localhost/somebody/theirs:1.0", None)
    with pytest.raises(UnknownNameError, match="Did you mean gan"):
        find_method("gann", None)


@pytest.mark.parametrize("label", ["{", "[]", "null", "7"])
def test_a_label_that_is_no_list_of_sources_names_none(label: str):
    image = Image("x", "sha256:1", "", {"org.fulora-bench.sources": label}, 0)
    assert image.sources == {}


def test_what_an_engine_gives_is_bounded(tmp_path: Path):
    program = tmp_path / "engine"
    program.write_text("#!/bin/sh\nexec cat /dev/zero\n")
    program.chmod(0o755)
    engine = Engine("podman", str(program), "1", rootless=False)
    with pytest.raises(Exception, match="more than 1000 bytes"):
        engine.read(1000, "cp")
