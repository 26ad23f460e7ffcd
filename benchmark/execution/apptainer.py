"""Apptainer: the launcher of clusters. Its containers are child processes of the caller, from one image file.

Not every guard of podman and docker exists here; what is missing stands in `Engine.unlimited` and in the record.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from benchmark.contract import MethodSpec
from benchmark.execution.container import (
    PIDS,
    EngineOptions,
    check_launch,
    container_command,
    container_environment,
    mounts_of,
)
from benchmark.execution.engines import APPTAINER_GUARDS, Engine
from benchmark.execution.launch import Launch, Outcome, Start, log_tail, outcome_of, supervised
from benchmark.execution.ownership import take_over


class ApptainerLauncher:
    """Starts methods in apptainer; the supervisor watches them as the process tree that they are."""

    name = "apptainer"

    def __init__(self, engine: Engine, options: EngineOptions) -> None:
        self.engine, self.options = engine, options

    def command(self, spec: MethodSpec) -> tuple[str, ...]:
        """The method's command inside its image."""
        return container_command(spec)

    def launch(self, launch: Launch) -> Outcome:
        """Run it to its end.

        Raises:
            BenchError: no image, no GPU where one is asked for, or the supervisor broke.
        """
        check_launch(self.engine, launch)
        with tempfile.TemporaryDirectory(prefix="fulora-bench-") as scratch:
            log = Path(scratch) / "log.txt"
            command = [self.engine.program, *exec_arguments(self.engine, launch, self.options)]
            report = supervised(launch, Start(command, Path(scratch), dict(os.environ), log))
            fault = take_over(launch.output)
            if fault and not report["stopped"]:
                report |= {"stopped": "output", "detail": fault}
            return outcome_of(report, log_tail(log), launch, isolation="container", unlimited=self.engine.unlimited)


def exec_arguments(engine: Engine, launch: Launch, options: EngineOptions) -> list[str]:
    """The arguments of `exec`, one guard a line; the image file is read-only by itself."""
    binds = [f"{mount.source}:{mount.target}{'' if mount.writable else ':ro'}" for mount in mounts_of(launch)]
    limits = {
        "memory": [f"--memory={launch.memory_mib}M", f"--memory-swap={launch.memory_mib}M"],
        "pids": [f"--pids-limit={PIDS}"],
        "cpus": [f"--cpus={launch.threads}"],
    }
    return [
        "exec",
        *APPTAINER_GUARDS,
        "--pwd=/tmp",
        *(argument for name, given in limits.items() if name not in engine.unlimited for argument in given),
        *(["--nv"] if launch.gpu else []),
        *(argument for bind in binds for argument in ("--bind", bind)),
        *(argument for pair in container_environment(launch).items() for argument in ("--env", "=".join(pair))),
        *options.arguments,
        launch.image,
        *launch.command,
    ]
