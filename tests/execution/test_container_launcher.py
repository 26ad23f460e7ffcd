"""Podman and docker as they really run a method: what it sees, what it may write, and that nothing is left."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from benchmark.contract import load_method
from benchmark.errors import BenchError
from benchmark.execution.container import METHOD_UID
from benchmark.execution.engines import LABEL_RUN, find_engine, gpu_fault, inspect_image, sweep
from benchmark.execution.launchers import EngineOptions, method_image
from tests.engines import TEST_BASE, engines, require_engine
from tests.execution.conftest import RUN, Start


def told(tmp_path: Path) -> Any:
    return json.loads((tmp_path / "out" / "told.json").read_text())


@engines(every=True)
def test_a_method_sees_the_contracts_folders_and_nothing_of_the_host(
    engine_name: str, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SECRET_OF_THE_HOST", "1")
    monkeypatch.setenv("HTTPS_PROXY", "http://user:password@proxy.invalid")
    outcome = start(
        """
        import json, os, pathlib
        told = {
            "env": dict(os.environ), "uid": os.getuid(), "gid": os.getgid(), "groups": os.getgroups(),
            "cwd": os.getcwd(), "input": sorted(os.listdir("/input")), "model": sorted(os.listdir("/model")),
            "tmp": os.listdir("/tmp"), "processes": sum(name.isdigit() for name in os.listdir("/proc")),
            "interfaces": sorted(os.listdir("/sys/class/net")),
        }
        pathlib.Path("/output/told.json").write_text(json.dumps(told))
        """,
        model=tmp_path / "model",
    )
    assert (outcome.status, outcome.message, outcome.isolation) == ("ok", "", "container")
    found = told(tmp_path)
    contract = {"BENCH_INPUT": "/input", "BENCH_OUTPUT": "/output", "BENCH_MODEL": "/model", "BENCH_THREADS": "1"}
    assert contract.items() <= found["env"].items()
    assert found["env"]["HOME"] == found["env"]["TMPDIR"] == found["cwd"] == "/tmp"
    assert not {"SECRET_OF_THE_HOST", "HTTPS_PROXY", "https_proxy"} & set(found["env"])
    assert (found["input"], found["model"], found["tmp"]) == (["request.json"], ["weights"], [])
    assert found["interfaces"] == ["lo"]
    assert found["processes"] == 2
    assert found["uid"] != 0 or find_engine(engine_name).rootless
    if os.geteuid() == 0:
        assert (found["uid"], found["gid"]) == (METHOD_UID, METHOD_UID)


@engines(every=True)
def test_without_weights_there_is_no_model(engine_name: str, start: Start):
    assert start("import os; assert 'BENCH_MODEL' not in os.environ and not os.path.exists('/model')").status == "ok"


@engines(every=True)
def test_only_output_and_scratch_can_be_written(engine_name: str, start: Start, tmp_path: Path):
    outcome = start(
        """
        import errno, os, pathlib
        for folder in ("/", "/etc", "/usr/bin", "/var/tmp", "/run", "/input", "/model", "/home", "/root"):
            try:
                pathlib.Path(folder, "x").write_text("x")
            except OSError as error:
                assert error.errno in (errno.EROFS, errno.EACCES), (folder, error)
            else:
                raise SystemExit(f"{folder} was written")
        for folder in ("/output", "/tmp", "/dev/shm"):
            pathlib.Path(folder, "x").write_text("x")
        """,
        model=tmp_path / "model",
    )
    assert outcome.status == "ok", outcome
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["x"]
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["request.json"]


@engines(every=True)
def test_an_output_folder_may_be_handed_in_read_only(engine_name: str, start: Start):
    outcome = start("open('/output/x', 'w')", writable_output=False)
    assert outcome.status == "failed"
    assert "Read-only file system" in outcome.message


@engines(every=True)
def test_outputs_belong_to_the_caller_with_plain_modes(engine_name: str, start: Start, tmp_path: Path):
    outcome = start(
        """
        import os, pathlib
        os.umask(0)
        root = pathlib.Path("/output")
        (root / "a" / "b").mkdir(parents=True)
        (root / "a" / "b" / "tool").write_text("x")
        (root / "a" / "b" / "tool").chmod(0o6777)
        (root / "secret").write_text("x")
        (root / "secret").chmod(0)
        (root / "link").symlink_to("/etc/passwd")
        (root / "a").chmod(0)
        root.chmod(0o1000)
        """
    )
    assert outcome.status == "ok", outcome
    out = tmp_path / "out"
    for path in (out, *out.rglob("*")):
        status = path.lstat()
        assert (status.st_uid, status.st_gid) == (os.geteuid(), os.getegid())
        if not path.is_symlink():
            assert status.st_mode & 0o7777 == (0o755 if path.is_dir() else 0o644), path
    assert (out / "a" / "b" / "tool").read_text() == (out / "secret").read_text() == "x"
    assert Path("/etc/passwd").stat().st_uid == 0


@engines(every=True)
def test_a_gpu_that_is_not_there_is_told_before_anything_is_started(engine_name: str, start: Start, tmp_path: Path):
    if not gpu_fault(find_engine(engine_name)):
        pytest.skip(f"{engine_name} can hand in a GPU here")
    with pytest.raises(BenchError, match=r"a GPU is asked for, but .* knows no NVIDIA device here.*device=cpu"):
        start("open('/output/started', 'w')", gpu=True)
    assert list((tmp_path / "out").iterdir()) == []


@engines(every=True)
def test_an_image_that_is_not_there_is_told_before_anything_is_started(engine_name: str, start: Start, tmp_path: Path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "method.toml").write_text(
        'name = "mine"\nversion = "1"\nsummary = "x"\nsynthesizes = true\ncommand = ["x"]\n'
    )
    options = EngineOptions(images="localhost/nobody-built-this")
    with pytest.raises(BenchError, match=rf"Build it: fulora-bench containers build mine --engine {engine_name}"):
        method_image(find_engine(engine_name), load_method(tmp_path / "mine"), options)
    (tmp_path / "mine" / "Containerfile").write_text("FROM scratch\n")
    with pytest.raises(BenchError, match=rf"containers build {tmp_path / 'mine'} --engine {engine_name}"):
        method_image(find_engine(engine_name), load_method(tmp_path / "mine"), options)


@engines(every=True)
def test_an_image_id_that_nobody_has_is_a_failure_with_the_engines_words(engine_name: str, start: Start):
    outcome = start("pass", image="sha256:" + "0" * 64)
    assert outcome.status == "failed"
    assert outcome.message.startswith("the container could not be started: ")


@engines(every=True)
def test_a_command_that_the_image_lacks_is_a_failure_with_the_engines_words(engine_name: str, start: Start):
    outcome = start("pass", command=("no-such-program",))
    assert outcome.status == "failed"
    assert "No such file or directory" in outcome.message


@engines(every=True)
def test_containers_of_a_run_are_swept_by_its_label_and_others_stay(engine_name: str, start: Start):
    engine = require_engine(engine_name)
    image = inspect_image(engine, TEST_BASE)
    assert image is not None
    guards = ("--pull=never", "--init", "--network=none", "--entrypoint=sleep")
    kept = engine.call("run", "-d", f"--label={LABEL_RUN}={RUN}-other", *guards, image.id, "300").split()[-1]
    try:
        for _ in range(2):
            engine.call("run", "-d", f"--label={LABEL_RUN}={RUN}", *guards, image.id, "300")
        assert sweep(engine, RUN) == 2
        assert sweep(engine, RUN) == 0
        assert engine.call("ps", "-q", "--no-trunc", "--filter", f"label={LABEL_RUN}={RUN}-other").split() == [kept]
    finally:
        engine.call("rm", "-f", kept)


@engines(every=True)
def test_a_container_that_somebody_removes_is_told_as_a_failure(engine_name: str, start: Start):
    engine = require_engine(engine_name)

    def remove() -> None:
        end = time.monotonic() + 30
        while sweep(engine, RUN) == 0 and time.monotonic() < end:
            time.sleep(0.1)

    thread = threading.Thread(target=remove)
    thread.start()
    outcome = start("import time; time.sleep(60)")
    thread.join()
    assert outcome.status == "failed"
    assert outcome.seconds < 60
