"""A published archive is fetched once, resumed, and verified; offline it is explained. A real local server."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from benchmark.cohorts import registry
from benchmark.cohorts.cache import cache_dir
from benchmark.cohorts.registry import load_cohort, prepare
from benchmark.cohorts.sources import PUBLISHED
from benchmark.errors import BenchError
from tests.cohorts.conftest import African


@dataclass
class Served:
    """What the server gives at each path, where it hangs up, and what it was asked."""

    address: str
    content: dict[str, bytes] = field(default_factory=dict)
    hang_up_after: int | None = None
    asked: list[tuple[str, str]] = field(default_factory=list)


@pytest.fixture
def server() -> Iterator[Served]:
    served = Served("")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range", "")
            served.asked.append((self.path, wanted))
            body = served.content.get(self.path)
            if body is None:
                self.send_error(404)
                return
            start = int(re.findall(r"\d+", wanted)[0]) if wanted else 0
            self.send_response(206 if wanted else 200)
            self.send_header("Content-Length", str(len(body) - start))
            self.end_headers()
            end = served.hang_up_after
            self.wfile.write(body[start:] if end is None else body[start:end])

        def log_message(self, *arguments: object) -> None:
            return

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    served.address = f"http://127.0.0.1:{http.server_port}"
    yield served
    http.shutdown()
    http.server_close()
    thread.join()


@pytest.fixture
def archive(server: Served, african: African, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path) -> bytes:
    """The African archive on the local server, with its record."""
    african.write()
    content = Path(shutil.make_archive(str(tmp_path / "a"), "xztar", tmp_path, "Zenodo_dataset")).read_bytes()
    shutil.rmtree(african.root)
    md5 = hashlib.md5(content).hexdigest()
    entry = {"key": "Zenodo_dataset.tar.xz", "size": len(content), "checksum": f"md5:{md5}"}
    server.content = {"/file": content, "/record": json.dumps({"files": [{"key": "x"}, entry]}).encode()}
    local = replace(
        PUBLISHED["africa"], url=f"{server.address}/file", record=f"{server.address}/record", size=len(content)
    )
    monkeypatch.setitem(registry.PUBLISHED, "africa", local)
    return content


def test_a_cohort_is_downloaded_verified_and_kept(server: Served, archive: bytes) -> None:
    assert prepare("africa").images == 6
    assert [path for path, _ in server.asked] == ["/record", "/file"]
    assert prepare("africa", offline=True).images == 6
    assert len(server.asked) == 2
    assert len(load_cohort("africa", 16)) == 6


def test_a_broken_connection_is_told_and_resumed(server: Served, archive: bytes) -> None:
    server.hang_up_after = 500
    with pytest.raises(BenchError, match=r"after 500 of .* bytes.*What arrived is kept"):
        prepare("africa")
    server.hang_up_after = None
    assert prepare("africa").images == 6
    assert server.asked[-1] == ("/file", "bytes=500-")


def test_another_checksum_removes_the_file_and_tells_how_to_get_it(server: Served, archive: bytes) -> None:
    server.content["/file"] = bytes(len(archive))
    with pytest.raises(BenchError, match=r"(?s)gave a file with md5 .*, not .*1\. download .*/file"):
        prepare("africa")
    assert [path.name for path in (cache_dir() / "downloads").iterdir()] == ["Zenodo_dataset.tar.xz.checksum.json"]


def test_the_first_checksum_read_from_the_record_is_pinned(server: Served, archive: bytes) -> None:
    prepare("africa")
    server.content["/file"] = bytes(len(archive))
    md5 = hashlib.md5(server.content["/file"]).hexdigest()
    entry = {"key": "Zenodo_dataset.tar.xz", "size": len(archive), "checksum": f"md5:{md5}"}
    server.content["/record"] = json.dumps({"files": [entry]}).encode()
    (cache_dir() / "downloads" / "Zenodo_dataset.tar.xz").unlink()
    with pytest.raises(BenchError, match=r"not [0-9a-f]{32}; it was removed"):
        prepare("africa")


@pytest.mark.parametrize("record", [b"<html>", b"[]", b'{"files": []}', b'{"files": [{"key": 1, "size": null}]}'])
def test_a_record_without_the_file_is_told(record: bytes, server: Served, archive: bytes) -> None:
    server.content["/record"] = record
    with pytest.raises(BenchError, match="does not name Zenodo_dataset"):
        prepare("africa")


def test_an_address_that_does_not_answer_is_told(server: Served, archive: bytes) -> None:
    server.content.clear()
    with pytest.raises(BenchError, match=r"(?s)/record could not be read .*404.*1\. download"):
        prepare("africa")


@pytest.mark.parametrize("name", ["spain", "africa"])
def test_offline_forbids_the_network_and_explains(name: str, server: Served, archive: bytes) -> None:
    with pytest.raises(BenchError, match=r"(?s)--offline forbids .*1\. download .*2\. run `fulora-bench prepare"):
        prepare(name, offline=True)
    assert not server.asked
