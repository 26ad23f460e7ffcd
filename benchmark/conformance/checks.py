"""The checks, one rule of the contract each: what was seen and, where a rule is broken, what to change."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmark.conformance.bench import Bench, Trial, classes
from benchmark.contract import InvalidResponse, Request
from benchmark.contract.exits import Exit

Verdict = Literal["pass", "fail", "note", "not applicable"]
_TOO_MUCH = 1_000_000
_MANY_IMAGES = 200
_PREPARE = "fulora-bench prepare"


@dataclass(frozen=True)
class Finding:
    """What a check found. A `note` breaks no rule; its message says what to think about."""

    verdict: Verdict
    message: str


@dataclass(frozen=True)
class Check:
    """One check; one that `needs_answer` means nothing where the ordinary request is not answered."""

    name: str
    run: Callable[[Bench], Finding]
    needs_answer: bool = False


def passed(message: str) -> Finding:
    """The rule is kept."""
    return Finding("pass", message)


def failed(message: str) -> Finding:
    """The rule is broken; the message says what to change."""
    return Finding("fail", message)


def answers(bench: Bench) -> Finding:
    """An ordinary request is answered with 0 and a valid response."""
    trial = bench.answer()
    return _answered(trial) or passed(f"{len(trial.response())} images in {trial.outcome.seconds:.1f} s")


def repeatable(bench: Bench) -> Finding:
    """The same request gives the same images."""
    again = bench.start(bench.request)
    fault = _answered(again)
    if fault:
        return failed(f"the second time, {fault.message}")
    before, after = bench.answer().response(), again.response()
    if before.manifest_sha256 == after.manifest_sha256:
        return passed("one seed, equal images")
    pairs = zip(before.files, before.sha256, after.sha256, strict=True)
    differing = [name for name, one, other in pairs if one != other]
    return failed(
        f"the same request gave other images ({differing[0]} and {len(differing) - 1} more). "
        "Draw every random number from the request's seed; do not use the time, or the order of a set or a folder."
    )


def seed_matters(bench: Bench) -> Finding:
    """Another seed gives other images; said, not demanded."""
    if not bench.subject.spec.synthesizes:
        return Finding("not applicable", "it yields no images")
    other = bench.start(bench.request.model_copy(update={"seed": bench.request.seed + 1}))
    fault = _answered(other)
    if fault:
        return failed(f"with another seed, {fault.message}")
    if other.response().manifest_sha256 != bench.answer().response().manifest_sha256:
        return passed("another seed, other images")
    return Finding(
        "note",
        "two seeds gave the same images. Right for a method without chance; else use the request's seed, or all "
        "repetitions of a run are one.",
    )


def labels_in_order(bench: Bench) -> Finding:
    """Two of the classes, in another order than that of the training images, are answered as they were asked."""
    request = bench.request.model_copy(update={"classes": classes(("thorax", "brain"))})
    trial = bench.start(request)
    fault = _answered(trial)
    if fault:
        return failed(
            f"asked for thorax and brain, in this order: {fault.message} "
            "Take classes and their order from request.json, not from the training images or a list of your own."
        )
    return passed("two classes in another order, as asked")


def refuses_no_json(bench: Bench) -> Finding:
    """A request.json that is not JSON ends with 2."""
    trial = bench.start(bench.request, spoil=lambda folder: (folder / "request.json").write_text("{ not JSON"))
    return _refused(trial, "request.json that is not JSON")


def refuses_other_version(bench: Bench) -> Finding:
    """A request in a version of the contract that nobody knows ends with 2."""
    trial = bench.start(bench.request, spoil=_rewriter(contract_version=99))
    return _refused(trial, "contract_version 99")


def refuses_strange_label(bench: Bench) -> Finding:
    """A training image of a class that the request does not have ends with 2."""
    fewer = bench.request.model_dump(mode="json")["classes"][:-1]
    trial = bench.start(bench.request, spoil=_rewriter(classes=fewer))
    return _refused(trial, f"a training label that is no class of the request ({bench.request.labels[-1]})")


def refuses_unknown_parameter(bench: Bench) -> Finding:
    """A parameter that the method does not have should end with 2; the suite never sends one, so it is a note."""
    parameters = {**bench.request.parameters, "no_such_parameter": 1}
    trial = bench.start(bench.request, spoil=_rewriter(parameters=parameters))
    if trial.outcome.exit_code == Exit.DONE:
        return Finding("note", "a parameter that it does not have was passed over: end with 2, so that a typo is seen")
    return _refused(trial, "an unknown parameter")


def tells_missing_weights(bench: Bench) -> Finding:
    """Without its weights a method ends with 3 and names the command that fetches them."""
    if not bench.subject.spec.needs.model:
        return Finding("not applicable", "it needs no weights")
    trial = bench.start(bench.request, with_model=False)
    if trial.outcome.exit_code != Exit.MISSING_DATA:
        return failed(
            f"without BENCH_MODEL it {_end(trial)}. End with 3 and a message that names the command: {_PREPARE} base."
        )
    if _PREPARE not in trial.said:
        return failed(f"ended with 3, but the message names no command '{_PREPARE} …': {trial.said or '(none)'}")
    return passed(f"3: {trial.said}")


def keeps_deadline(bench: Bench) -> Finding:
    """A request that is too much for its deadline ends by the method itself, with what is there."""
    limits = bench.limits
    # A machine on which an ordinary answer takes long is slow: that is not held against the method.
    slow = bench.answer().outcome.seconds
    trial = bench.start(_too_much(bench.request, limits.short), patience=slow)
    code = trial.outcome.exit_code
    if code in (Exit.DEADLINE, Exit.DONE):
        try:
            found = trial.response(partial=code == Exit.DEADLINE)
        except InvalidResponse as fault:
            return failed(
                f"ended with {code} at its deadline of {limits.short:g} s, but left no valid response: {fault}"
            )
        return passed(f"{code} after {trial.outcome.seconds:.1f} s with {len(found)} images")
    if code == 124:
        return failed(
            f"was still running {limits.grace + slow:.0f} s after its deadline of {limits.short:g} s, and was ended. "
            "Look at the clock between steps and images; in time, write manifest.csv and result.json and end with 5."
        )
    return failed(f"at its deadline of {limits.short:g} s it {_end(trial)}. Write what is there and end with 5.")


def tells_unwritable_output(bench: Bench) -> Finding:
    """An output that cannot be written ends with an error and a message."""
    trial = bench.start(bench.request, writable=False)
    code = trial.outcome.exit_code
    if code == Exit.DONE:
        return failed("ended with 0 although nothing could be written: let errors of writing end the program.")
    if code == 124:
        return failed("hung when its output could not be written: let errors of writing end the program.")
    if not trial.said:
        return failed(f"ended with {code} without a message: print one line on standard error that says what is wrong.")
    return passed(f"{code}: {trial.said}")


CHECKS: tuple[Check, ...] = (
    Check("answers", answers),
    Check("repeatable", repeatable, needs_answer=True),
    Check("seed matters", seed_matters, needs_answer=True),
    Check("labels and order", labels_in_order, needs_answer=True),
    Check("bad request: no JSON", refuses_no_json),
    Check("bad request: version", refuses_other_version),
    Check("bad request: label", refuses_strange_label),
    Check("bad request: parameter", refuses_unknown_parameter),
    Check("missing weights", tells_missing_weights),
    Check("deadline", keeps_deadline, needs_answer=True),
    Check("unwritable output", tells_unwritable_output, needs_answer=True),
)


def _too_much(request: Request, seconds: float) -> Request:
    steps = {"steps": _TOO_MUCH} if "steps" in request.parameters else {}
    changes = {
        "parameters": {**request.parameters, **steps},
        "steps": _TOO_MUCH,
        "images_per_class": _MANY_IMAGES,
        "deadline_seconds": seconds,
    }
    return request.model_copy(update=changes)


def _rewriter(**changes: object) -> Callable[[Path], object]:
    """Changes fields of a `request.json` behind the back of the code that would refuse them."""

    def rewrite(folder: Path) -> None:
        path = folder / "request.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return rewrite


def _answered(trial: Trial) -> Finding | None:
    """What is wrong with an answer, or `None`."""
    code = trial.outcome.exit_code
    if code != Exit.DONE:
        hints = {
            int(Exit.CANNOT_RUN_HERE): " Check it on a machine that has what it needs.",
            137: f" Its [needs] memory_mib is {trial.spec.needs.memory_mib}: raise it, or use less.",
        }
        return failed(f"it {_end(trial)}.{hints.get(code, '')}")
    try:
        trial.response()
    except InvalidResponse as fault:
        return failed(f"the response breaks the contract: {fault}")
    return None


def _refused(trial: Trial, what: str) -> Finding:
    """The finding for a request that must be refused: 2, a message, and nothing written."""
    if trial.outcome.exit_code != Exit.BAD_REQUEST:
        return failed(f"{what}: it {_end(trial)}. End with 2 and say on standard error what is wrong.")
    if not trial.said:
        return failed(f"{what}: ended with 2 without a message. Say on standard error what is wrong.")
    written = sorted(path.name for path in trial.output.iterdir())
    if written:
        return failed(f"{what}: ended with 2, but wrote {', '.join(written)}. Check the request before anything else.")
    return passed(f"2: {trial.said}")


def _end(trial: Trial) -> str:
    return f"ended with {trial.outcome.exit_code} ({trial.without_place(trial.outcome.message) or 'done'})"
