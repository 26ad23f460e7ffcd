"""Attacks by greed: disk, files, processes, memory, time, log."""

# ruff: noqa: PTH102, PTH108, PTH123 -- attacks speak to the system as directly as they can

import ctypes
import os
import signal
import sys
import time
from pathlib import Path

from toolbox import OUTPUT, Blocked, Breach, libc, parameter

_MIB = 1 << 20
_TOO_MUCH_MIB = 4096
"""What no limit of the test allows: an attack that got so far was not stopped."""


def a_million_tiny_files():
    for number in range(1_000_000):
        if number % 1000 == 0:
            folder = OUTPUT / f"{number:07d}"
            folder.mkdir()
        os.close(os.open(f"{folder}/{number}", os.O_CREAT | os.O_WRONLY))
    raise Breach("a million files were written")


def a_folder_without_bottom():
    """A tree so deep that its path is longer than the system allows."""
    name = "d" * 200
    os.chdir(OUTPUT)
    for _ in range(20_000):
        os.mkdir(name)
        os.chdir(name)
    time.sleep(30)
    raise Breach("a tree of 20,000 levels was kept")


def _fill(folder, mib):
    """Write files of 8 MiB until that much is written."""
    block = os.urandom(_MIB)
    for number in range(mib // 8):
        with open(f"{folder}/{number}", "wb", buffering=0) as stream:
            for _ in range(8):
                stream.write(block)


def fill_the_output():
    _fill(OUTPUT, _TOO_MUCH_MIB)
    raise Breach(f"{_TOO_MUCH_MIB} MiB were written")


def fill_the_output_out_of_sight():
    """Files without a name: removed while they are open, so that no listing of the folder shows them."""
    block, kept = os.urandom(_MIB), []
    for number in range(_TOO_MUCH_MIB // 8):
        descriptor = os.open(OUTPUT / str(number), os.O_CREAT | os.O_WRONLY)
        os.unlink(OUTPUT / str(number))
        kept.append(descriptor)
        for _ in range(8):
            os.write(descriptor, block)
    time.sleep(5)
    raise Breach(f"{_TOO_MUCH_MIB} MiB were written in files without a name")


def fill_the_output_in_a_closed_folder():
    """The folder may be written and not be listed, which hides it from a watcher without the rights of root."""
    closed = OUTPUT / "closed"
    closed.mkdir()
    closed.chmod(0o300)
    _fill(closed, _TOO_MUCH_MIB)
    raise Breach(f"{_TOO_MUCH_MIB} MiB were written in a closed folder")


def one_large_file():
    block = b"\1" * _MIB
    with open(OUTPUT / "large", "wb", buffering=0) as stream:
        for _ in range(_TOO_MUCH_MIB):
            if stream.write(block) < _MIB:
                stream.write(block)  # the rest of a short write says why
    raise Breach(f"a file of {_TOO_MUCH_MIB} MiB was written")


def a_sparse_file_of_terabytes():
    with open(OUTPUT / "sparse", "wb") as stream:
        stream.truncate(4 << 40)
    raise Breach("a file of 4 TiB was made")


def fork_bomb():
    """Children without end, each of which does the same."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    started = 0
    try:
        while started < 20_000:
            if os.fork() == 0:
                while True:
                    try:
                        os.fork()
                    except OSError:
                        time.sleep(60)
            started += 1
    except OSError as error:
        raise Blocked(error.strerror) from error
    raise Breach("20,000 processes were started")


def eat_memory():
    kept = []
    for _ in range(64 * 1024):
        kept.append(b"\1" * _MIB)
    raise Breach("64 GiB of memory were taken")


def eat_memory_by_many():
    """Each process takes little, all together too much."""
    for _ in range(64):
        if os.fork() == 0:
            kept = [b"\1" * _MIB for _ in range(64)]
            time.sleep(60)
            os._exit(len(kept) % 2)
    while True:
        pid, status = os.wait()
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
            os.kill(os.getpid(), signal.SIGKILL)  # goes with the one that the kernel chose
        if pid == 0:
            break


def eat_memory_without_a_name():
    """Memory files belong to no process and lie in no folder."""
    for _ in range(_TOO_MUCH_MIB // 8):
        number = libc("memfd_create", ctypes.c_char_p(b"hidden"), 0)
        for _ in range(8):
            os.write(number, b"\1" * _MIB)
    raise Breach(f"{_TOO_MUCH_MIB} MiB of memory were taken")


def _fill_until_stopped(place):
    with open(place, "wb", buffering=0) as stream:
        for _ in range(parameter("memory_mib")):
            if stream.write(b"\1" * _MIB) < _MIB:
                stream.write(b"\1" * _MIB)
    raise Breach(f"{place} took as much as the whole memory limit")


def fill_shared_memory():
    number = 0
    while True:  # one file may not be larger than the output's limit
        try:
            _fill_until_stopped(f"/dev/shm/{number}")
        except OSError as error:
            number += 1
            if number > 64:
                raise Breach("64 files of shared memory were filled") from error
            if error.strerror != "File too large":
                raise


def fill_scratch():
    number = 0
    while True:
        try:
            _fill_until_stopped(f"/tmp/{number}")
        except OSError as error:
            number += 1
            if number > 64:
                raise Breach("64 files of scratch were filled") from error
            if error.strerror != "File too large":
                raise


def sleep_for_ever():
    for number in range(1, 64):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            continue
    Path("/tmp/asleep").touch()
    while True:
        time.sleep(3600)


def print_a_gigabyte():
    line = b"a line of the log that never ends, and says nothing\n" * 20_000
    for _ in range((1 << 30) // len(line)):
        sys.stdout.buffer.write(line)
    sys.stdout.flush()
    raise Breach("1 GiB of log was printed")
