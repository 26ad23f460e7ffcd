"""An archive from anywhere writes tables and images inside its own folder, or nothing."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from benchmark.cohorts.archive import Limits, extract, is_archive
from benchmark.errors import BenchError


def make_zip(path: Path, *members: str, mode: int = 0) -> Path:
    with zipfile.ZipFile(path, "w") as out:
        for name in members:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            out.writestr(info, b"12345")
    return path


def make_tar(path: Path, name: str, kind: bytes = tarfile.REGTYPE) -> Path:
    with tarfile.open(path, "w:xz") as out:
        info = tarfile.TarInfo(name)
        info.type = kind
        info.linkname = "/etc/passwd"
        info.size = 5 if kind == tarfile.REGTYPE else 0
        out.addfile(info, io.BytesIO(b"12345"))
    return path


@pytest.mark.parametrize("name", ["../a.png", "/a.png", "a/../../b.png", "..\\a.png", "C:/a.png"])
def test_members_outside_the_folder_are_refused(name: str, tmp_path: Path) -> None:
    for archive in (make_zip(tmp_path / "a.zip", "ok.png", name), make_tar(tmp_path / "a.tar.xz", name)):
        with pytest.raises(BenchError, match="outside its own folder"):
            extract(archive, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tar.xz", "a.zip"]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_are_refused(kind: bytes, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="link or special file"):
        extract(make_tar(tmp_path / "a.tar.xz", "a.png", kind), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_links_in_a_zip_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="link or special file"):
        extract(make_zip(tmp_path / "a.zip", "a.png", mode=stat.S_IFLNK | 0o777), tmp_path / "out")


@pytest.mark.parametrize(
    "limits", [Limits(members=1), Limits(member_bytes=4), Limits(total_bytes=9)], ids=["members", "member", "total"]
)
def test_limits_hold(limits: Limits, tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "a.zip", "a.png", "b.png")
    with pytest.raises(BenchError, match=r"more than 1 members|larger than the limit"):
        extract(archive, tmp_path / "out", limits=limits)


def test_a_member_given_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="twice"):
        extract(make_zip(tmp_path / "a.zip", "a.png", "A.png"), tmp_path / "out")


def test_only_tables_and_images_come_out_and_replace_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "stale.png").touch()
    archive = make_zip(tmp_path / "a.zip", "d/a.png", "d/t.csv", "d/run.sh", "__MACOSX/d/a.png", "d/._a.png")
    assert extract(archive, tmp_path / "out") == 2
    files = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*"))
    assert files == ["d/a.png", "d/t.csv"]


def test_a_table_is_no_archive(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n")
    assert not is_archive(tmp_path / "t.csv")
    with pytest.raises(BenchError, match="neither a folder nor a zip"):
        extract(tmp_path / "t.csv", tmp_path / "out")
