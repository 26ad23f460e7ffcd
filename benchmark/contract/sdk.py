"""The SDK for methods in Python: a method fits and samples, this module does the rest.

from benchmark.contract.sdk import main

class Mine:
    def fit(self, train, context): ...
    def sample(self, label, n, context): ...   # uint8, shape (n, size, size)

if __name__ == "__main__":
    main(lambda context: Mine())
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import random
import resource
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError

from benchmark.contract.exits import BadRequest, DeadlineReached, Exit, MethodError
from benchmark.contract.method import first_fault
from benchmark.contract.png import write_gray
from benchmark.contract.request import Request, TrainingSet, read_request, read_training_set, write_rows
from benchmark.contract.response import RESPONSE_COLUMNS, Result
from benchmark.errors import BenchError
from benchmark.keys import named_seed

P = TypeVar("P", bound=BaseModel)
_STARTED = time.monotonic()
_PROGRESS_INTERVAL = 0.5
_REPORTED_PACKAGES = ("torch", "diffusers", "peft", "transformers", "accelerate", "numpy", "safetensors")


@dataclass
class Context:
    """What a method may use while it runs, and what it tells the host.

    Attributes:
        request: what was asked for.
        input, output: the request and response folders.
        model: folder with weights, or None.
        threads: torch threads that the host grants, or None.
        trained_parameters, steps, notes, timings: end up in `result.json`; the method fills them.
    """

    request: Request
    input: Path
    output: Path
    model: Path | None = None
    threads: int | None = None
    trained_parameters: int = 0
    steps: int = 0
    notes: list[str] = field(default_factory=list)
    timings: dict[str, float] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)
    _last_progress: tuple[str, float] = ("", 0.0)

    @property
    def remaining_seconds(self) -> float:
        """Time until the method should stop: a tenth of the deadline, at most 10 s, is kept for writing."""
        deadline = self.request.deadline_seconds
        return deadline - min(10.0, 0.1 * deadline) - (time.monotonic() - self.started)

    def check_deadline(self) -> None:
        """Call between steps and batches.

        Raises:
            DeadlineReached: time is up; let it pass through, the SDK writes what is there.
        """
        if self.remaining_seconds <= 0:
            raise DeadlineReached(f"the deadline of {self.request.deadline_seconds:g} s is reached")

    def parameters_as(self, model: type[P]) -> P:
        """The request's parameters as a pydantic model of the method's own.

        Raises:
            BadRequest: a parameter is missing, unknown, of another type or out of range.
        """
        try:
            return model.model_validate(self.request.parameters)
        except ValidationError as error:
            raise BadRequest(f"parameters of {self.request.method}: {first_fault(error)}.") from error

    def progress(self, stage: str, done: int, total: int) -> None:
        """Tell the host how far a stage is; written to `progress.jsonl` at most twice a second."""
        now = time.monotonic()
        if stage == self._last_progress[0] and now - self._last_progress[1] < _PROGRESS_INTERVAL and done < total:
            return
        self._last_progress = (stage, now)
        line = {"seconds": round(now - self.started, 2), "stage": stage, "done": done, "total": total}
        with (self.output / "progress.jsonl").open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")

    def seed(self, *parts: object) -> int:
        """A seed in [0, 2^31) of this request's seed and a name, for a generator of the method's own."""
        return named_seed(self.request.seed, *parts)

    def image_seeds(self, label: str, n: int) -> list[int]:
        """Seeds of the n images of a class; the manifest records them, so use them to draw the noise."""
        return [self.seed("image", label, index) for index in range(n)]


class Method(Protocol):
    """What the author of a method writes."""

    def fit(self, train: TrainingSet, context: Context) -> None:
        """Learn from the training images."""

    def sample(self, label: str, n: int, context: Context) -> NDArray[np.uint8]:
        """n images of a class, uint8 of shape (n, size, size); an empty array from a method that yields nothing."""


def main(create: Callable[[Context], Method]) -> NoReturn:
    """Run a method on the folders that the environment names, and exit with the contract's code."""
    sys.exit(run_method(create))


def run_method(create: Callable[[Context], Method], environ: Mapping[str, str] | None = None) -> int:
    """As `main`, but return the exit code. The last line on stderr is the message for people.

    Args:
        create: makes the method; heavy imports belong in it, or in its module.
        environ: `BENCH_INPUT`, `BENCH_OUTPUT`, optionally `BENCH_MODEL` and `BENCH_THREADS`
            (default: the process environment; the time before this call counts towards the deadline).
    """
    started = _STARTED if environ is None else time.monotonic()
    try:
        context, train = _open(os.environ if environ is None else environ, started)
        return _fit_and_sample(create, context, train)
    except BenchError as error:
        code = error.exit_code if isinstance(error, MethodError) else int(Exit.BAD_REQUEST)
        return _told(str(error), code)
    except Exception as error:  # the border of the process: whatever it was becomes exit code 70
        traceback.print_exc()
        return _told(f"{type(error).__name__}: {error}", int(Exit.INTERNAL_ERROR))


