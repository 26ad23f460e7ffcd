"""Rootless podman: outputs belong to the caller, and what it cannot limit on this host is told and watched instead.

Where the tests run as root, they act as the user that FULORA_BENCH_ROOTLESS_USER names (`.ci/engine.sh` makes one).
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

import benchmark
from tests.engines import TEST_BASE

USER = os.environ.get("FULORA_BENCH_ROOTLESS_USER", "") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
PROGRAM = """
import json, os, sys
from pathlib import Path
from benchmark.execution.engines import find_engine, inspect_image
from benchmark.execution.launch import Launch
from benchmark.execution.launchers import EngineOptions, open_launcher

folder, base = Path(sys.argv[1]), sys.argv[2]
engine = find_engine("podman")
image = inspect_image(engine, base)
launcher = open_launcher("podman", EngineOptions(run="test-rootless"))
told = {"rootless": engine.rootless, "uid": os.getuid()}
SCRIPTS = {
    "good": "import os; os.mkdir('/output/images'); open('/output/images/a', 'w').write(str(os.getuid()))",
    "greedy": "import time; block = bytearray(600 << 20); time.sleep(60)",
}
for name, script in SCRIPTS.items():
    (folder / name / "in").mkdir(parents=True)
    output = folder / name / "out"
    output.mkdir()
    outcome = launcher.launch(Launch(
        command=("python3", "-c", script), input=folder / name / "in", output=output, model=None, threads=1,
        deadline_seconds=120, memory_mib=256, output_mib=32, image=image.id,
    ))
    owners = sorted({path.stat().st_uid for path in (output, *output.rglob("*"))})
    told[name] = [outcome.status, outcome.isolation, list(outcome.unlimited), owners, outcome.message]
told["left"] = engine.call("ps", "-a", "-q", "--filter", "label=org.fulora-bench.run=test-rootless").split()
print(json.dumps(told))
"""


def as_user(arguments: list[str], environment: dict[str, str], **options: Any) -> subprocess.CompletedProcess[str]:
    """Run as the user; never with root's groups or environment."""
    if os.geteuid() != 0:
        return subprocess.run(arguments, capture_output=True, text=True, check=False, env=environment, **options)
    entry = pwd.getpwnam(USER)
    return subprocess.run(
        arguments, capture_output=True, text=True, check=False, env=environment, cwd=entry.pw_dir,
        user=entry.pw_uid, group=entry.pw_gid, extra_groups=[], **options,
    )  # fmt: skip


@pytest.fixture
def told(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the program printed as the user; skips visibly where this host does not let it run."""
    if not USER or shutil.which("podman") is None:
        pytest.skip("rootless podman needs podman and an ordinary user: set FULORA_BENCH_ROOTLESS_USER")
    entry = pwd.getpwnam(USER)
    folder = Path(f"/tmp/fulora-bench-rootless-{os.getpid()}")
    folder.mkdir(mode=0o700)
    os.chown(folder, entry.pw_uid, entry.pw_gid)
    environment = {
        "HOME": entry.pw_dir, "PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(folder / "runtime"), "USER": USER,
        "PYTHONPATH": f"{Path(benchmark.__file__).parents[1]}:{sysconfig.get_path('purelib')}",
        "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip
    if "CONTAINERS_CONF" in os.environ:
        shutil.copy(os.environ["CONTAINERS_CONF"], folder / "containers.conf")
        environment["CONTAINERS_CONF"] = str(folder / "containers.conf")
    (folder / "containers.conf").touch()
    (folder / "containers.conf").chmod(0o644)
    try:
        as_user(["mkdir", "-m", "700", environment["XDG_RUNTIME_DIR"]], environment)
        python = _python(environment)
        _base_image(environment)
        done = as_user([python, "-c", PROGRAM, str(folder), TEST_BASE], environment, timeout=400)
        assert done.returncode == 0, done.stderr
        yield json.loads(done.stdout)
    finally:
        subprocess.run(["rm", "-rf", str(folder)], check=False)


def _python(environment: dict[str, str]) -> str:
    """An interpreter of this version that the user may run, with the suite's packages."""
    faults = []
    for python in (sys.executable, "/usr/bin/python3"):
        try:
            script = f"import sys, benchmark.session; assert sys.version_info[:2] == {sys.version_info[:2]}"
            done = as_user([python, "-c", script], environment)
        except OSError as error:
            faults.append(str(error))
            continue
        if done.returncode == 0:
            return python
        faults.append(done.stderr.strip().splitlines()[-1])
    pytest.skip(f"the user {USER} can run no Python with the suite's packages here: {'; '.join(faults)}")


def _base_image(environment: dict[str, str]) -> None:
    """The user has a store of their own: the base goes into it from root's, or is pulled."""
    if as_user(["podman", "image", "exists", TEST_BASE], environment).returncode == 0:
        return
    saved = Path(f"{environment['XDG_RUNTIME_DIR']}.tar")
    if os.geteuid() == 0:
        subprocess.run(["podman", "save", "-q", "-o", str(saved), TEST_BASE], check=True, capture_output=True)
        saved.chmod(0o644)
        done = as_user(["podman", "load", "-q", "-i", str(saved)], environment)
    else:
        done = as_user(["podman", "pull", "-q", TEST_BASE], environment)
    if done.returncode != 0:
        pytest.skip(f"rootless podman does not work for {USER} here: {done.stderr.strip()[-300:]}")


@pytest.mark.slow
def test_outputs_belong_to_the_caller_and_missing_limits_are_told_and_watched(told: Any):
    assert told["rootless"] is True
    status, isolation, unlimited, owners, message = told["good"]
    assert (status, isolation, owners) == ("ok", "container", [told["uid"]]), message
    # cgroup version 1 gives a rootless engine no limits: they are named, and the supervisor keeps the memory limit.
    assert set(unlimited) in (set(), {"memory", "pids", "cpus"})
    assert told["greedy"][0] == "oom", told["greedy"]
    assert told["left"] == []
