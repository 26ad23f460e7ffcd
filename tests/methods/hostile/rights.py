"""Attacks by rights: becoming root, leaving the namespaces, reaching other processes, mounting."""

# ruff: noqa: PTH115, PTH116, PTH119, PTH208 -- attacks speak to the system as directly as they can

import ctypes
import os
import signal
import stat
import struct
import subprocess
import time
from pathlib import Path

from toolbox import INPUT, Blocked, Breach, all_files, libc, try_all

_CLONE_NEWNS, _CLONE_NEWUSER, _CLONE_NEWNET, _CLONE_NEWPID = 0x20000, 0x10000000, 0x40000000, 0x20000000
_PTRACE_SEIZE, _MS_REMOUNT, _MS_BIND = 0x4206, 32, 4096


_GIFTS = {"su": ["-c", "id"], "sudo": ["-n", "id"], "mount": ["-t", "tmpfs", "none", "/tmp"], "umount": ["/input"]}
"""What only root may do by these programs; the other setuid programs of a plain system ask for a password."""
_QUIET = {"stdin": subprocess.DEVNULL, "timeout": 10}


def _status(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith(f"{field}:"))


def run_setuid_programs():
    """Every program in the image that would give rights: with the lock on new rights none does."""
    if _status("NoNewPrivs") != "1":
        raise Breach("new rights may be gained")
    if int(_status("CapEff"), 16) or int(_status("CapBnd"), 16):
        raise Breach("this process has capabilities")
    if os.getuid() == 0 or os.geteuid() == 0:
        raise Breach("this process is root")
    programs = [
        place
        for place in all_files(leave=("/proc", "/sys", "/deps"))
        if os.stat(place).st_mode & (stat.S_ISUID | stat.S_ISGID)
    ]
    for program in programs:
        gift = _GIFTS.get(os.path.basename(program))
        if gift and subprocess.run([program, *gift], capture_output=True, check=False, **_QUIET).returncode == 0:
            raise Breach(f"{program} gave rights")
    try_all([("user 0", os.setuid, 0), ("group 0", os.setgid, 0), ("groups", os.setgroups, [0])])


def make_namespaces():
    """A user namespace of one's own gives rights in it, and with them a larger part of the kernel to attack."""

    def unshare(flags):
        if (child := os.fork()) == 0:
            try:
                libc("unshare", flags)
            except OSError as error:
                os._exit(error.errno)
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code > 0:
            raise OSError(code, os.strerror(code))

    kinds = {"user": _CLONE_NEWUSER, "mount": _CLONE_NEWNS, "network": _CLONE_NEWNET, "process": _CLONE_NEWPID}
    try_all([(name, unshare, flag) for name, flag in kinds.items()])


def enter_namespaces():
    def enter(pid, kind):
        descriptor = os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY)
        libc("setns", descriptor, 0)

    try_all([(kind, enter, 1, kind) for kind in ("user", "mnt", "net", "pid", "ipc", "uts")])


def mount_things():
    def mount(source, target, kind, flags, data=None):
        libc("mount", source, target, kind, flags, data)

    try_all(
        [
            ("memory file system", mount, b"none", b"/tmp", b"tmpfs", 0),
            ("process table", mount, b"proc", b"/tmp", b"proc", 0),
            ("cgroups", mount, b"cgroup", b"/tmp", b"cgroup", 0, b"memory"),
            ("disk", mount, b"/dev/vda", b"/tmp", b"ext4", 0),
            ("root writable", mount, b"none", b"/", None, _MS_REMOUNT),
            ("input writable", mount, b"none", os.fsencode(INPUT), None, _MS_REMOUNT | _MS_BIND),
            ("input away", libc, "umount2", os.fsencode(INPUT), 2),
            ("new root", os.chroot, "/tmp"),
        ]
    )


def change_the_machine():
    """Calls that reach beyond any container: clock, name, swap, modules, tracing, programs in the kernel."""
    try_all(
        [
            ("clock", time.clock_settime, time.CLOCK_REALTIME, time.time()),
            ("host name", libc, "sethostname", b"owned", 5),
            ("swap", libc, "swapoff", b"/dev/vda"),
            ("priority", os.nice, -5),
            ("real time", os.sched_setscheduler, 0, os.SCHED_FIFO, os.sched_param(50)),
            ("limits of this process", _raise_limits),
            ("kernel module", _syscall, "finit_module", 0, b"", 0),
            ("kernel program", _load_kernel_program),
            ("tracing the processor", _trace_processor),
        ]
    )


_NUMBERS = {"x86_64": {"bpf": 321, "perf_event_open": 298, "finit_module": 313},
            "aarch64": {"bpf": 280, "perf_event_open": 241, "finit_module": 273}}  # fmt: skip


def _syscall(name, *arguments):
    return libc("syscall", _NUMBERS[os.uname().machine][name], *arguments)


def _load_kernel_program():
    """The smallest program there is: return 0."""
    program = ctypes.create_string_buffer(struct.pack("=BBhi", 0xB7, 0, 0, 0) + struct.pack("=BBhi", 0x95, 0, 0, 0))
    licence = ctypes.create_string_buffer(b"GPL")
    fields = struct.pack("=IIQQ", 1, 2, ctypes.addressof(program), ctypes.addressof(licence))
    attributes = ctypes.create_string_buffer(fields, 48)
    _syscall("bpf", 5, attributes, 48)


def _trace_processor():
    """Counts what everybody does on the first processor."""
    attributes = ctypes.create_string_buffer(struct.pack("=IIQ", 1, 112, 0), 112)
    _syscall("perf_event_open", attributes, -1, 0, -1, 0)


def _raise_limits():
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    if hard == resource.RLIM_INFINITY:
        raise Breach("files may grow without limit")
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard * 2, hard * 2))
    except ValueError as error:
        raise OSError(1, "Operation not permitted") from error


def trace_other_processes():
    """Every process that has a number here is traced: only this container's own may have one."""
    own, reasons = os.readlink("/proc/self/ns/pid"), set()
    for pid in range(1, 5000):
        if pid == os.getpid():
            continue
        try:
            libc("ptrace", _PTRACE_SEIZE, pid, 0, 0)
        except OSError as error:
            reasons.add(error.strerror)
            continue
        if pid != 1 or os.readlink("/proc/1/ns/pid") != own:
            raise Breach(f"process {pid}, which is not ours, was traced")
    raise Blocked(f"no process but the container's own is in sight: {'; '.join(sorted(reasons))}")


def kill_everything():
    """Whatever may be signalled is killed; the first process of the container is no exception."""
    if os.fork() == 0:
        time.sleep(60)
    time.sleep(0.2)
    killed = [pid for pid in (int(name) for name in os.listdir("/proc") if name.isdigit()) if pid != os.getpid()]
    for pid in [-1, *killed, *range(2, 5000)]:
        if pid != os.getpid():
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                continue
    time.sleep(0.5)
    raise Blocked(f"only own processes were in sight, {len(killed)} of them, and the container's first one lives")
