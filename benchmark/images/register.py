"""Registers the suite in its image as an installer would: name, version, entry points and command.

python3 -m benchmark.images.register PYPROJECT SITE SCRIPTS

An installer would need the build backend from a package index each time the code changes; this needs nothing.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import Any

_SCRIPT = """\
#!{python}
import sys

from {module} import {attribute}

if __name__ == "__main__":  # worker processes import this file
    sys.exit({attribute}())
"""


def register(pyproject: Path, site: Path, scripts: Path, version: str) -> None:
    """Write the package's metadata into `site` and its commands into `scripts`.

    Args:
        pyproject: the `pyproject.toml` of the package.
        site: the folder on the import path that holds the package.
        scripts: where commands go; the `python3` beside them runs them.
        version: must be the one that `pyproject` says.

    Raises:
        ValueError: the code and `pyproject` are of different versions.
    """
    project: dict[str, Any] = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    if project["version"] != version:
        raise ValueError(f"{pyproject} says version {project['version']}, the code says {version}")
    folder = site / f"{project['name'].replace('-', '_')}-{version}.dist-info"
    folder.mkdir()
    headers = {"Metadata-Version": "2.1", "Name": project["name"], "Version": version}
    lines = [f"{key}: {value}" for key, value in headers.items()]
    lines += [f"Requires-Dist: {requirement}" for requirement in project["dependencies"]]
    (folder / "METADATA").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "INSTALLER").write_text("fulora-bench\n", encoding="utf-8")
    groups = {"console_scripts": project["scripts"], **project["entry-points"]}
    (folder / "entry_points.txt").write_text("\n".join(map(_group, groups.items())), encoding="utf-8")
    for name, target in project["scripts"].items():
        module, _, attribute = target.partition(":")
        script = scripts / name
        script.write_text(_SCRIPT.format(python=scripts / "python3", module=module, attribute=attribute))
        script.chmod(0o755)


def _group(item: tuple[str, dict[str, str]]) -> str:
    group, points = item
    return "\n".join([f"[{group}]", *(f"{name} = {target}" for name, target in points.items()), ""])


if __name__ == "__main__":
    from benchmark import __version__

    register(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), __version__)
