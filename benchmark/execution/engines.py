"""Container engines of this host: found, asked, and cleaned up after. Every call is an argument list, never a shell."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from benchmark.contract.method import FILE_NAME
from benchmark.errors import BenchError, UnknownNameError, UsageError

EngineName = Literal["podman", "docker", "apptainer"]
ENGINES: tuple[EngineName, ...] = ("podman", "docker", "apptainer")

LABEL_RUN = "org.fulora-bench.run"
"""On every container: the run that it belongs to, so that what a killed run left is found."""
LABEL_CONTRACT = "org.fulora-bench.contract"
"""On every image of a method: the version of the contract that it obeys."""
LABEL_SOURCES = "org.fulora-bench.sources"
"""On images built from method folders: JSON, method name to digest of its source."""
LABEL_CODE = "org.fulora-bench.code"
"""On images that hold code of the suite: digest of that code."""

DESCRIPTION_FOLDER = "/method"
"""Where an image keeps the method's folder, `method.toml` first of all."""

_SECONDS = 60.0
_DESCRIPTION_LIMIT = 1 << 20
_TAR_SLACK = 1 << 15

APPTAINER_GUARDS = (
    "--containall",
    "--cleanenv",
    "--no-home",
    "--no-mount=bind-paths",
    "--no-privs",
    "--drop-caps=all",
    "--net",
    "--network=none",
)
"""What apptainer is told whenever it runs something of an image."""


@dataclass(frozen=True)
class Engine:
    """A container engine that answers.

    Attributes:
        program: path of its client.
        version: of the client (podman, apptainer) or of the server (docker).
        rootless: whether containers run without the rights of root on the host.
        unlimited: limits that this engine cannot set on this host.
    """

    name: EngineName
    program: str
    version: str
    rootless: bool
    unlimited: tuple[str, ...] = ()

    def call(self, *arguments: str, seconds: float = _SECONDS) -> str:
        """Standard output of one call of the client.

        Raises:
            BenchError: it ended with an error or did not answer.
        """
        return self.call_bytes(*arguments, seconds=seconds).decode(errors="replace")

    def read(self, limit: int, *arguments: str) -> bytes:
        """Standard output of one call, undecoded and of bounded size: what an image holds is not trusted.

        Raises:
            BenchError: an error, or more than `limit` bytes.
        """
        command = [self.program, *arguments]
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as client:
            assert client.stdout is not None
            timer = threading.Timer(_SECONDS, client.kill)
            timer.start()
            data = client.stdout.read(limit + 1)
            if len(data) > limit:
                client.kill()
            client.wait()
            timer.cancel()
        if len(data) > limit:
            raise BenchError(f"{self.name} {arguments[0]} gave more than {limit} bytes.")
        if client.returncode != 0:
            raise BenchError(f"{self.name} {arguments[0]}: exit {client.returncode}")
        return data

    def call_bytes(self, *arguments: str, seconds: float = _SECONDS) -> bytes:
        """As `call`, undecoded."""
        try:
            done = subprocess.run(
                [self.program, *arguments], capture_output=True, check=False, timeout=seconds, stdin=subprocess.DEVNULL
            )
        except subprocess.TimeoutExpired as error:
            raise BenchError(f"{self.name} {arguments[0]} did not answer within {seconds:g} s.") from error
        if done.returncode != 0:
            raise BenchError(f"{self.name} {arguments[0]}: {_last_line(done.stderr) or f'exit {done.returncode}'}")
        return done.stdout


@dataclass(frozen=True)
class Image:
    """An image on this host.

    Attributes:
        reference: as it was asked for.
        id: digest of its configuration, the identity of its content, with `sha256:` before it.
        digest: digest of its manifest where the engine knows one, else empty.
        size_bytes: as the engine counts it; layers that images share are counted in each.
        volumes: folders that it asks the engine to make writable.
    """

    reference: str
    id: str
    digest: str
    labels: dict[str, str]
    size_bytes: int
    volumes: tuple[str, ...] = ()

    @property
    def sources(self) -> dict[str, str]:
        """Methods in the image, each with the digest of the source that it was built from."""
        try:
            found = json.loads(self.labels.get(LABEL_SOURCES, "{}"))
        except json.JSONDecodeError:
            return {}  # a label is whatever its author wrote
        return {str(name): str(digest) for name, digest in found.items()} if isinstance(found, dict) else {}


