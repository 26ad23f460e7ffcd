"""Which engine builds images on this host, and with which client."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace

from benchmark.errors import BenchError, UsageError
from benchmark.execution.engines import Engine, find_engine, working_engines

_BUILDKIT_BUILT_IN = 23
"""Docker clients below this major version need no buildx plugin for BuildKit."""


def find_builder(name: str) -> Engine:
    """The engine of this name (`auto`: the first that works) with a client that can build.

    Raises:
        UsageError: apptainer, which converts images and builds none of ours.
        BenchError: it does not work here.
    """
    if name == "apptainer":
        raise UsageError(
            "apptainer does not build these images; it converts what podman or docker built. From podman: "
            "'podman save --format docker-archive -o x.tar IMAGE', then "
            "'apptainer build x.sif docker-archive://x.tar'; from docker: 'apptainer build x.sif docker-daemon://IMAGE'."
        )
    if name == "auto":
        engines = [engine for engine in working_engines() if engine.name != "apptainer"]
        if not engines:
            raise BenchError(
                "no engine that builds images works here: install podman or docker ('fulora-bench doctor')."
            )
        engine = engines[0]
    else:
        engine = find_engine(name)
    return replace(engine, program=_docker_client()) if engine.name == "docker" else engine


def _docker_client() -> str:
    """A docker client that can build with secrets: an older one has BuildKit inside, a newer one needs buildx."""
    for folder in os.get_exec_path():
        program = shutil.which("docker", path=folder)
        if program is None:
            continue
        told = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
        words = told.replace(",", " ").split()
        major = words[2].partition(".")[0] if len(words) > 2 else ""
        old = major.isdigit() and int(major) < _BUILDKIT_BUILT_IN
        if old or subprocess.run([program, "buildx", "version"], capture_output=True, check=False).returncode == 0:
            return program
    raise BenchError("docker cannot build with secrets here: install its buildx plugin (docker-buildx), or use podman.")
