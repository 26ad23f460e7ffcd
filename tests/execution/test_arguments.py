"""What engines are told: every guard is there, nothing of the host goes in, odd hosts are taken for what they are."""

from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import Any

import pytest

from benchmark.execution import container
from benchmark.execution.apptainer import exec_arguments
from benchmark.execution.container import EngineOptions, container_environment, method_user, mounts_of, run_arguments
from benchmark.execution.engines import Engine
from benchmark.execution.launch import Launch, Mount

PODMAN = Engine("podman", "/usr/bin/podman", "4.3.1", rootless=False)
DOCKER = Engine("docker", "/usr/bin/docker", "20.10", rootless=False)
APPTAINER = Engine("apptainer", "/usr/bin/apptainer", "1.3", rootless=True, unlimited=("tmp",))
CONTAINERS = pytest.mark.parametrize("engine", [PODMAN, DOCKER], ids=lambda engine: engine.name)


@pytest.fixture
def launch(tmp_path: Path) -> Any:
    for name in ("in", "out"):
        (tmp_path / name).mkdir()

    def make(**changes: Any) -> Launch:
        given = {
            "command": ("python3", "-m", "a_method"), "input": tmp_path / "in", "output": tmp_path / "out",
            "model": None, "threads": 2, "deadline_seconds": 60.0, "memory_mib": 2048, "output_mib": 100,
            "image": "sha256:abc",
        }  # fmt: skip
        return Launch(**(given | changes))

    return make


def arguments(engine: Engine, launch: Launch, *extra: str) -> list[str]:
    return run_arguments(engine, launch, EngineOptions(extra, run="r1"), "n1", (65532, 65532))


@CONTAINERS
def test_every_guard_is_on_without_being_asked_for(engine: Engine, launch: Any):
    given = arguments(engine, launch())
    assert set(given) >= {
        "--network=none", "--read-only", "--cap-drop=all", "--security-opt=no-new-privileges", "--init",
        "--pull=never", "--user=65532:65532", "--memory=2048m", "--memory-swap=2048m", "--pids-limit=512", "--cpus=2",
        "--shm-size=256m",
        "--log-driver=none", "--ulimit=core=0:0", f"--ulimit=fsize={101 << 20}:{101 << 20}",
        "--label=org.fulora-bench.run=r1", "--name=n1",
    }  # fmt: skip
    assert any(argument.startswith("--tmpfs=/tmp:rw,nosuid,nodev") for argument in given)


@CONTAINERS
def test_extra_arguments_stand_before_the_image_and_the_command_behind_it(engine: Engine, launch: Any):
    given = arguments(engine, launch(), "--runtime=runsc")
    assert given[-5:] == ["--runtime=runsc", "--entrypoint=python3", "sha256:abc", "-m", "a_method"]


def test_podman_is_told_not_to_add_writable_folders_and_proxies(launch: Any):
    assert {"--read-only-tmpfs=false", "--http-proxy=false"} <= set(arguments(PODMAN, launch()))


@CONTAINERS
def test_a_gpu_goes_in_only_when_asked_for(engine: Engine, launch: Any):
    def asked(launch: Launch) -> bool:
        return any(argument.startswith(("--gpus=", "--device=nvidia")) for argument in arguments(engine, launch))

    assert not asked(launch())
    assert asked(launch(gpu=True))


def test_a_limit_that_the_engine_cannot_set_is_left_out(launch: Any):
    engine = Engine("podman", "podman", "4.3.1", rootless=True, unlimited=("memory", "pids", "cpus"))
    given = arguments(engine, launch())
    assert not [argument for argument in given if argument.startswith(("--memory", "--pids-limit", "--cpus"))]
    assert "--userns=keep-id" in given


@CONTAINERS
def test_only_the_output_is_writable(engine: Engine, launch: Any, tmp_path: Path):
    (tmp_path / "model").mkdir()
    mounts = [argument for argument in arguments(engine, launch(model=tmp_path / "model")) if "--mount" in argument]
    assert len(mounts) == 3
    assert [mount for mount in mounts if not mount.endswith(",readonly")] == [
        f"--mount=type=bind,source={tmp_path / 'out'},target=/output"
    ]
    unwritable = arguments(engine, launch(writable_output=False))
    assert all(argument.endswith(",readonly") for argument in unwritable if "--mount" in argument)


def test_a_folder_with_a_comma_in_its_name_is_one_field_of_the_mount(launch: Any, tmp_path: Path):
    (tmp_path / "a,b").mkdir()
    given = arguments(PODMAN, launch(input=tmp_path / "a,b"))
    assert f'--mount=type=bind,"source={tmp_path / "a,b"}",target=/input,readonly' in given


def test_weights_that_are_links_into_a_hub_cache_are_mounted_file_by_file(launch: Any, tmp_path: Path):
    blob, snapshot = tmp_path / "blobs" / "f00", tmp_path / "snapshots" / "main"
    for folder in (blob.parent, snapshot / "unet"):
        folder.mkdir(parents=True)
    blob.write_bytes(b"weights")
    (snapshot / "unet" / "model.safetensors").symlink_to(blob)
    (snapshot / "model_index.json").write_text("{}")
    inside = [mount for mount in mounts_of(launch(model=snapshot)) if mount.target.startswith("/model")]
    assert inside == [
        Mount(snapshot / "model_index.json", "/model/model_index.json"),
        Mount(blob, "/model/unet/model.safetensors"),
    ]


def test_no_variable_of_the_host_goes_in_but_those_that_choose_arithmetic(launch: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_TOKEN", "secret")
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    given = container_environment(launch())
    assert "HF_TOKEN" not in given
    assert given["OPENBLAS_CORETYPE"] == "Haswell"
    assert "BENCH_MODEL" not in given
    assert (given["BENCH_INPUT"], given["BENCH_OUTPUT"], given["OMP_NUM_THREADS"]) == ("/input", "/output", "2")


def test_a_root_caller_runs_methods_as_nobody_and_everybody_else_as_themselves(
    launch: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "getegid", lambda: 0)
    assert method_user(PODMAN, launch()) == (65532, 65532)
    assert method_user(PODMAN, launch(trusted=True)) == (0, 0)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(os, "getegid", lambda: 1001)
    assert method_user(PODMAN, launch()) == (1000, 1001)
    # Root inside a rootless daemon is the caller outside.
    assert method_user(Engine("docker", "docker", "27", rootless=True), launch()) == (0, 0)


def test_limits_per_process_never_pass_the_callers_own(launch: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (100, 400))
    assert {"--ulimit=nofile=400:400", "--ulimit=nproc=400:400"} <= set(arguments(PODMAN, launch()))
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (100, resource.RLIM_INFINITY))
    assert f"--ulimit=nofile={container.ULIMIT}:{container.ULIMIT}" in arguments(PODMAN, launch())


def test_apptainer_is_told_the_guards_that_it_has(launch: Any, tmp_path: Path):
    given = exec_arguments(APPTAINER, launch(image="/images/a.sif", gpu=True), EngineOptions(("--fakeroot",)))
    assert given[0] == "exec"
    assert {
        "--containall",
        "--cleanenv",
        "--no-home",
        "--no-privs",
        "--drop-caps=all",
        "--net",
        "--network=none",
    } <= set(given)
    assert {"--memory=2048M", "--pids-limit=512", "--nv", f"{tmp_path / 'in'}:/input:ro"} <= set(given)
    assert f"{tmp_path / 'out'}:/output" in given
    assert given[-5:] == ["--fakeroot", "/images/a.sif", "python3", "-m", "a_method"]
