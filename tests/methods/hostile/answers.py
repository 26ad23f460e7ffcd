"""Attacks by the answer: it looks like an answer, and must be refused, or lose its sting, before anything reads it."""

# ruff: noqa: PTH123 -- attacks speak to the system as directly as they can

import contextlib
import csv
import json
import os
import pickle
import signal
import socket
import stat
import sys
import time
import zlib

from toolbox import INPUT, OUTPUT, Breach, answer, chunk, first_image, pattern, png, request


def honest():
    """No attack: a method that keeps the contract, in the same image."""
    answer()


def _replace_first(make):
    answer()
    first_image().unlink()
    make(first_image())


def image_is_a_link():
    _replace_first(lambda image: image.symlink_to("/etc/passwd"))


def image_is_a_pipe():
    _replace_first(os.mkfifo)


def image_is_a_socket():
    def bind(image):
        os.chdir(image.parent)  # the address of a socket has 108 characters
        socket.socket(socket.AF_UNIX).bind(image.name)

    _replace_first(bind)


def image_is_a_device():
    """Making a device must fail; the one kind that needs no right, and else a link to one, is handed in."""

    def make(image):
        for kind, numbers in (
            (stat.S_IFCHR, (1, 1)),
            (stat.S_IFCHR, (1, 5)),
            (stat.S_IFBLK, (254, 0)),
            (stat.S_IFBLK, (8, 0)),
        ):
            with contextlib.suppress(OSError):
                os.mknod(image, kind | 0o666, os.makedev(*numbers))
                raise Breach(f"a device {numbers} was made")
        try:
            os.mknod(image, stat.S_IFCHR | 0o666, os.makedev(0, 0))
        except OSError:
            image.symlink_to("/dev/zero")

    _replace_first(make)


def image_is_a_hard_link():
    """Another name of a file of the host must fail; another name of an own file is handed in."""

    def make(image):
        for victim in ("/etc/passwd", INPUT / "request.json"):
            with contextlib.suppress(OSError):
                os.link(victim, OUTPUT / "stolen")
                raise Breach(f"another name was given to {victim}")
        os.link(image.with_name("00001.png"), image)

    _replace_first(make)


def folder_is_a_link():
    answer()
    (OUTPUT / "images").rename(OUTPUT / "elsewhere")
    (OUTPUT / "images").symlink_to("elsewhere")


def manifest_is_a_link():
    answer()
    (OUTPUT / "manifest.csv").unlink()
    (OUTPUT / "manifest.csv").symlink_to("/etc/passwd")


def result_is_a_pipe():
    answer()
    (OUTPUT / "result.json").unlink()
    os.mkfifo(OUTPUT / "result.json")


def manifest_climbs_out():
    answer(name_of=lambda name: f"images/../../../../../../..{INPUT}/train/{name}")


def manifest_is_absolute():
    answer(name_of=lambda name: f"/output/{name}")


def manifest_claims_other_hashes():
    known = [row["sha256"] for row in csv.DictReader((INPUT / "train" / "manifest.csv").open())]
    answer(digest_of=lambda number: known[number % len(known)])


def png_of_60000_by_60000():
    """The header says so, and little follows."""
    answer(data_of=lambda label, index: png(60_000, 60_000, zlib.compress(b"\0" * 100)))


def png_of_60000_by_60000_in_full():
    """3.6 GB of pixels in some megabytes, whole blocks of the compressed stream being repeated."""
    packer = zlib.compressobj(9)
    block = b"\0" * (60_001 * 100)
    first = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    bomb = png(60_000, 60_000, first + again * 599 + packer.flush())
    answer(data_of=lambda label, index: bomb if index == 0 else pattern(request()["image_size"], index))


def png_with_a_text_bomb():
    """The right size; a compressed comment grows to 50 MB."""
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"\0" * 50_000_000, 9))
    size = request()["image_size"]
    packed = zlib.compress(b"\0" * (size * (size + 1)))
    answer(data_of=lambda label, index: png(size, size, packed, extra=text))


def png_cut_short():
    answer(data_of=lambda label, index: pattern(request()["image_size"], index)[:-40])


def too_few_images():
    answer(count=request()["images_per_class"] - 1)


def too_many_images():
    answer(count=request()["images_per_class"] + 1)


def images_beside_the_manifest():
    answer()
    first_image().with_name("99999.png").write_bytes(pattern(request()["image_size"], 99))


def wrong_labels():
    answer(labels=[*(entry["name"] for entry in request()["classes"][:-1]), "cervix"])


