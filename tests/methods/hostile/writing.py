"""Attacks by writing elsewhere than into the output folder."""

# ruff: noqa: PTH123 -- attacks speak to the system as directly as they can

import os
from pathlib import Path

from toolbox import INPUT, Blocked, Breach, try_all

_ALLOWED = ("/output", "/tmp", "/dev/shm", "/dev/mqueue")
"""Scratch of the container itself: it vanishes with it, and counts towards its memory."""


_LEFT = ("/proc", "/deps")
"""Files of the kernel have an attack of their own; the packages that tests mount are no part of a real container."""


def _create(folder):
    place = Path(folder) / "left-by-an-attack"
    place.write_text("x")
    place.unlink()


def _append(place):
    with open(place, "ab") as stream:
        stream.write(b"x")


def write_outside_output():
    """Every folder in sight is tried, and some files that would matter."""
    waiting = ["/"]
    while waiting:
        folder = waiting.pop()
        try:
            waiting += [e.path for e in os.scandir(folder) if e.is_dir(follow_symlinks=False) and e.path not in _LEFT]
        except OSError:
            continue
        if folder.startswith(_ALLOWED):
            continue
        try:
            _create(folder)
        except OSError:
            continue
        raise Breach(f"a file was written in {folder}")
    try_all(
        [
            ("root", _create, "/"),
            ("/etc/passwd", _append, "/etc/passwd"),
            ("/usr/bin", _create, "/usr/bin"),
            ("the method's own code", _append, __file__),
            ("rights of /etc", os.chmod, "/etc", 0o777),
            ("/etc/hosts", _append, "/etc/hosts"),
            ("/etc/resolv.conf", _append, "/etc/resolv.conf"),
        ]
    )


def write_input():
    image = next(path for path in sorted(INPUT.rglob("*.png")))
    try_all(
        [
            ("new file", _create, INPUT),
            ("request", _append, INPUT / "request.json"),
            ("image", _append, image),
            ("removal", os.unlink, image),
            ("renaming", os.rename, image, image.with_suffix(".old")),
            ("rights", os.chmod, image, 0o666),
            ("times", os.utime, image, (0, 0)),
            ("extended attribute", os.setxattr, image, "user.a", b"b"),
        ]
    )


def write_model():
    model = Path(os.environ["BENCH_MODEL"])
    weights = next(path for path in sorted(model.rglob("*.safetensors")))
    try_all(
        [
            ("new file", _create, model),
            ("weights", _append, weights),
            ("removal", os.unlink, weights),
            ("rights", os.chmod, weights, 0o666),
        ]
    )


def write_kernel_settings():
    """Files of the kernel through which a container is left or its limits are lifted."""
    places = [
        "/proc/sys/kernel/core_pattern",
        "/proc/sys/kernel/hostname",
        "/proc/sys/vm/overcommit_memory",
        "/proc/sysrq-trigger",
        "/proc/irq/default_smp_affinity",
        "/sys/kernel/uevent_helper",
        "/sys/kernel/mm/transparent_hugepage/enabled",
        "/dev/kmsg",
    ]
    reasons = set()
    cgroups = [str(path) for path in Path("/sys/fs/cgroup").rglob("*") if path.name in _CGROUP_FILES]
    for place in [*places, *cgroups]:
        try:
            with open(place, "r+b", buffering=0) as stream:
                stream.write(b"1")
        except OSError as error:
            reasons.add(error.strerror)
        else:
            raise Breach(f"{place} was written")
    try:
        Path("/proc/self/oom_score_adj").write_text("-1000")
    except OSError as error:
        reasons.add(error.strerror)
    else:
        raise Breach("this process cannot be ended for memory any more")
    raise Blocked("; ".join(sorted(reasons)))


_CGROUP_FILES = (
    "release_agent",
    "notify_on_release",
    "memory.limit_in_bytes",
    "memory.max",
    "pids.max",
    "cgroup.procs",
    "devices.allow",
)
