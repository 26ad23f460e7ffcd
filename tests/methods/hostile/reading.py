"""Attacks by reading: the first process, secrets of the host, the target cohort, other runs."""

# ruff: noqa: PTH115, PTH116, PTH208 -- attacks speak to the system as directly as they can

import ctypes
import hashlib
import os
import struct
from pathlib import Path

from toolbox import INPUT, LIBC, MARK, OUTPUT, Blocked, Breach, all_files, libc, look_for_mark, parameter, try_all


def read_proc_1():
    """What the first process is, holds and sees must be this container's own."""
    for name in ("environ", "cmdline", "mountinfo", "maps"):
        try:
            look_for_mark(f"/proc/1/{name}")
        except OSError:
            continue
    try:
        if os.stat("/proc/1/root/").st_dev != os.stat("/").st_dev:
            raise Breach("/proc/1/root is another file system")
        if os.readlink("/proc/1/ns/pid") != os.readlink("/proc/self/ns/pid"):
            raise Breach("the first process is outside this container")
    except OSError as error:
        raise Blocked(error.strerror) from error
    others = [pid for pid in os.listdir("/proc") if pid.isdigit() and os.stat(f"/proc/{pid}").st_uid != os.getuid()]
    if others:
        raise Breach("processes of other users are in sight")
    raise Blocked("the first process is this container's own, and no other is in sight")


def read_host_data():
    """Secrets by their path, by any path, through other processes' roots, and by file handle."""
    places = [*parameter("secrets"), "/etc/shadow", "/root/.ssh/id_rsa", "/dev/mem", "/dev/kmsg", "/proc/kcore"]
    places += [f"/proc/self/root/..{place}" for place in parameter("secrets")]
    places += [f"/dev/{disk}" for disk in ("sda", "vda", "nvme0n1")]
    for place in all_files():
        try:
            look_for_mark(place)
        except OSError:
            continue
    for place in [*places, *(f"/proc/{pid}/environ" for pid in os.listdir("/proc") if pid.isdigit())]:
        try:
            look_for_mark(place)
        except OSError:
            continue
    if any(MARK.decode() in value for value in os.environ.values()):
        raise Breach("the environment holds a secret of the host")
    try_all(
        [
            ("secret by path", look_for_mark, parameter("secrets")[0]),
            ("passwords", look_for_mark, "/etc/shadow"),
            ("disk by file handle", _open_root_by_handle),
            ("kernel log", libc, "klogctl", 3, ctypes.create_string_buffer(4096), 4096),
        ]
    )


def _open_root_by_handle():
    """The escape known as Shocker: inode 2 of the disk behind a bind mount, by its handle."""
    handle = ctypes.create_string_buffer(struct.pack("Iiii", 8, 1, 2, 0), 64)
    mount = os.open(OUTPUT, os.O_RDONLY)
    LIBC.open_by_handle_at.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_int]
    libc("open_by_handle_at", mount, handle, os.O_RDONLY)


def read_target_cohort():
    """Whether any file in sight is an image of the target cohort, and whether its cache can be reached."""
    wanted, seen = set(parameter("hashes")), 0
    for place in all_files():
        try:
            digest = hashlib.sha256(Path(place).read_bytes()).hexdigest()
        except OSError:
            continue
        seen += place.startswith(f"{INPUT}/train/")
        if digest in wanted:
            raise Breach(f"{place} is an image of the target cohort")
    if not wanted or not seen:
        raise Breach("the test gave no target image, or no training image was seen: nothing was shown")
    try_all([(f"cache {i}", os.listdir, place) for i, place in enumerate(parameter("caches"), 1)])


def read_other_run():
    """Another run's output beside ours, by its path and by climbing out of our folders."""
    climbs = [
        Path(f"{folder}{'/..' * up}/{name}")
        for folder in (INPUT, OUTPUT)
        for up in (1, 2, 3)
        for name in ("other-run", "store")
    ]
    for climb in climbs:
        if climb.exists():
            raise Breach(f"{climb} is in sight")
    try_all([(f"path {i}", os.listdir, place) for i, place in enumerate(parameter("runs"), 1)])