def working_engines() -> list[Engine]:
    """The engines that answer on this host, in the order in which `auto` prefers them."""
    found = []
    for name in ENGINES:
        try:
            found.append(find_engine(name))
        except BenchError:
            continue
    return found


def find_engine(name: str) -> Engine:
    """The engine of this name.

    Raises:
        UnknownNameError: no such engine.
        BenchError: it is not installed, or does not answer; the message says what to do.
    """
    if name not in ENGINES:
        raise UnknownNameError("container engine", name, ENGINES)
    # A distribution's own client fits its daemon; another one earlier on the path may be newer than the engine.
    program = shutil.which(name)
    if program is None:
        raise BenchError(f"{name} is not installed here. Install it, or use --launcher process (no isolation).")
    try:
        return _ASKED[name](program)
    except BenchError as error:
        hint = {"docker": "Is the daemon running (dockerd), and may you use it?"}.get(name, "Try: podman info.")
        raise BenchError(f"{name} is installed but does not work here: {error} {hint}") from error


def _podman(program: str) -> Engine:
    probe = Engine("podman", program, "", rootless=False)
    facts: dict[str, Any] = json.loads(probe.call("info", "--format", "json"))
    host = facts["host"]
    rootless = bool(host["security"]["rootless"])
    # Without root only delegated controllers can limit, and on version 1 none is.
    able = set(host.get("cgroupControllers") or ()) if host.get("cgroupVersion") == "v2" else set()
    needed = {"memory": "memory", "pids": "pids", "cpus": "cpu"}
    missing = tuple(limit for limit, controller in needed.items() if controller not in able) if rootless else ()
    return Engine("podman", program, facts["version"]["Version"], rootless, missing)


def _docker(program: str) -> Engine:
    probe = Engine("docker", program, "", rootless=False)
    facts: dict[str, Any] = json.loads(probe.call("info", "--format", "{{json .}}"))
    if facts.get("ServerErrors"):
        raise BenchError(str(facts["ServerErrors"][0]))
    rootless = any("rootless" in option for option in facts.get("SecurityOptions") or ())
    able = {"memory": "MemoryLimit", "pids": "PidsLimit", "cpus": "CpuCfsQuota"}
    missing = tuple(limit for limit, key in able.items() if not facts.get(key, True))
    return Engine("docker", program, str(facts["ServerVersion"]), rootless, missing)


def _apptainer(program: str) -> Engine:
    probe = Engine("apptainer", program, "", rootless=os.geteuid() != 0)
    version = probe.call("--version").split()[-1]
    # Limits need cgroups v2; the size of its scratch is a setting of the administrator.
    missing = (
        ("tmp", "shm") if Path("/sys/fs/cgroup/cgroup.controllers").exists() else ("memory", "pids", "cpus", "tmp")
    )
    return Engine("apptainer", program, version, probe.rootless, missing)


_ASKED = {"podman": _podman, "docker": _docker, "apptainer": _apptainer}


def inspect_image(engine: Engine, reference: str) -> Image | None:
    """The image of this name on this host, or `None`; nothing is pulled."""
    if engine.name == "apptainer":
        return _inspect_sif(engine, reference)
    try:
        facts = json.loads(engine.call("image", "inspect", reference))[0]
    except BenchError as error:
        if _is_absent(str(error)):
            return None
        raise
    identity = str(facts["Id"])
    digests = facts.get("RepoDigests") or []
    return Image(
        reference=reference,
        id=identity if identity.startswith("sha256:") else f"sha256:{identity}",
        digest=str(facts.get("Digest") or (digests[0].partition("@")[2] if digests else "")),
        labels=dict((facts.get("Config") or {}).get("Labels") or facts.get("Labels") or {}),
        size_bytes=int(facts["Size"]),
        volumes=tuple((facts.get("Config") or {}).get("Volumes") or ()),
    )


