"""The apptainer launcher against a stand-in program: it is not installable where the tests run.

The stand-in answers `--version` and `inspect`, and its `exec` runs the command on the host with the folders that
were bound. What it shows is our side: arguments, outcome, image identity. It shows nothing of apptainer's isolation.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from benchmark.errors import BenchError, UsageError
from benchmark.execution.engines import find_engine, inspect_image, read_description
from benchmark.execution.launch import Launch, Outcome
from benchmark.execution.launchers import EngineOptions, image_method, open_launcher, start_name
from benchmark.execution.runners import find_method
from benchmark.keys import file_sha256

STAND_IN = f"""#!{sys.executable}
import json, os, sys
arguments = sys.argv[1:]
if arguments == ["--version"]:
    print("apptainer version 1.3.4")
elif arguments[0] == "inspect":
    print(json.dumps({{"data": {{"attributes": {{"labels": {{"org.fulora-bench.contract": "1"}}}}}}}}))
elif arguments[0] == "exec":
    image = next(position for position, word in enumerate(arguments) if word.endswith(".sif"))
    options, command = arguments[1:image], arguments[image + 1:]
    if command[0] == "cat":
        sys.stdout.write(open(arguments[image] + ".toml").read()); sys.exit()
    pairs = zip(options, options[1:])
    environment = dict(value.split("=", 1) for name, value in pairs if name == "--env")
    bound = dict(value.split(":")[1::-1] for name, value in zip(options, options[1:]) if name == "--bind")
    environment = {{name: bound.get(value, value) for name, value in environment.items()}}
    os.execve({sys.executable!r}, [{sys.executable!r}, *command[1:]], environment | {{"PATH": os.environ["PATH"]}})
"""
METHOD = """
name = "strange"
version = "1"
summary = "A stranger's method."
synthesizes = true
command = ["python3", "{folder}/run.py"]
"""


@pytest.fixture
def image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "apptainer"
    program.write_text(STAND_IN)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    image = tmp_path / "strange.sif"
    image.write_bytes(b"an image file")
    Path(f"{image}.toml").write_text(METHOD)
    return image


def run(image: Path, script: str, **limits: float) -> Outcome:
    folders = {name: image.parent / name for name in ("in", "out")}
    for folder in folders.values():
        folder.mkdir()
    return open_launcher("apptainer", EngineOptions()).launch(
        Launch(
            command=("python3", "-c", script),
            input=folders["in"],
            output=folders["out"],
            model=None,
            threads=1,
            deadline_seconds=limits.get("deadline", 20),
            memory_mib=256,
            image=str(image),
        )
    )


def test_a_method_is_run_from_its_image_file_and_what_is_not_limited_is_told(image: Path):
    outcome = run(
        image, "import os, pathlib; pathlib.Path(os.environ['BENCH_OUTPUT'], 'a').write_text(os.environ['HOME'])"
    )
    assert (outcome.status, outcome.isolation) == ("ok", "container")
    assert (image.parent / "out" / "a").read_text() == "/tmp"
    assert "tmp" in outcome.unlimited


def test_its_exit_code_and_last_line_are_told(image: Path):
    outcome = run(image, "import sys; print('no data', file=sys.stderr); sys.exit(3)")
    assert (outcome.status, outcome.exit_code) == ("failed", 3)
    assert outcome.message.endswith("no data")


def test_it_is_ended_at_its_deadline(image: Path):
    assert run(image, "import time; time.sleep(60)", deadline=1).status == "timeout"


def test_an_image_file_is_known_by_its_content_and_started_by_its_path(image: Path):
    engine = find_engine("apptainer")
    found = inspect_image(engine, str(image))
    assert found is not None
    assert found.id == f"sha256:{file_sha256(image)}"
    assert start_name(engine, found) == str(image)
    assert b"strange" in read_description(engine, found)
    spec = image_method(engine, str(image))
    assert spec is not None
    assert (spec.name, spec.source_sha256) == ("strange", found.id)
    assert str(image.parent) not in json.dumps(spec.model_dump(mode="json"))
    assert inspect_image(engine, str(image.parent / "other.sif")) is None


def test_a_run_takes_an_image_file_by_its_path(image: Path):
    spec = find_method(str(image), find_engine("apptainer"))
    assert (spec.name, spec.image_reference) == ("strange", str(image))


def test_a_description_that_does_not_end_is_no_description(image: Path):
    Path(f"{image}.toml").write_bytes(b"#" * (3 << 20))
    engine = find_engine("apptainer")
    found = inspect_image(engine, str(image))
    assert found is not None
    with pytest.raises(UsageError, match=r"holds no /method/method\.toml"):
        read_description(engine, found)


def test_without_apptainer_the_message_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BenchError, match="--launcher process"):
        find_engine("apptainer")
