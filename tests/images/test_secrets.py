"""What a build learns of the caller's package index."""

from __future__ import annotations

import shlex
import stat
import subprocess
from pathlib import Path

from benchmark.images.secrets import build_secrets

NO_PIP = {"PATH": "/nowhere"}


def test_addresses_and_plain_settings_are_handed_in_and_uv_gets_them_by_its_own_names():
    found = build_secrets(True, {**NO_PIP, "PIP_INDEX_URL": "https://a.example/simple", "PIP_DEFAULT_TIMEOUT": "90"})
    assert found.variables == {
        "PIP_INDEX_URL": "https://a.example/simple",
        "PIP_DEFAULT_TIMEOUT": "90",
        "UV_DEFAULT_INDEX": "https://a.example/simple",
        "UV_HTTP_TIMEOUT": "90",
    }
    assert not found.left_out


def test_folders_of_the_host_are_left_out_and_said():
    given = {**NO_PIP, "PIP_EXTRA_INDEX_URL": "file:///srv/simple https://b.example", "PIP_FIND_LINKS": "/srv/wheels"}
    found = build_secrets(True, given)
    assert found.variables == {"PIP_EXTRA_INDEX_URL": "https://b.example", "UV_INDEX": "https://b.example"}
    assert set(found.left_out) == {"PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"}


def test_a_strangers_containerfile_gets_no_address_with_a_password():
    given = {**NO_PIP, "PIP_INDEX_URL": "https://me:sesame@a.example/simple", "UV_INDEX": "https://b.example"}
    assert "PIP_INDEX_URL" in build_secrets(True, given).variables
    stranger = build_secrets(False, given)
    assert stranger.variables == {"UV_INDEX": "https://b.example"}
    assert "password" in stranger.left_out["PIP_INDEX_URL"]


def test_pips_own_configuration_counts_where_the_environment_says_nothing(tmp_path: Path):
    pip = tmp_path / "pip"
    pip.write_text(
        "#!/bin/sh\necho \"global.index-url='https://c.example/simple'\"\necho \"global.default-timeout='7'\"\n"
    )
    pip.chmod(0o755)
    given = {"PATH": f"{tmp_path}:/bin:/usr/bin"}
    found = build_secrets(True, given).variables
    assert (found["UV_DEFAULT_INDEX"], found["UV_HTTP_TIMEOUT"]) == ("https://c.example/simple", "7")
    own = build_secrets(True, {**given, "PIP_INDEX_URL": "https://d.example"})
    assert own.variables["UV_DEFAULT_INDEX"] == "https://d.example"


def test_secrets_are_private_files_that_a_shell_reads_back(tmp_path: Path):
    authorities = tmp_path / "ca.crt"
    authorities.write_text("-----BEGIN CERTIFICATE-----\n")
    given = {**NO_PIP, "SSL_CERT_FILE": str(authorities), "PIP_TRUSTED_HOST": "a $(echo b) 'c'"}
    arguments = build_secrets(True, given).write(tmp_path)
    file = tmp_path / "buildenv"
    assert arguments == [f"--secret=id=ca,src={authorities}", f"--secret=id=buildenv,src={file}"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    script = f'set -a; . {shlex.quote(str(file))}; printf "%s|%s" "$PIP_TRUSTED_HOST" "$PIP_CERT"'
    told = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout
    assert told == "a $(echo b) 'c'|/run/secrets/ca"


def test_without_settings_there_are_no_secrets(tmp_path: Path):
    assert build_secrets(True, NO_PIP).write(tmp_path) == []
