"""Podman and docker: one specification becomes one argument list, with every guard on by default."""

from __future__ import annotations

import os
import resource
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path

from benchmark.contract import MethodSpec
from benchmark.errors import BenchError
from benchmark.execution.arithmetic import numeric_variables
from benchmark.execution.engines import DESCRIPTION_FOLDER, LABEL_RUN, Engine, gpu_fault
from benchmark.execution.launch import Launch, Mount, Outcome, Start, log_tail, outcome_of, supervised
from benchmark.execution.ownership import give_back, prepare_output, take_over

SECCOMP = Path(__file__).with_name("seccomp.json")
"""System calls of a method: those of podman's own filter, without namespaces, mounts, tracing, VM sockets."""

METHOD_UID = 65532
"""Who runs a method when the caller is root: nobody, with no file of the host to its name."""

SCRATCH_MIB = 1024
SHM_MIB = 256
PIDS = 512
ULIMIT = 10_000
_FOLDERS = {"BENCH_INPUT": "/input", "BENCH_OUTPUT": "/output", "BENCH_MODEL": "/model"}


@dataclass(frozen=True)
class EngineOptions:
    """How containers are started on this host.

    Attributes:
        arguments: further engine arguments, put before the image, for odd hosts.
        run: value of the run's label; what carries it is swept.
        images: prefix of the names of images.
    """

    arguments: tuple[str, ...] = ()
    run: str = ""
    images: str = "localhost/fulora-bench"


class ContainerLauncher:
    """Starts methods in containers of podman or docker."""

    def __init__(self, engine: Engine, options: EngineOptions) -> None:
        self.engine, self.options = engine, options
        self.name: str = engine.name

    def command(self, spec: MethodSpec) -> tuple[str, ...]:
        """The method's command inside its image."""
        return container_command(spec)

    def launch(self, launch: Launch) -> Outcome:
        """Run it in a container to its end, remove the container, and give the outputs to the caller.

        Raises:
            BenchError: no image, no GPU where one is asked for, or the supervisor broke.
        """
        check_launch(self.engine, launch)
        name = f"fulora-bench-{uuid.uuid4().hex[:16]}"
        user = method_user(self.engine, launch)
        arguments = run_arguments(self.engine, launch, self.options, name, user)
        limited = "memory" not in self.engine.unlimited
        with tempfile.TemporaryDirectory(prefix="fulora-bench-") as scratch:
            log, id_file = Path(scratch) / "log.txt", Path(scratch) / "id"
            command = [self.engine.program, "run", f"--cidfile={id_file}", *arguments]
            container = {
                "program": self.engine.program, "name": name, "id_file": str(id_file), "memory_limited": limited
            }  # fmt: skip
            prepare_output(launch, user)
            try:
                report = supervised(launch, Start(command, Path(scratch), dict(os.environ), log, container))
                if not report["removed"]:
                    raise BenchError(
                        f"{self.engine.name} does not remove the container {name}, so its output cannot be trusted to "
                        f"stay as it is. Remove it ({self.engine.name} rm -f {name}) and run the same command again."
                    )
                fault = take_over(launch.output)
            except BaseException:
                give_back(launch.output)
                raise
            if fault and not report["stopped"]:
                report |= {"stopped": "output", "detail": fault}
            return outcome_of(report, log_tail(log), launch, isolation="container", unlimited=self.engine.unlimited)


def container_command(spec: MethodSpec) -> tuple[str, ...]:
    """The method's command inside its image: the image's `python3`, the method's folder where images keep it."""
    return tuple(spec.command_line("python3", DESCRIPTION_FOLDER))


def check_launch(engine: Engine, launch: Launch) -> None:
    """What is known to fail is told before anything is started.

    Raises:
        BenchError: no image is named, or a GPU is asked for that the engine cannot hand in.
    """
    if not launch.image:
        raise BenchError("no image is named for a launch in a container.")
    if launch.gpu and (fault := gpu_fault(engine)):
        raise BenchError(f"a GPU is asked for, but {fault}; or set execution.device=cpu.")


def method_user(engine: Engine, launch: Launch) -> tuple[int, int]:
    """User and group inside the container.

    A root caller runs methods under a fixed unprivileged uid; the suite's own cells read the caller's own files and
    so run as the caller, without any capability. Rootless docker maps root inside to the caller outside.
    """
    if engine.name == "docker" and engine.rootless:
        return 0, 0
    if os.geteuid() == 0 and not launch.trusted:
        return METHOD_UID, METHOD_UID
    return os.geteuid(), os.getegid()


