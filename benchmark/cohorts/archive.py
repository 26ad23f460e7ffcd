"""Safe extraction of published archives (zip, tar, tar.gz, tar.xz): tables and images only."""

from __future__ import annotations

import lzma
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, TYPE_CHECKING

from benchmark.errors import BenchError

if TYPE_CHECKING:
    from benchmark.cohorts.images import Progress

KEPT_SUFFIXES = (".csv", ".png")
_CHUNK = 1 << 20
_BROKEN = (zipfile.BadZipFile, tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, NotImplementedError)


@dataclass(frozen=True)
class Limits:
    """What an archive may hold: members, bytes per member and bytes in all, counted while they are written."""

    members: int = 100_000
    member_bytes: int = 128 << 20
    total_bytes: int = 16 << 30


@dataclass(frozen=True)
class _Member:
    name: str
    is_file: bool
    is_folder: bool
    open: Callable[[], IO[bytes] | None]


def is_archive(path: Path) -> bool:
    """Whether the file's own bytes say zip or tar, whatever its name."""
    return path.is_file() and (zipfile.is_zipfile(path) or tarfile.is_tarfile(path))


def extract(archive: Path, target: Path, progress: Progress | None = None, limits: Limits | None = None) -> int:
    """Extract the tables and images of `archive` into the folder `target`, replacing it; returns their number.

    Works in a temporary folder beside `target` that is renamed at the end. Raises BenchError for links, devices,
    absolute names, names with `..`, members given twice, encrypted or broken archives, and past the limits.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent))
    try:
        count = _extract_all(archive, temporary, progress, limits or Limits())
        if target.exists():
            shutil.rmtree(target)
        temporary.replace(target)
    except _BROKEN as error:
        raise BenchError(
            f"the archive {archive} is broken or cut short ({error}). Download it again and compare its checksum."
        ) from error
    except OSError as error:
        raise BenchError(f"the archive {archive} could not be unpacked into {target.parent}: {error}.") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return count


def _extract_all(archive: Path, target: Path, progress: Progress | None, limits: Limits) -> int:
    seen: set[str] = set()
    total = 0
    done = 0
    with _opened(archive) as (members, expected):
        for number, member in enumerate(members, start=1):
            if number > limits.members:
                raise BenchError(f"{archive} holds more than {limits.members} members; it is not unpacked.")
            relative = _checked_name(archive, member)
            if not member.is_file or not _kept(relative):
                continue
            if relative.as_posix().casefold() in seen:
                raise BenchError(f"{archive} holds the member {member.name} twice; it is not unpacked.")
            seen.add(relative.as_posix().casefold())
            room = min(limits.member_bytes, limits.total_bytes - total)
            total += _write(archive, member, target / relative, room)
            done += 1
            if progress is not None:
                progress("unpacking", number, max(expected, number))
    return done


def _checked_name(archive: Path, member: _Member) -> PurePosixPath:
    name = PurePosixPath(member.name)
    outside = name.is_absolute() or ".." in name.parts or "\\" in member.name or "\0" in member.name
    if outside or PureWindowsPath(member.name).drive:
        raise BenchError(f"{archive} has a member outside its own folder ({member.name}); it is not unpacked.")
    if not (member.is_file or member.is_folder):
        raise BenchError(f"{archive} has a link or special file ({member.name}); it is not unpacked.")
    return name


def _kept(name: PurePosixPath) -> bool:
    hidden = name.name.startswith("._") or "__MACOSX" in name.parts
    return name.suffix.lower() in KEPT_SUFFIXES and not hidden


def _write(archive: Path, member: _Member, path: Path, room: int) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    source = member.open()
    if source is None:
        raise BenchError(f"{archive} has a member without content ({member.name}); it is not unpacked.")
    with source, path.open("xb") as out:
        while chunk := source.read(_CHUNK):
            written += len(chunk)
            if written > room:
                raise BenchError(f"{archive} is larger than the limit at the member {member.name}; stopped.")
            out.write(chunk)
    return written


@contextmanager
def _opened(archive: Path) -> Iterator[tuple[Iterator[_Member], int]]:
    """The members of the archive in its own order, and how many to expect (0 when unknown)."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            yield _zip_members(archive, opened), len(opened.infolist())
    elif tarfile.is_tarfile(archive):
        with tarfile.open(archive, mode="r|*") as stream:
            yield _tar_members(archive, stream), 0
    else:
        raise BenchError(f"{archive} is neither a folder nor a zip or tar archive.")


def _zip_members(archive: Path, opened: zipfile.ZipFile) -> Iterator[_Member]:
    for info in opened.infolist():
        if info.flag_bits & 1:
            raise BenchError(f"{archive} is encrypted at the member {info.filename}; it is not unpacked.")
        mode = info.external_attr >> 16
        special = stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR)
        is_file = not info.is_dir() and not special
        yield _Member(info.orig_filename, is_file, info.is_dir() and not special, partial(opened.open, info))


def _tar_members(archive: Path, stream: tarfile.TarFile) -> Iterator[_Member]:
    for info in stream:
        yield _Member(info.name, info.isreg(), info.isdir(), partial(stream.extractfile, info))
