"""What isolation tests stand on: hostile methods and their image, secrets planted on the host, a look around."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import selectors
import socket
import stat
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmark.cohorts.cache import cache_dir
from benchmark.contract import CONTRACT_VERSION, load_method
from benchmark.execution.engines import LABEL_CONTRACT, LABEL_RUN, LABEL_SOURCES, Engine
from tests.containers.hostile_table import FOLDER, Attack
from tests.engines import TEST_BASE

MARK = "-".join(["FULORA", "HOST", "CANARY:"])
"""What every secret begins with; the attacks look for it."""
_DEFAULTS = {
    "port": 0,
    "addresses": [],
    "names": [],
    "abstract": "",
    "socket": "",
    "secrets": [],
    "hashes": [],
    "caches": [],
    "runs": [],
    "memory_mib": 0,
}


def write_methods(folder: Path, attacks: tuple[Attack, ...]) -> dict[str, Path]:
    """A method's folder for every attack, all in the image `hostile`; by name."""
    folders = {}
    for attack in attacks:
        place = folder / attack.name
        place.mkdir(parents=True)
        parameters = "".join(f"{name} = {json.dumps(_DEFAULTS[name])}\n" for name in attack.told)
        model = 'model = "base"\n' if attack.needs_model else ""
        (place / "method.toml").write_text(
            f'name = "{attack.name}"\nversion = "1"\nsummary = {json.dumps(attack.tries)}\nsynthesizes = true\n'
            f'command = ["{{python}}", "{{folder}}/attack.py", "{attack.name}"]\n'
            f'[container]\nimage = "hostile"\n[needs]\nmemory_mib = 64\n{model}[parameters]\n{parameters}'
        )
        folders[attack.name] = place
    return folders


def build_hostile_image(engine: Engine, reference: str, folders: dict[str, Path]) -> None:
    """The image of all attacks, labelled as the suite's own builder labels an image of methods."""
    sources = {name: load_method(folder).source_sha256 for name, folder in folders.items()}
    arguments = [
        f"--file={FOLDER / 'Containerfile'}",
        f"--tag={reference}",
        f"--build-arg=BASE={TEST_BASE}",
        f"--label={LABEL_CONTRACT}={CONTRACT_VERSION}",
        f"--label={LABEL_SOURCES}={json.dumps(sources, sort_keys=True)}",
    ]
    engine.call("build", *arguments, str(FOLDER), seconds=300)


@dataclass
class Canaries:
    """Secrets and listeners of the host that no attack may reach.

    Attributes:
        told: what attacks are told of them, by parameter.
        heard: what reached the listeners.
        bystander: a process of the user that methods run as, which nobody may end.
    """

    secret: str
    told: dict[str, object]
    bystander: subprocess.Popen[bytes]
    heard: list[str] = field(default_factory=list)


@contextlib.contextmanager
def planted(other_run: Path) -> Iterator[Canaries]:
    """Plant the secrets, listen, and take all away again.

    Args:
        other_run: a folder beside the run's, which becomes another run's.
    """
    secret = MARK + secrets.token_hex(16)
    output = other_run / "store" / "generate" / "0" / "0001" / "output"
    output.mkdir(parents=True)
    (output / "manifest.csv").write_text(secret)
    user = 65532 if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="canary-") as place, contextlib.ExitStack() as stack:
        Path(place).chmod(0o755)
        (Path(place) / "secret").write_text(secret)
        (Path(place) / "secret").chmod(0o644)
        bystander = subprocess.Popen(["sleep", "3600"], user=user, env={"SECRET": secret}, cwd="/")
        stack.callback(bystander.wait)
        stack.callback(bystander.kill)
        canaries = Canaries(secret, {}, bystander)
        listeners = _listeners(Path(place), stack)
        canaries.told = {
            "port": listeners[0].getsockname()[1],
            "addresses": _addresses(),
            "names": [socket.gethostname(), "localhost"],
            "abstract": place.rpartition("/")[2],
            "socket": f"{place}/socket",
            "secrets": [f"{place}/secret", f"/proc/{bystander.pid}/environ"],
            "runs": [str(other_run), str(output)],
            "caches": [str(cache_dir())],
        }
        stack.enter_context(_listening(listeners, canaries.heard))
        yield canaries


