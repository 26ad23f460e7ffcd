"""The process launcher: a method as a process of its own, with folders, limits and an environment of its own.

It isolates nothing (`isolation: none` in the record): use it for methods that you trust.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from benchmark.contract import MethodSpec
from benchmark.errors import BenchError
from benchmark.execution.arithmetic import numeric_variables
from benchmark.execution.launch import Launch, Outcome, Start, log_tail, outcome_of, supervised

_INHERITED = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "VIRTUAL_ENV", "PYTHONPATH")


class ProcessLauncher:
    """Starts methods as plain processes of the caller."""

    name = "process"

    def command(self, spec: MethodSpec) -> tuple[str, ...]:
        """The method's command with the suite's interpreter and the method's own folder.

        Raises:
            BenchError: the method is only there as an image.
        """
        if spec.image_id:
            raise BenchError(f"{spec.name} was read from an image: run it with --launcher podman or docker.")
        return tuple(spec.command_line(sys.executable))

    def launch(self, launch: Launch) -> Outcome:
        """Run a method to its end as a process that dies with the caller.

        Raises:
            BenchError: the supervisor itself could not be started or broke.
        """
        with tempfile.TemporaryDirectory(prefix="fulora-bench-") as scratch:
            log = Path(scratch) / "log.txt"
            home = Path(scratch) / "home"
            home.mkdir()
            report = supervised(launch, Start(list(launch.command), home, _environment(launch, home), log))
            return outcome_of(report, log_tail(log), launch)


def _environment(launch: Launch, home: Path) -> dict[str, str]:
    """The method's whole environment: the contract's folders, a fresh home, its threads, and no network use."""
    env = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    threads = str(launch.threads)
    env |= {
        "BENCH_INPUT": str(launch.input.resolve()),
        "BENCH_OUTPUT": str(launch.output.resolve()),
        "BENCH_THREADS": threads,
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "HOME": str(home),
        "TMPDIR": str(home),
        "HF_HUB_OFFLINE": "1",
        "PYTHONUNBUFFERED": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    env |= numeric_variables()
    if launch.model is not None:
        env["BENCH_MODEL"] = str(launch.model.resolve())
    return env
