"""Fetching a published archive: resumed where it stopped, verified by its checksum."""

from __future__ import annotations

import hashlib
import http.client
import json
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.response import addinfourl

from benchmark.cohorts.cache import cache_dir, need_space, write_json
from benchmark.cohorts.sources import PublishedArchive, how_to_get
from benchmark.errors import BenchError

if TYPE_CHECKING:
    from benchmark.cohorts.images import Progress

_CHUNK = 1 << 20
_TIMEOUT_S = 60
_PARTIAL_CONTENT = 206


@dataclass(frozen=True)
class _Expected:
    size: int
    md5: str


def obtain(archive: PublishedArchive, offline: bool, progress: Progress | None = None) -> Path:
    """The verified archive in the cache, downloaded if it is not there.

    Raises BenchError with the steps to get it by hand when offline, unreachable or of another checksum.
    """
    path = cache_dir() / "downloads" / archive.file
    pin = cache_dir() / "downloads" / f"{archive.file}.checksum.json"
    expected = _expected(archive, pin, offline)
    if path.is_file() and _md5(path, progress) == expected.md5:
        return path
    if offline:
        raise BenchError(f"--offline forbids the download of {archive.file}.\n{how_to_get(archive)}")
    part = path.with_name(path.name + ".part")
    need_space(path.parent, expected.size - (part.stat().st_size if part.is_file() else 0))
    _download(archive, part, expected.size, progress)
    found = _md5(part, progress)
    if found != expected.md5:
        part.unlink()
        raise BenchError(
            f"{archive.url} gave a file with md5 {found}, not {expected.md5}; it was removed. "
            f"Run `fulora-bench prepare {archive.cohort}` again.\n{how_to_get(archive)}"
        )
    part.replace(path)
    return path


def _expected(archive: PublishedArchive, pin: Path, offline: bool) -> _Expected:
    """Size and md5: as published in the table, else as pinned at the first download, else from the record."""
    if archive.md5 is not None:
        return _Expected(archive.size, archive.md5)
    if pin.is_file():
        pinned = json.loads(pin.read_text(encoding="utf-8"))
        return _Expected(int(pinned["size"]), str(pinned["md5"]))
    if offline:
        raise BenchError(
            f"--offline forbids reading the checksum of {archive.file} from {archive.record}.\n{how_to_get(archive)}"
        )
    expected = _from_record(archive)
    write_json(pin, {"size": expected.size, "md5": expected.md5, "record": archive.record})
    return expected


def _from_record(archive: PublishedArchive) -> _Expected:
    try:
        with _open(archive, archive.record) as answer:
            text = answer.read(_CHUNK)
    except (OSError, http.client.HTTPException) as error:
        raise _unreachable(archive, archive.record, error) from error
    try:
        files = json.loads(text)["files"]
        entry = next(entry for entry in files if entry["key"] == archive.file)
        kind, md5 = entry["checksum"].split(":", 1)
        size = int(entry["size"])
    except (ValueError, KeyError, TypeError, AttributeError, StopIteration) as error:
        raise BenchError(
            f"{archive.record} does not name {archive.file} with a size and checksum ({error!r}).\n"
            f"{how_to_get(archive)}"
        ) from error
    if kind != "md5" or size != archive.size:
        raise BenchError(
            f"{archive.record} states {kind} and {size} bytes for {archive.file}; "
            f"md5 and {archive.size} bytes were expected.\n{how_to_get(archive)}"
        )
    return _Expected(size, md5)


def _download(archive: PublishedArchive, part: Path, size: int, progress: Progress | None) -> None:
    """Fill `part` up to `size` bytes, going on where an earlier attempt stopped."""
    part.parent.mkdir(parents=True, exist_ok=True)
    if part.is_file() and part.stat().st_size > size:
        part.unlink()
    start = part.stat().st_size if part.is_file() else 0
    if start == size:
        return
    try:
        with _open(archive, archive.url, start) as answer:
            resumed = start > 0 and answer.status == _PARTIAL_CONTENT
            done = start if resumed else 0
            with part.open("ab" if resumed else "wb") as out:
                while chunk := answer.read(_CHUNK):
                    done += len(chunk)
                    if done > size:
                        raise BenchError(f"{archive.url} sends more than {size} bytes; stopped.")
                    out.write(chunk)
                    if progress is not None:
                        progress("downloading", done, size)
    except (OSError, http.client.HTTPException) as error:
        raise _unreachable(archive, archive.url, error) from error
    if done != size:
        raise _unreachable(archive, archive.url, f"the connection ended after {done:,} of {size:,} bytes")


def _open(archive: PublishedArchive, url: str, start: int = 0) -> addinfourl:
    if urlsplit(url).scheme not in ("https", "http"):
        raise BenchError(f"{url} is not a web address.")
    request = urllib.request.Request(url, headers={"User-Agent": "fulora-bench"})
    if start:
        request.add_header("Range", f"bytes={start}-")
    try:
        answer: addinfourl = urllib.request.urlopen(request, timeout=_TIMEOUT_S)
    except (OSError, http.client.HTTPException) as error:
        raise _unreachable(archive, url, error) from error
    return answer


def _unreachable(archive: PublishedArchive, url: str, reason: object) -> BenchError:
    return BenchError(
        f"{url} could not be read ({reason}). What arrived is kept: run `fulora-bench prepare {archive.cohort}` "
        f"again to go on.\n{how_to_get(archive)}"
    )


def _md5(path: Path, progress: Progress | None) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    total = path.stat().st_size
    done = 0
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
            done += len(chunk)
            if progress is not None:
                progress("verifying", done, total)
    return digest.hexdigest()
