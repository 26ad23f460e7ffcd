"""What a build is told of the caller's package index, as secrets: mounted for one step, in no layer and no history."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_CERTIFICATES = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE")
_PLACE = "/run/secrets/ca"
_INDEXES = (
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "PIP_FIND_LINKS",
    "UV_DEFAULT_INDEX",
    "UV_INDEX",
    "UV_INDEX_URL",
    "UV_EXTRA_INDEX_URL",
    "UV_FIND_LINKS",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
)
_PLAIN = (
    "PIP_TRUSTED_HOST",
    "UV_INSECURE_HOST",
    "PIP_DEFAULT_TIMEOUT",
    "UV_HTTP_TIMEOUT",
    "UV_INDEX_STRATEGY",
    "NO_PROXY",
    "no_proxy",
)
# pip's settings under the names by which uv knows them.
_OF_UV = {
    "PIP_INDEX_URL": "UV_DEFAULT_INDEX",
    "PIP_EXTRA_INDEX_URL": "UV_INDEX",
    "PIP_DEFAULT_TIMEOUT": "UV_HTTP_TIMEOUT",
}
_REMOTE = re.compile(r"^(\w+=)?(https?|socks\w*)://", re.IGNORECASE)
_CREDENTIALS = re.compile(r"://[^/\s]*@")


@dataclass(frozen=True)
class BuildSecrets:
    """What `--secret` hands in.

    Attributes:
        certificates: file with the authorities that the caller trusts beside the usual ones, or `None`.
        variables: settings of pip and uv for the build.
        left_out: names of settings that the build does not get, each with the reason.
    """

    certificates: Path | None
    variables: Mapping[str, str]
    left_out: Mapping[str, str]

    def write(self, folder: Path) -> list[str]:
        """Write the secrets into a private folder; returns the engine's arguments for them."""
        lines = [f"{name}={shlex.quote(value)}\n" for name, value in self.variables.items()]
        arguments = []
        if self.certificates is not None:
            lines += [f"{name}={_PLACE}\n" for name in _CERTIFICATES]
            arguments.append(f"--secret=id=ca,src={self.certificates}")
        if lines:
            file = folder / "buildenv"
            file.touch(mode=0o600)
            file.write_text("".join(lines), encoding="utf-8")
            arguments.append(f"--secret=id=buildenv,src={file}")
        return arguments


def build_secrets(trusted: bool, environ: Mapping[str, str] | None = None) -> BuildSecrets:
    """The caller's settings of certificates and package index.

    Args:
        trusted: false for a stranger's Containerfile, which gets no address that holds a password.
        environ: the environment (default: the process's); where it says nothing, pip's own configuration counts.
    """
    own = os.environ if environ is None else environ
    settings = {**_pip_configuration(own), **{name: own[name] for name in (*_INDEXES, *_PLAIN) if own.get(name)}}
    variables, left_out = {}, {}
    for name, value in settings.items():
        if name in _PLAIN:
            variables[name] = value
            continue
        kept = [part for part in value.split() if _REMOTE.match(part)]
        if len(kept) < len(value.split()):
            left_out[name] = "names a folder of this host, which a build cannot see"
        open_ = [part for part in kept if trusted or not _CREDENTIALS.search(part)]
        if len(open_) < len(kept):
            left_out[name] = "holds a password, which a stranger's Containerfile is not given"
        if open_:
            variables[name] = " ".join(open_)
    for name, same in _OF_UV.items():
        if name in variables:
            variables.setdefault(same, variables[name])
    return BuildSecrets(_certificates(own), variables, left_out)


def _certificates(environ: Mapping[str, str]) -> Path | None:
    for name in _CERTIFICATES:
        if environ.get(name) and Path(environ[name]).is_file():
            return Path(environ[name]).resolve()
    return None


def _pip_configuration(environ: Mapping[str, str]) -> dict[str, str]:
    """Settings of pip's configuration files, under the names of its variables."""
    pip = shutil.which("pip", path=environ.get("PATH"))
    if pip is None:
        return {}
    told = subprocess.run([pip, "config", "list"], capture_output=True, text=True, check=False, env=dict(environ))
    found = {}
    for line in told.stdout.splitlines():
        name, _, value = line.partition("=")
        section, _, key = name.rpartition(".")
        variable = f"PIP_{key.upper().replace('-', '_')}"
        if section in ("global", "install") and variable in (*_INDEXES, *_PLAIN):
            found[variable] = value.strip().strip("'\"").replace("\\n", " ")
    return found
