from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmark.contract import ClassSpec, MethodSpec, Request, write_request

SIZE = 16


def make_request(**changes: Any) -> Request:
    values: dict[str, Any] = {
        "method": "noise",
        "seed": 7,
        "classes": (ClassSpec(name="brain", prompt="a brain"), ClassSpec(name="femur", prompt="a femur")),
        "images_per_class": 3,
        "image_size": SIZE,
        "steps": 5,
        "deadline_seconds": 60.0,
    }
    return Request(**(values | changes))


def make_train(n: int = 4) -> tuple[np.ndarray, pd.DataFrame]:
    pixels = np.random.default_rng(0).integers(0, 256, (n, SIZE, SIZE), dtype=np.uint8)
    table = pd.DataFrame({"label": ["brain", "femur"] * (n // 2), "patient_id": [f"p{i}" for i in range(n)]})
    return pixels, table


@pytest.fixture
def spec(tmp_path: Path) -> MethodSpec:
    return MethodSpec(
        name="noise", version="1", summary="Noise.", synthesizes=True, command=("{python}",), folder=tmp_path
    )


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, str]:
    """A request folder and an empty output folder, as the environment of a method names them."""
    write_request(tmp_path / "input", make_request(), *make_train())
    (tmp_path / "output").mkdir()
    return {"BENCH_INPUT": str(tmp_path / "input"), "BENCH_OUTPUT": str(tmp_path / "output")}