def _addresses() -> list[str]:
    found = [entry.address for entries in psutil.net_if_addrs().values() for entry in entries if entry.family == 2]
    return sorted(address for address in found if not address.startswith("127."))


def _listeners(place: Path, stack: contextlib.ExitStack) -> list[socket.socket]:
    """TCP and UDP on every address of the host, Unix sockets by path and by abstract name, VM sockets where known."""
    first = socket.create_server(("0.0.0.0", 0))  # the address that no interface of the host is left out of
    port = first.getsockname()[1]
    sockets = [first]
    with contextlib.suppress(OSError):
        sockets.append(socket.create_server(("::", port), family=socket.AF_INET6))
    kinds: list[tuple[int, int, object]] = [
        (socket.AF_INET, socket.SOCK_DGRAM, ("0.0.0.0", port)),
        (socket.AF_UNIX, socket.SOCK_STREAM, str(place / "socket")),
        (socket.AF_UNIX, socket.SOCK_STREAM, f"\0{place.name}"),
        (socket.AF_VSOCK, socket.SOCK_STREAM, (socket.VMADDR_CID_ANY, port)),
    ]
    for family, kind, address in kinds:
        with contextlib.suppress(OSError):
            listener = socket.socket(family, kind)
            listener.bind(address)  # type: ignore[arg-type]
            if kind == socket.SOCK_STREAM:
                listener.listen()
            sockets.append(listener)
    (place / "socket").chmod(0o777)
    for listener in sockets:
        stack.callback(listener.close)
    return sockets


@contextlib.contextmanager
def _listening(listeners: list[socket.socket], heard: list[str]) -> Iterator[None]:
    stop = threading.Event()

    def listen() -> None:
        with selectors.DefaultSelector() as selector:
            for entry in listeners:
                selector.register(entry, selectors.EVENT_READ, entry)
            while not stop.is_set():
                for key, _ in selector.select(timeout=0.2):
                    listener: socket.socket = key.data
                    if listener.type == socket.SOCK_DGRAM:
                        heard.append(f"datagram {listener.recv(64)!r}")
                    else:
                        with listener.accept()[0]:
                            heard.append(f"connection to {listener.getsockname()}")

    thread = threading.Thread(target=listen)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


class DiskWatch:
    """Looks from outside at what cells put on disk: the most that was seen of every output, and of any log, in MiB."""

    def __init__(self, run: Path, scratch: Path) -> None:
        self.run, self.scratch = run, scratch
        self.outputs: dict[str, float] = {}
        self.log = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> DiskWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.is_set():
            for log in self.scratch.glob("fulora-bench-*/log.txt"):
                self.log = max(self.log, _allocated([log]))
            for output in self.run.glob("store/generate/*/.writing-*/output"):
                key = output.parts[-3]
                self.outputs[key] = max(self.outputs.get(key, 0.0), _allocated([output, output / "closed"]))
            time.sleep(0.005)


def _allocated(places: list[Path]) -> float:
    """MiB on disk of files, and of the files in folders; a part of them where they are very many."""
    total = 0
    for place in places:
        with contextlib.suppress(OSError):
            entries = list(place.iterdir())[:2000] if place.is_dir() else [place]
            total += sum(entry.lstat().st_blocks for entry in entries)
    return total * 512 / 2**20


def containers_of(engine: Engine, label: str) -> list[str]:
    """Containers of a run that are there, running or not."""
    return engine.call("ps", "-a", "-q", "--filter", f"label={LABEL_RUN}={label}").split()


def mounts_below(folder: Path) -> list[str]:
    """What is mounted under a folder, or from it."""
    return [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(folder) in line]


def processes_of(*words: str) -> list[str]:
    """Command lines of running processes, but for this one, that hold one of the words."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            line = " ".join(process.cmdline())
            if process.pid != os.getpid() and any(word in line for word in words):
                found.append(line)
    return found


def strange_files(folder: Path) -> list[str]:
    """Files under a folder that are not the caller's, that give rights, or that are no plain files."""
    found = []
    for path in folder.rglob("*"):
        status = path.lstat()
        plain = stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)
        gives_rights = status.st_mode & (stat.S_ISUID | stat.S_ISGID | stat.S_IWOTH)
        if status.st_uid != os.geteuid() or gives_rights or not plain:
            found.append(f"{path.relative_to(folder)} {stat.filemode(status.st_mode)} {status.st_uid}")
    return found