def _told(message: str, code: int) -> int:
    print(" ".join(message.split()), file=sys.stderr, flush=True)
    return code


def _open(environ: Mapping[str, str], started: float) -> tuple[Context, TrainingSet]:
    for name in ("BENCH_INPUT", "BENCH_OUTPUT"):
        if not environ.get(name):
            raise BadRequest(f"{name} is not set: methods are started by 'fulora-bench run', not by hand.")
    source, output = Path(environ["BENCH_INPUT"]), Path(environ["BENCH_OUTPUT"])
    if not output.is_dir():
        raise BadRequest(f"BENCH_OUTPUT names {output}, which is no folder.")
    request = read_request(source)
    threads = environ.get("BENCH_THREADS", "")
    if threads and not (threads.isdigit() and int(threads) > 0):
        raise BadRequest(f"BENCH_THREADS must be a positive whole number, not '{threads}'.")
    context = Context(
        request=request,
        input=source,
        output=output,
        model=Path(environ["BENCH_MODEL"]) if environ.get("BENCH_MODEL") else None,
        threads=int(threads) if threads else None,
        started=started,
    )
    return context, read_training_set(source, request)


def _fit_and_sample(create: Callable[[Context], Method], context: Context, train: TrainingSet) -> int:
    rows: list[tuple[str, str, int, str]] = []
    reached: DeadlineReached | None = None
    try:
        _prepare(context, "create")
        method = create(context)
        begin = time.monotonic()
        context.timings["start_seconds"] = begin - context.started
        _prepare(context, "fit")
        try:
            method.fit(train, context)
        finally:
            context.timings["fit_seconds"] = time.monotonic() - begin
        begin = time.monotonic()
        try:
            for label in context.request.labels:
                rows += _sample_class(method, label, context)
        finally:
            context.timings["sample_seconds"] = time.monotonic() - begin
    except DeadlineReached as error:
        reached = error
        context.notes.append(f"{error}: {len(rows)} images were written.")
    write_rows(context.output / "manifest.csv", RESPONSE_COLUMNS, rows)
    _write_result(context)
    return _told(str(reached), int(Exit.DEADLINE)) if reached else int(Exit.DONE)


def _sample_class(method: Method, label: str, context: Context) -> list[tuple[str, str, int, str]]:
    request = context.request
    context.check_deadline()
    _prepare(context, "sample", label)
    images = np.asarray(method.sample(label, request.images_per_class, context))
    size = request.image_size
    if images.dtype != np.uint8 or images.ndim != 3 or images.shape[1:] != (size, size):
        raise TypeError(f"sample('{label}') gave {images.dtype} {images.shape}, not uint8 (n, {size}, {size})")
    if len(images) > request.images_per_class:
        raise TypeError(f"sample('{label}') gave {len(images)} images, not {request.images_per_class}")
    (context.output / "images" / label).mkdir(parents=True, exist_ok=True)
    rows = []
    for index, seed in enumerate(context.image_seeds(label, len(images))):
        name = f"images/{label}/{index:05d}.png"
        digest = write_gray(context.output / name, np.ascontiguousarray(images[index]))
        rows.append((name, label, seed, digest))
    return rows


def _prepare(context: Context, *stage: str) -> None:
    """Seed every generator by the stage's name and grant the threads; torch only if the method uses it."""
    seed = context.seed(*stage)
    random.seed(seed)
    np.random.seed(seed)
    torch: Any = sys.modules.get("torch")
    if torch is None:
        return
    torch.manual_seed(seed)
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    if context.threads:
        torch.set_num_threads(context.threads)


def _write_result(context: Context) -> None:
    """Written last and by renaming: a result that is there is whole."""
    torch: Any = sys.modules.get("torch")
    on_gpu = torch is not None and context.request.device == "cuda" and torch.cuda.is_available()
    versions = {name: importlib.metadata.version(name) for name in _REPORTED_PACKAGES if name in sys.modules}
    result = Result(
        timings={name: round(seconds, 3) for name, seconds in context.timings.items()},
        peak_memory_mib=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        peak_gpu_memory_mib=round(torch.cuda.max_memory_allocated() / 2**20, 1) if on_gpu else None,
        trained_parameters=context.trained_parameters,
        steps=context.steps,
        notes=tuple(context.notes),
        versions={"python": sys.version.split()[0], **versions},
    )
    draft = context.output / "result.json.part"
    draft.write_text(result.model_dump_json(indent=2) + "\n", encoding="utf-8")
    draft.rename(context.output / "result.json")
