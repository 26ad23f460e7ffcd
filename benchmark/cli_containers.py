"""The verbs of images: `containers build` and `containers list`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmark.console import DATA, Json, print_json, say, show_table
from benchmark.errors import UsageError

if TYPE_CHECKING:
    from benchmark.images.build import Built

app = typer.Typer(help="Build and list the images that methods and the suite run in.", no_args_is_help=True)

Engine = Annotated[str, typer.Option(help="podman, docker, or auto: the first that works.")]
Prefix = Annotated[str, typer.Option(help="What the names of images begin with.")]
_PREFIX = "localhost/fulora-bench"
_WIDTH = 120
"""Columns of a terminal that the tables need; a narrower one, or a pipe, gets Markdown."""
_NAMED = 6
"""More methods in one image than these are counted."""


@app.command()
def build(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME|FOLDER]...", help="own images, or folders with a Containerfile and method.toml"),
    ] = None,
    engine: Engine = "auto",
    base: Annotated[str, typer.Option(help="Python image to stand on; also given to FOLDERs as BASE.")] = "",
    variant: Annotated[
        str, typer.Option(help="cuda (also runs on CPUs), cpu (smaller), or none (mounted at /deps when run).")
    ] = "",
    torch_index: Annotated[str, typer.Option(help="Package index of the cpu variant.")] = "",
    prefix: Prefix = _PREFIX,
    arguments: Annotated[
        list[str] | None,
        typer.Option("--engine-argument", help="Further argument of the engine's build, e.g. --network=host."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Build images: without names the base, all runners and the suite; a FOLDER builds a method of your own."""
    from benchmark.images.build import CPU_INDEX, VARIANTS, BuildOptions, build_images

    if variant not in ("", *VARIANTS):
        raise UsageError(f"--variant {variant}: use {', '.join(VARIANTS)}.")
    options = BuildOptions(
        engine=engine,
        prefix=prefix,
        base=base,
        variant=variant,  # type: ignore[arg-type]
        torch_index=torch_index or CPU_INDEX,
        arguments=tuple(arguments or ()),
    )
    built = build_images(names or (), options, _relay)
    if as_json:
        print_json([_told(entry) for entry in built])
        return
    _show(
        ("image", "id", "size", "seconds", ""),
        [
            (
                _name(entry.image.reference),
                _short(entry.image.id),
                _size(entry.image.size_bytes),
                f"{entry.seconds:.1f}",
                "was current" if entry.kept else "built",
            )
            for entry in built
        ],
    )


@app.command("list")
def list_(engine: Engine = "auto", prefix: Prefix = _PREFIX, as_json: Json = False) -> None:
    """List images with the methods in them, and whether they hold what is installed here."""
    from benchmark.images.build import BuildOptions
    from benchmark.images.listing import list_built

    found = list_built(BuildOptions(engine=engine, prefix=prefix))
    if as_json:
        print_json([entry.to_json() for entry in found])
        return
    _show(
        ("image", "state", "methods", "id", "size", "revision"),
        [
            (
                _name(entry.image),
                f"{entry.state}: {', '.join(entry.reasons)}" if entry.reasons else entry.state,
                ", ".join(entry.methods) if len(entry.methods) <= _NAMED else f"{len(entry.methods)} methods",
                _short(entry.id),
                _size(entry.size_bytes) if entry.id else "",
                _short_revision(entry.revision),
            )
            for entry in found
        ],
    )
    for entry in found:
        if entry.build:
            say(f"{entry.state}: {entry.image}. Build it: {entry.build}")


def _show(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from tabulate import tabulate

    if DATA.is_terminal and DATA.width >= _WIDTH:
        show_table(columns, rows)
    else:
        print(tabulate(rows, columns, tablefmt="github", disable_numparse=True))


def _relay(line: str) -> None:
    """A line of the engine, as it is, on standard error."""
    print(line, file=sys.stderr, flush=True)


def _told(built: Built) -> dict[str, Any]:
    image = built.image
    return {
        "name": built.name,
        "image": image.reference,
        "id": image.id,
        "size_bytes": image.size_bytes,
        "seconds": round(built.seconds, 2),
        "kept": built.kept,
        "labels": image.labels,
    }


def _name(reference: str) -> str:
    return reference.removesuffix(":latest")


def _short(identity: str) -> str:
    return identity.removeprefix("sha256:")[:12]


def _short_revision(revision: str) -> str:
    commit, dash, dirty = revision.partition("-")
    return f"{commit[:10]}{dash}{dirty}"


def _size(size: int) -> str:
    return f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"
