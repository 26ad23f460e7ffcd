"""What the attacks share: trying what must fail, looking for what must not be found, and an honest answer."""

# ruff: noqa: PTH123 -- attacks speak to the system as directly as they can

import ctypes
import hashlib
import json
import os
import struct
import zlib
from pathlib import Path

INPUT, OUTPUT = Path(os.environ["BENCH_INPUT"]), Path(os.environ["BENCH_OUTPUT"])
MARK = b"-".join([b"FULORA", b"HOST", b"CANARY:"])
"""What every secret that the test plants on the host begins with; put together here, so as not to find itself."""
LIBC = ctypes.CDLL(None, use_errno=True)


class Blocked(Exception):  # noqa: N818 -- how an attack ends
    """The attack was stopped, with the reason."""


class Breach(Exception):  # noqa: N818 -- how an attack ends
    """The attack did what must be impossible."""


def try_all(attempts):
    """Each of the attempts (what, call, *arguments) must raise OSError; ends with the reasons, or with a breach."""
    reasons = {}
    for what, call, *arguments in attempts:
        try:
            call(*arguments)
        except OSError as error:
            reasons.setdefault(error.strerror or str(error), []).append(what)
        else:
            raise Breach(what)
    raise Blocked("; ".join(f"{reason} ({', '.join(whats)})" for reason, whats in reasons.items()))


def libc(name, *arguments):
    """A call of the C library; raises OSError as Python's own calls do."""
    ctypes.set_errno(0)
    answer = getattr(LIBC, name)(*arguments)
    if answer < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return answer


def request():
    return json.loads((INPUT / "request.json").read_text())


def parameter(name):
    return request()["parameters"][name]


def look_for_mark(place, limit=1 << 20):
    """A breach if a file holds a secret of the host; OSError if it cannot be read."""
    with open(place, "rb") as stream:
        if MARK in stream.read(limit):
            raise Breach(f"a secret of the host was read from {place}")


def all_files(root="/", leave=("/proc", "/sys", "/usr", "/deps")):
    """Paths of the regular files that can be seen, without following links."""
    waiting = [root]
    while waiting:
        try:
            entries = list(os.scandir(waiting.pop()))
        except OSError:
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False) and entry.path not in leave:
                waiting.append(entry.path)
            elif entry.is_file(follow_symlinks=False):
                yield entry.path


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, packed, extra=b""):
    """PNG bytes of an 8-bit grey image; `packed` is the compressed data, whatever it holds."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    signature = b"\x89PNG\r\n\x1a\n"
    return signature + chunk(b"IHDR", header) + extra + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def pattern(size, number):
    """A PNG of rings that no ultrasound image resembles, another for every number."""
    rows = b"".join(
        b"\0"
        + bytes(((x * x * (number % 7 + 1) + y * y * (number % 5 + 1)) // 5 + 37 * number) % 256 for x in range(size))
        for y in range(size)
    )
    return png(size, size, zlib.compress(rows))


def answer(data_of=None, count=None, name_of=None, digest_of=None, labels=None, result=None):
    """A whole answer. What the attacks change of it: bytes, number, names in the manifest, digests, labels."""
    asked = request()
    labels = labels or [entry["name"] for entry in asked["classes"]]
    rows, number = ["file,label,seed,sha256"], 0
    for label in labels:
        (OUTPUT / "images" / label).mkdir(parents=True)
        for index in range(asked["images_per_class"] if count is None else count):
            name = f"images/{label}/{index:05d}.png"
            data = data_of(label, index) if data_of else pattern(asked["image_size"], number)
            (OUTPUT / name).write_bytes(data)
            digest = digest_of(number) if digest_of else hashlib.sha256(data).hexdigest()
            rows.append(f"{name_of(name) if name_of else name},{label},{number},{digest}")
            number += 1
    (OUTPUT / "manifest.csv").write_text("\n".join(rows) + "\n")
    told = {"timings": {}, "peak_memory_mib": 1.0, "trained_parameters": 0, "steps": 0} | (result or {})
    (OUTPUT / "result.json").write_text(json.dumps(told))


def first_image():
    """The first image of an answer that was given."""
    return OUTPUT / "images" / request()["classes"][0]["name"] / "00000.png"
