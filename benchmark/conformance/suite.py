"""All checks of one method, two at a time, and the report of them."""

from __future__ import annotations

import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from benchmark.conformance.bench import Bench, Limits
from benchmark.conformance.checks import CHECKS, Check, Finding, Verdict, failed, passed
from benchmark.conformance.subject import Subject, Undescribed, open_subject
from benchmark.contract import CONTRACT_VERSION
from benchmark.execution.engines import find_engine, sweep
from benchmark.execution.launchers import EngineOptions

DESCRIBES_ITSELF = "describes itself"
_AT_ONCE = 2

Progress = Callable[[str, int, int], None]
"""Called with (phase, done, total)."""


@dataclass(frozen=True)
class Line:
    """One check in a report: its name, verdict, seconds that it took, and what to say."""

    name: str
    verdict: Verdict
    seconds: float
    message: str


@dataclass(frozen=True)
class Report:
    """What the conformance suite found of one method.

    Attributes:
        target: as it was asked for.
        method, version: as it describes itself; empty where it does not.
        image_id: the image that was started; empty for a process.
        lines: the checks in their order.
    """

    target: str
    launcher: str
    method: str
    version: str
    image_id: str
    lines: tuple[Line, ...]

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return all(line.verdict != "fail" for line in self.lines)

    def to_json(self) -> dict[str, Any]:
        """The report as JSON data."""
        facts = asdict(self)
        checks = facts.pop("lines")
        return {**facts, "contract_version": CONTRACT_VERSION, "passed": self.passed, "checks": checks}


def check_method(
    target: str,
    launcher: str = "process",
    options: EngineOptions | None = None,
    progress: Progress | None = None,
    limits: Limits | None = None,
) -> Report:
    """Run the conformance suite.

    Args:
        target: a method by name or folder, or with an engine by image.
        launcher: `process`, `podman`, `docker` or `apptainer`.
        options: how the engine starts containers; each check gives them a label of its own.
        progress: told of every check that ended.
        limits: deadlines of the requests.

    Raises:
        UsageError: there is no such method, folder or image.
        BenchError: the engine does not work here, or the image must be built first.
    """
    tell = progress or (lambda phase, done, total: None)
    started = time.monotonic()
    labelled = replace(options or EngineOptions(), run=f"check-{uuid.uuid4().hex[:16]}")
    try:
        subject = open_subject(target, launcher, labelled)
    except Undescribed as fault:
        return Report(target, launcher, "", "", "", _undescribed(failed(str(fault)), time.monotonic() - started))
    facts = f"{subject.spec.name} {subject.spec.version}: {subject.spec.summary}"
    first = _line(DESCRIBES_ITSELF, passed(facts), time.monotonic() - started)
    with tempfile.TemporaryDirectory(prefix="fulora-bench-check-") as folder, _swept(subject, labelled.run):
        lines = _run(Bench(subject, Path(folder), limits or Limits()), tell)
    return Report(target, launcher, subject.spec.name, subject.spec.version, _image_id(subject), (first, *lines))


@contextmanager
def _swept(subject: Subject, run: str) -> Iterator[None]:
    """Leave no container of this check, also where the engine was too busy to remove one, or Ctrl-C came between."""
    try:
        yield
    finally:
        if subject.image is not None:
            sweep(find_engine(subject.launcher.name), run)


def _image_id(subject: Subject) -> str:
    return subject.image.id if subject.image else ""


def _undescribed(finding: Finding, seconds: float) -> tuple[Line, ...]:
    skipped = Finding("not applicable", f"see '{DESCRIBES_ITSELF}'")
    return (_line(DESCRIBES_ITSELF, finding, seconds), *(_line(check.name, skipped, 0.0) for check in CHECKS))


def _run(bench: Bench, tell: Progress) -> list[Line]:
    """The checks, two at a time; those that need an answer wait for the first one."""
    ended: list[str] = []

    def run(check: Check, answer: Future[Line] | None = None) -> Line:
        unanswered = answer is not None and answer.result().verdict == "fail"
        begin = time.monotonic()
        finding = Finding("not applicable", f"see '{CHECKS[0].name}'") if unanswered else check.run(bench)
        ended.append(check.name)
        tell("checks", len(ended), len(CHECKS))
        return _line(check.name, finding, time.monotonic() - begin)

    tell("checks", 0, len(CHECKS))
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        first = pool.submit(run, CHECKS[0])
        # Those that wait come last, so that they never hold a thread while others could work.
        others = sorted(CHECKS[1:], key=lambda check: check.needs_answer)
        rest = {check.name: pool.submit(run, check, first if check.needs_answer else None) for check in others}
        futures = {CHECKS[0].name: first, **rest}
        return [futures[check.name].result() for check in CHECKS]


def _line(name: str, finding: Finding, seconds: float) -> Line:
    return Line(name, finding.verdict, round(seconds, 2), finding.message)
