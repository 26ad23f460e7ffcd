"""The conformance suite on images: the same checks, with what only a container can do."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmark.conformance import suite
from benchmark.conformance.bench import Bench, Limits
from benchmark.conformance.checks import Check, Finding
from benchmark.conformance.suite import DESCRIBES_ITSELF, Report, check_method
from benchmark.execution.engines import LABEL_RUN, find_engine
from tests.conformance.faults import FAULTS
from tests.engines import (
    ENGINE_NAMES,
    TEST_BASE,
    engines,
    needs_engine,
    require_engine,
)
from tests.tiny import bench

QUICK = Limits(ordinary=60.0, short=1.5, grace=4.0)
LABEL = "LABEL org.fulora-bench.contract=1"
IN_A_CONTAINER = ("more memory than it says", "no look at the clock", "errors of writing that are passed over")


def failures(report: Report) -> dict[str, str]:
    return {line.name: line.message for line in report.lines if line.verdict == "fail"}


@pytest.fixture
def image(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Builds an image of its own name from these lines and a folder; removed at the end."""
    made: list[tuple[str, str]] = []

    def build(engine_name: str, folder: Path, *lines: str) -> str:
        engine = require_engine(engine_name)
        reference = f"localhost/fulora-bench-check/{uuid.uuid4().hex[:12]}:latest"
        file = tmp_path / "Containerfile"
        file.write_text("\n".join([f"FROM {TEST_BASE}", *lines]) + "\n")
        engine.call("build", f"--file={file}", f"--tag={reference}", str(folder), seconds=300)
        made.append((engine_name, reference))
        return reference

    yield build
    for engine_name, reference in made:
        find_engine(engine_name).call("image", "rm", "-f", reference)


@engines()
def test_an_image_that_keeps_the_contract_passes_every_check(
    engine_name: str, method: Callable[..., Path], image: Callable[..., str]
) -> None:
    reference = image(engine_name, method(), LABEL, "COPY . /method")
    report = check_method(reference, engine_name, limits=QUICK)
    told = {line.name: line.verdict for line in report.lines}
    assert told.pop("missing weights") == "not applicable"
    assert set(told.values()) == {"pass"}, report
    assert (report.method, report.launcher, report.image_id[:7]) == ("plain", engine_name, "sha256:")


@needs_engine
@pytest.mark.parametrize("title", IN_A_CONTAINER)
def test_what_a_container_forbids_is_found_as_it_is_in_a_process(
    title: str, method: Callable[..., Path], image: Callable[..., str]
) -> None:
    fault = next(entry for entry in FAULTS if entry.title == title)
    reference = image(ENGINE_NAMES[0], method(fault.edits), LABEL, "COPY . /method")
    report = check_method(reference, ENGINE_NAMES[0], limits=QUICK)
    assert list(failures(report)) == [fault.check], report
    assert fault.says.partition(" of ")[0] in failures(report)[fault.check]


@needs_engine
@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (["COPY . /method"], "put LABEL org.fulora-bench.contract=1 in its Containerfile"),
        (["LABEL org.fulora-bench.contract=99", "COPY . /method"], "this suite speaks version 1"),
        ([LABEL], "holds no /method/method.toml"),
        ([LABEL, "RUN mkdir /method && echo 'name = 1' > /method/method.toml"], "field 'name'"),
    ],
)
def test_an_image_that_does_not_describe_itself_is_told_what_is_missing(
    lines: list[str], says: str, method: Callable[..., Path], image: Callable[..., str]
) -> None:
    report = check_method(image(ENGINE_NAMES[0], method(), *lines), ENGINE_NAMES[0])
    assert list(failures(report)) == [DESCRIBES_ITSELF]
    assert says in failures(report)[DESCRIBES_ITSELF]


@needs_engine
def test_an_image_that_is_not_there_is_an_error_of_usage() -> None:
    done = bench("check", "localhost/fulora-bench-check/none:latest", "--launcher", ENGINE_NAMES[0], check=2)
    assert "Nothing is pulled" in done.stderr


@needs_engine
def test_a_check_that_is_interrupted_leaves_no_container(
    method: Callable[..., Path], image: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = require_engine(ENGINE_NAMES[0])
    reference = image(engine.name, method(), LABEL, "COPY . /method")
    left: list[str] = []

    def interrupted(bench: Bench) -> Finding:
        """As if the engine had been too busy to remove a container, and Ctrl-C came then."""
        run = bench.subject.launcher.options.run  # type: ignore[attr-defined]
        told = engine.call("create", f"--label={LABEL_RUN}={run}", "--entrypoint=/bin/true", reference)
        left.append(told.strip().splitlines()[-1])
        raise KeyboardInterrupt

    monkeypatch.setattr(suite, "CHECKS", (Check("answers", interrupted),))
    with pytest.raises(KeyboardInterrupt):
        check_method(reference, engine.name, limits=QUICK)
    assert len(left) == 1 and left[0] not in engine.call("ps", "-a", "-q", "--no-trunc").split()
