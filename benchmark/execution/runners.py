"""From a profile's launcher to what every cell is started with: engine asked, images found, faults told beforehand."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmark.contract import MethodSpec
from benchmark.contract.method import FILE_NAME
from benchmark.errors import BenchError, UsageError
from benchmark.execution.container import EngineOptions
from benchmark.execution.engines import Engine, Image, find_engine, gpu_fault, sweep
from benchmark.execution.jobs import Runner
from benchmark.execution.launch import Launch
from benchmark.execution.launchers import image_method, method_image, start_name, suite_image
from benchmark.keys import content_key
from benchmark.matrix import SUITE
from benchmark.methods import find_methods, get_method
from benchmark.profile import ExecutionPlan
from benchmark.records import Cell

_PROBE_SECONDS = 120.0


@dataclass(frozen=True)
class Runners:
    """What the cells of one run are started with.

    Attributes:
        launcher: the resolved launcher.
        engine: its container engine, `None` for processes.
        by_name: a runner for every method, and for `suite`, where there are images.
        gpu: whether cells use the GPU.
    """

    launcher: str = "process"
    engine: Engine | None = None
    options: EngineOptions = field(default_factory=EngineOptions)
    by_name: Mapping[str, Runner] = field(default_factory=dict)
    gpu: bool = False

    @property
    def images(self) -> dict[str, str]:
        """Image ids by the same names; empty for processes."""
        return {name: str(runner.image["image_id"]) for name, runner in self.by_name.items()}

    def of(self, cell: Cell) -> Runner:
        """The runner of a cell."""
        if self.engine is None:
            return Runner()
        return self.by_name[cell.method if cell.kind == "generate" else SUITE]

    def probe(self) -> None:
        """Start one container that copies an empty file: what the engine cannot do here is told before the first cell.

        Raises:
            BenchError: the engine does not start it; the message has its reason.
        """
        if self.engine is None:
            return
        runner = self.by_name[SUITE]
        with tempfile.TemporaryDirectory(prefix="fulora-bench-") as folder:
            places = [Path(folder) / name for name in ("input", "output")]
            for place in places:
                place.mkdir()
            (places[0] / "probe").touch()
            outcome = runner.open().launch(
                Launch(
                    command=("cp", "/input/probe", "/output/probe"),
                    input=places[0],
                    output=places[1],
                    model=None,
                    threads=1,
                    deadline_seconds=_PROBE_SECONDS,
                    memory_mib=256,
                    image=runner.start,
                    gpu=self.gpu,
                    trusted=True,
                )
            )
        if outcome.status != "ok":
            raise BenchError(
                f"{self.engine.name} does not run a container here: {outcome.message}. "
                "See docs/execution.md (odd hosts), or use --launcher process."
            )

    def sweep(self) -> int:
        """Remove the containers that an earlier call into this run left; returns how many."""
        return sweep(self.engine, self.options.run) if self.engine else 0


def open_engine(launcher: str, plan: ExecutionPlan, folder: Path) -> tuple[Engine | None, EngineOptions]:
    """The launcher's engine and how it starts containers; the run's label stands for its folder.

    Raises:
        BenchError: the engine does not work here.
    """
    options = EngineOptions(plan.engine_arguments, content_key(str(folder.resolve()))[:16], plan.images)
    return (None if launcher == "process" else find_engine(launcher)), options


def open_runners(
    engine: Engine | None, options: EngineOptions, methods: Mapping[str, MethodSpec], device: str
) -> Runners:
    """Find the image of every method and that of the suite.

    Raises:
        BenchError: an image is missing or stale, or the engine cannot hand in the GPU; each names its remedy.
    """
    if engine is None:
        return Runners()
    if device == "cuda" and (fault := gpu_fault(engine)):
        raise BenchError(f"this run uses a GPU, but {fault}; or set execution.device=cpu.")
    if SUITE in methods:
        raise UsageError(f"a method cannot be called '{SUITE}': the suite's own image is. Rename it in method.toml.")
    images = {name: method_image(engine, spec, options) for name, spec in methods.items()}
    images[SUITE] = suite_image(engine, options)
    runners = {name: _runner(engine, options, image) for name, image in images.items()}
    return Runners(engine.name, engine, options, runners, gpu=device == "cuda")


def _runner(engine: Engine, options: EngineOptions, image: Image) -> Runner:
    facts: dict[str, Any] = {
        "engine": engine.name,
        "engine_version": engine.version,
        "rootless": engine.rootless,
        "image": Path(image.reference).name if engine.name == "apptainer" else image.reference,
        "image_id": image.id,
        "image_digest": image.digest,
    }
    return Runner(engine.name, options, start_name(engine, image), facts)


def find_method(name: str, engine: Engine | None) -> MethodSpec:
    """A method by its name, by the path of its folder, or with an engine by its image.

    Raises:
        UnknownNameError: nothing is called so.
        UsageError: the path or the image holds no readable `method.toml`.
    """
    path = Path(name).expanduser()
    if name in find_methods():
        return get_method(name)
    if path.is_dir() or path.name == FILE_NAME:
        return get_method(str(path.resolve()))
    found = image_method(engine, name) if engine else None
    if found is not None:
        return found
    if "/" in name or ":" in name:
        where = f"no image of {engine.name} on this host" if engine else "an image needs --launcher podman or docker"
        raise UsageError(
            f"{name} is no folder here, and {where}. Nothing is pulled: build or load an image before the run."
        )
    return get_method(name)  # raises, with the nearest names
