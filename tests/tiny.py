"""A run small enough for tests: the phantom at 32 px, methods of the tests, a few classifier steps."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

METHODS = Path(__file__).parent / "methods"
EXECUTION = {"device": "cpu", "workers": 2, "threads": 1, "deadline_seconds": 60, "memory_mib": 2048}
UTILITY = {
    "backbones": [{"name": "test_resnet", "weights": "none"}],
    "recipe": "scratch-64",
    "augmentations": ["light"],
    "controls": ["natural", "sampling"],
    "upper_reference": False,
    "steps": 4,
}
"""What a profile of tests trains, unless it says otherwise."""


def write_profile(folder: Path, methods: list[dict[str, Any]], **changes: Any) -> Path:
    """A profile file with these methods; names of test methods become their paths."""
    entries = [
        {**entry, "name": str(METHODS / entry["name"]) if (METHODS / entry["name"]).is_dir() else entry["name"]}
        for entry in methods
    ]
    profile = {
        "name": "tiny",
        "summary": "a run for tests",
        "protocol": "phantom",
        "image_size": 32,
        "repetitions": 2,
        "images_per_class": 6,
        "generator_steps": 1,
        "methods": entries,
        "utility": UTILITY,
        "execution": EXECUTION,
    }
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(profile | changes))
    return path


def bench(*arguments: str | Path, check: int | None = 0) -> subprocess.CompletedProcess[str]:
    """Run the command line; `check` is the exit code that it must end with (None: any)."""
    command = [sys.executable, "-m", "benchmark.cli", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))
    assert check is None or done.returncode == check, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def records(run: Path) -> dict[str, list[dict[str, Any]]]:
    """All attempts of a run by `<kind>/<key>`, oldest first."""
    found: dict[str, list[dict[str, Any]]] = {}
    for path in sorted((run / "store").glob("*/*/[0-9]*/record.json")):
        found.setdefault("/".join(path.parts[-4:-2]), []).append(json.loads(path.read_text()))
    return found


TIMES = {"started_at", "seconds", "peak_memory_mib", "attempt"}
OUTPUT_TIMES = {
    "wall_seconds",
    "start_seconds",
    "fit_seconds",
    "sample_seconds",
    "train_seconds",
    "method_peak_memory_mib",
}


def without_times(record: dict[str, Any]) -> dict[str, Any]:
    """A record without what may differ between two equal runs: times, memory and the attempt's number."""
    kept = {name: value for name, value in record.items() if name not in TIMES}
    kept["outputs"] = {name: value for name, value in record["outputs"].items() if name not in OUTPUT_TIMES}
    return kept