def _is_absent(message: str) -> bool:
    return any(words in message.lower() for words in ("no such image", "image not known", "failed to find image"))


def _inspect_sif(engine: Engine, reference: str) -> Image | None:
    from benchmark.keys import file_sha256

    path = Path(reference)
    if not path.is_file():
        return None
    facts = json.loads(engine.call("inspect", "--json", "--labels", str(path)))
    labels = facts.get("data", {}).get("attributes", {}).get("labels") or {}
    return Image(reference, f"sha256:{file_sha256(path)}", "", dict(labels), path.stat().st_size)


def read_description(engine: Engine, image: Image) -> bytes:
    """The `method.toml` inside an image. Nothing in the image is run to get it, but by apptainer, which can only run.

    Raises:
        UsageError: the image holds none.
    """
    place = f"{DESCRIPTION_FOLDER}/{FILE_NAME}"
    missing = UsageError(
        f"the image {image.reference} holds no {place}: it is no image of a method. "
        "See docs/containers.md, 'A method as an image'."
    )
    if engine.name == "apptainer":
        try:
            return engine.read(_DESCRIPTION_LIMIT, "exec", *APPTAINER_GUARDS, image.reference, "cat", place)
        except BenchError as error:
            raise missing from error
    label = f"--label={LABEL_RUN}=description"
    told = engine.call("create", label, "--network=none", "--entrypoint=/none", image.id)
    container = told.strip().splitlines()[-1]
    try:
        packed = engine.read(_DESCRIPTION_LIMIT + _TAR_SLACK, "cp", f"{container}:{place}", "-")
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            member = next((entry for entry in archive if entry.isfile()), None)
            stream = archive.extractfile(member) if member else None
            if stream is None:
                raise missing
            return stream.read()
    except (BenchError, tarfile.TarError) as error:
        raise missing from error
    finally:
        engine.call("rm", "-f", "-v", container)


def list_images(engine: Engine) -> list[Image]:
    """All images of methods on this host, ordered by name."""
    if engine.name == "apptainer":
        raise UsageError("apptainer keeps no list of images: an image is a .sif file, named by its path.")
    form = "{{.Repository}}:{{.Tag}}"
    asked = ("image", "ls", "--filter", f"label={LABEL_CONTRACT}", "--format", form)
    try:
        told = engine.call(*asked)
    except BenchError:  # podman fails where another process removes an image meanwhile
        told = engine.call(*asked)
    names = sorted({line.strip() for line in told.splitlines() if line.strip() and "<none>" not in line})
    found = (inspect_image(engine, name) for name in names)
    return [image for image in found if image is not None]


def sweep(engine: Engine, run: str) -> int:
    """Remove the containers that carry this run's label, running or not; returns how many there were."""
    if engine.name == "apptainer":
        return 0  # its containers are plain child processes: they end with the supervisor
    told = engine.call("ps", "-a", "-q", "--no-trunc", "--filter", f"label={LABEL_RUN}={run}")
    left = told.split()
    for container in left:
        with contextlib.suppress(BenchError):
            engine.call("kill", container)  # a removal by force would first wait for it to end by itself
        try:
            engine.call("rm", "-f", "-v", container)
        except BenchError as error:
            if "no such container" not in str(error).lower():
                raise
    return len(left)


def gpu_fault(engine: Engine) -> str:
    """Why this engine cannot hand in a GPU on this host; empty if it can. Asked before anything is started."""
    if engine.name == "apptainer":
        return "" if Path("/dev/nvidiactl").exists() else "this host has no NVIDIA device (/dev/nvidiactl)"
    specs = [path for folder in ("/etc/cdi", "/var/run/cdi") for path in Path(folder).glob("*nvidia*")]
    if specs:
        return ""
    if engine.name == "docker" and "nvidia" in engine.call("info", "--format", "{{json .Runtimes}}"):
        return ""
    return (
        f"{engine.name} knows no NVIDIA device here: install the NVIDIA container toolkit and run "
        "'nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml'"
    )


def _last_line(data: bytes) -> str:
    lines = [line.strip() for line in data.decode(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else ""