def run_arguments(
    engine: Engine, launch: Launch, options: EngineOptions, name: str, user: tuple[int, int]
) -> list[str]:
    """The arguments after `run`, one guard a line. The container is not removed by the engine: it is asked first."""
    return [
        f"--name={name}",
        f"--label={LABEL_RUN}={options.run}",
        "--pull=never",
        "--init",
        f"--user={user[0]}:{user[1]}",
        "--workdir=/tmp",
        "--hostname=method",
        "--network=none",
        "--ipc=private",
        "--read-only",
        f"--tmpfs=/tmp:rw,nosuid,nodev,mode=1777,size={min(SCRATCH_MIB, launch.memory_mib // 2)}m",
        f"--shm-size={min(SHM_MIB, launch.memory_mib // 4)}m",
        "--cap-drop=all",
        "--security-opt=no-new-privileges",
        f"--security-opt=seccomp={SECCOMP}",
        "--log-driver=none",
        *(f"--ulimit={name}={value}:{value}" for name, value in _ulimits(launch).items()),
        *_engine_only(engine),
        *_limits(engine, launch),
        *(_gpu(engine) if launch.gpu else []),
        *(f"--mount={_mount(mount)}" for mount in mounts_of(launch)),
        *(f"--env={key}={value}" for key, value in container_environment(launch).items()),
        *options.arguments,
        f"--entrypoint={launch.command[0]}",
        launch.image,
        *launch.command[1:],
    ]


def _ulimits(launch: Launch) -> dict[str, int]:
    """Limits per process, never above the caller's own: an engine's defaults are, for a root without all rights."""
    return {
        "core": 0,
        "fsize": launch.output_mib + 1 << 20,  # one file alone may pass the quota, and is then seen to have
        "nofile": _own_limit(resource.RLIMIT_NOFILE),
        # Counted over all containers of the user, so that the limit of the container (PIDS) is the one that binds.
        "nproc": _own_limit(resource.RLIMIT_NPROC),
    }


def _own_limit(kind: int) -> int:
    hard = resource.getrlimit(kind)[1]
    return ULIMIT if hard == resource.RLIM_INFINITY else min(hard, ULIMIT)


def _engine_only(engine: Engine) -> list[str]:
    """Podman mounts more writable folders into a read-only container and hands proxies in, unless told not to."""
    # Where files carry SELinux labels, a bind mount is closed to every container unless its label is changed.
    selinux = ["--security-opt=label=disable"] if Path("/sys/fs/selinux/enforce").exists() else []
    if engine.name != "podman":
        return selinux
    keep = ["--userns=keep-id"] if engine.rootless else []
    return [
        "--read-only-tmpfs=false",
        "--http-proxy=false",
        "--cgroupns=private",
        "--image-volume=ignore",
        *keep,
        *selinux,
    ]


def _limits(engine: Engine, launch: Launch) -> list[str]:
    limits = {
        "memory": [f"--memory={launch.memory_mib}m", f"--memory-swap={launch.memory_mib}m"],
        "pids": [f"--pids-limit={PIDS}"],
        "cpus": [f"--cpus={launch.threads}"],
    }
    return [argument for name, given in limits.items() if name not in engine.unlimited for argument in given]


def _gpu(engine: Engine) -> list[str]:
    return ["--gpus=all"] if engine.name == "docker" else ["--device=nvidia.com/gpu=all"]


def mounts_of(launch: Launch) -> list[Mount]:
    """Everything of the host that the container sees."""
    mounts = [
        Mount(launch.input.resolve(), _FOLDERS["BENCH_INPUT"]),
        Mount(launch.output.resolve(), _FOLDERS["BENCH_OUTPUT"], writable=launch.writable_output),
    ]
    if launch.model is not None:
        mounts += _model_mounts(launch.model.resolve(), _FOLDERS["BENCH_MODEL"])
    return list({mount.target: mount for mount in (*mounts, *launch.mounts)}.values())


def _model_mounts(folder: Path, target: str) -> list[Mount]:
    """The folder as one mount; file by file where links lead out of it, as in the cache of a model hub."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if all(path.resolve().is_relative_to(folder) for path in files):
        return [Mount(folder, target)]
    return [Mount(path.resolve(), f"{target}/{path.relative_to(folder).as_posix()}") for path in files]


def _mount(mount: Mount) -> str:
    """`--mount` is read as one line of CSV, so a field with a comma or a quote stands in quotes."""
    fields = [
        "type=bind",
        f"source={mount.source}",
        f"target={mount.target}",
        *([] if mount.writable else ["readonly"]),
    ]
    return ",".join('"' + field.replace('"', '""') + '"' if set(field) & set(',"') else field for field in fields)


def container_environment(launch: Launch) -> dict[str, str]:
    """The variables that a container is given, and no other of the host's but those that choose arithmetic."""
    threads = str(launch.threads)
    given = {
        "BENCH_INPUT": _FOLDERS["BENCH_INPUT"],
        "BENCH_OUTPUT": _FOLDERS["BENCH_OUTPUT"],
        "BENCH_THREADS": threads,
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "HOME": "/tmp",
        "TMPDIR": "/tmp",
        "HF_HUB_OFFLINE": "1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    if launch.model is not None:
        given["BENCH_MODEL"] = _FOLDERS["BENCH_MODEL"]
    given |= numeric_variables()
    if launch.gpu and "CUDA_VISIBLE_DEVICES" in os.environ:
        given["CUDA_VISIBLE_DEVICES"] = os.environ["CUDA_VISIBLE_DEVICES"]  # the share of a scheduler stays a share
    return given | dict(launch.environment)
