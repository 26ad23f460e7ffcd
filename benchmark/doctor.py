"""What this machine can do: cores, memory, disk, GPU, engines, cached data and weights, offline readiness."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from benchmark.cohorts.cache import cache_dir
from benchmark.cohorts.registry import COHORTS
from benchmark.errors import BenchError
from benchmark.execution.engines import ENGINES, find_engine
from benchmark.fidelity.extractors import EXTRACTORS, load_extractor
from benchmark.methods import find_methods, find_models
from benchmark.models import resolve_base_model


def examine() -> dict[str, Any]:
    """Facts of this machine as plain values; nothing is fetched and nothing is changed."""
    disk = shutil.disk_usage(Path.cwd())
    return {
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": {
            "total": round(psutil.virtual_memory().total / 2**30, 1),
            "available": round(psutil.virtual_memory().available / 2**30, 1),
        },
        "disk_free_gib": round(disk.free / 2**30, 1),
        "gpu": _gpu(),
        "container_engines": {name: _engine(name) for name in ENGINES},
        "cache": {"folder": str(cache_dir()), "cohorts": _cohorts()},
        "base_models": {name: _state(partial(_model_digest, name)) for name in find_models()},
        "extractors": {name: _state(partial(_extractor_digest, name)) for name in EXTRACTORS},
        "methods": sorted(find_methods()),
    }


def _gpu() -> dict[str, Any]:
    import torch

    if not torch.cuda.is_available():
        return {"usable": False, "torch": str(torch.__version__)}
    names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return {"usable": True, "torch": str(torch.__version__), "devices": names}


def _engine(name: str) -> str:
    try:
        engine = find_engine(name)
    except BenchError as error:
        return f"no: {error}"
    missing = f", cannot limit {', '.join(engine.unlimited)}" if engine.unlimited else ""
    return f"works ({engine.version}{', rootless' if engine.rootless else ''}{missing})"


def _cohorts() -> dict[str, str]:
    states = {}
    for name, info in COHORTS.items():
        if info.kind == "phantom":
            states[name] = "drawn here, needs nothing"
        elif (cache_dir() / "cohorts" / f"{name}.json").is_file():
            states[name] = "prepared"
        else:
            states[name] = f"not prepared: fulora-bench prepare {name} --from PATH"
    return states


def _model_digest(name: str) -> str:
    return resolve_base_model(name).sha256


def _extractor_digest(name: str) -> str:
    return load_extractor(name).weights_sha256


def _state(find: Callable[[], str]) -> str:
    try:
        return f"ready ({find()[:12]})"
    except BenchError as error:
        return f"missing: {error}"
