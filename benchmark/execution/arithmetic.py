"""Variables that choose arithmetic: methods compute as the suite does, in a process and in a container."""

from __future__ import annotations

import os

_NUMERIC = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "MKL_CBWR", "NVIDIA_TF32_OVERRIDE")


def numeric_variables() -> dict[str, str]:
    """Those of them that this process has, by name."""
    return {name: os.environ[name] for name in _NUMERIC if name in os.environ}