def pickle_named_png():
    answer(data_of=lambda label, index: pickle.dumps(_Trigger()) + b"\0" * 64)


class _Trigger:
    """Whoever unpickles it runs a command."""

    def __reduce__(self):
        return os.system, ("echo unpickled > /tmp/fulora-bench-unpickled",)


def exit_0_with_nothing():
    pass


def result_with_absurd_numbers():
    """Whole numbers that no float can hold, and a text that wants to be markup and a table cell."""
    note = "<script>alert(1)</script> | " + "\x1b[2J" + "[x](javascript:alert(1))"
    answer(result={"steps": 10**400, "trained_parameters": 10**400, "timings": {"fit_seconds": 1e308}, "notes": [note]})


def result_of_deep_json():
    answer()
    (OUTPUT / "result.json").write_text("[" * 200_000)


def _write_beside_the_images(name):
    answer()
    with open(os.fsencode(first_image().parent) + b"/" + name, "wb") as stream:
        stream.write(b"x")


def name_that_is_no_text():
    """A file name that is no UTF-8: no JSON can hold it."""
    _write_beside_the_images(b"\xff\xfe.png")


def name_with_escapes():
    """A file name that steers the terminal, in two lines."""
    _write_beside_the_images(b"\x1b[31mred\x07\n\xe2\x80\xaegnp.png")


def setuid_file():
    """A shell that would run with the rights of whoever takes the output over, in folders that nobody may read."""
    answer()
    folder = OUTPUT / "checkpoint"
    folder.mkdir()
    for name, mode in (("shell", 0o6755), ("plain", 0o777)):
        (folder / name).write_bytes(b"#!/bin/sh\nid\n")
        (folder / name).chmod(mode)
    folder.chmod(0o7777)
    for place in sorted((OUTPUT / "images").rglob("*"), reverse=True):
        place.chmod(0)
    for place in (OUTPUT / "images", OUTPUT / "manifest.csv", OUTPUT):
        place.chmod(0)


def swapped_after_the_end():
    """A child that outlives the method, and changes the answer when it has been checked."""
    answer()
    parent = os.getpid()
    if os.fork() == 0:
        os.setsid()
        for number in range(1, 64):
            with contextlib.suppress(OSError, ValueError):
                signal.signal(number, signal.SIG_IGN)
        other = pattern(request()["image_size"], 1234)
        while True:
            if os.getppid() != parent:
                time.sleep(1)  # at once would spoil the answer before it is checked, and so be found
                first_image().write_bytes(other)


def copies_of_the_training_images():
    """Keeps the contract to the letter, and copies."""
    rows = list(csv.DictReader((INPUT / "train" / "manifest.csv").open()))
    own = {}
    for row in rows:
        own.setdefault(row["label"], []).append((INPUT / "train" / row["file"]).read_bytes())
    answer(data_of=lambda label, index: own[label][index % len(own[label])])


def progress_is_a_pipe():
    """The host looks at the progress while the method runs: a pipe would make it wait for ever."""
    os.mkfifo(OUTPUT / "progress.jsonl")
    time.sleep(5)


def progress_is_endless():
    """The same by a link to a file without an end."""
    (OUTPUT / "progress.jsonl").symlink_to("/dev/zero")
    time.sleep(5)


def progress_is_no_progress():
    """The same by lines that are no progress: other types, escape sequences, a line of 8 MiB."""
    line = {"seconds": 1, "stage": "\x1b[2J\x1b]0;owned\x07[red]", "done": "x" * 5000, "total": [1]}
    for text in ("[]", "7", json.dumps(line), "\udcff", "x" * (8 << 20), json.dumps(line | {"stage": "fit"})):
        (OUTPUT / "progress.jsonl").write_bytes((text + "\n").encode(errors="surrogateescape"))
        time.sleep(1)


def message_with_escapes():
    """A log with a line of 4 MiB, and a last line that clears the terminal, renames its window and hides text."""
    escapes = b"\x1b[2J\x1b[31m\x1b]0;owned\x07\xc2\x9b31m\r\xe2\x80\xaegnikcatta\x00\xff\xfe"
    sys.stderr.buffer.write(b"A" * (4 << 20) + b"\n" + escapes + b" [red]the end[/red] " + b"A" * 2000 + b"\n")
    sys.stderr.flush()
    os._exit(70)


def programs_beside_the_images():
    """Programs in the folders of the answer, which somebody might start by mistake."""
    answer()
    (OUTPUT / "images" / "__init__.py").write_text(
        "import os; os.system('echo started > /tmp/fulora-bench-unpickled')\n"
    )
