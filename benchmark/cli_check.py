"""The verb for authors of methods: does a method keep the contract?"""

from __future__ import annotations

from typing import Annotated

import typer

from benchmark.console import Json, phases, print_json, say, show_table


def check(
    target: Annotated[str, typer.Argument(metavar="METHOD|IMAGE", help="a method's name or folder, or an image")],
    launcher: Annotated[str, typer.Option(help="process, podman, docker or apptainer")] = "process",
    images: Annotated[str | None, typer.Option(help="Prefix of the names of images.")] = None,
    arguments: Annotated[
        list[str] | None, typer.Option("--engine-argument", help="A further engine argument; repeatable.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check that a method keeps the contract; say what to change where it does not."""
    from benchmark.conformance.suite import check_method
    from benchmark.execution.launchers import EngineOptions

    defaults = EngineOptions()
    options = EngineOptions(arguments=tuple(arguments or ()), images=images or defaults.images)
    say(f"checking {target} by {launcher}")
    with phases() as progress:
        report = check_method(target, launcher, options, progress)
    if as_json:
        print_json(report.to_json())
    else:
        rows = [(line.name, line.verdict, f"{line.seconds:.1f}", line.message) for line in report.lines]
        show_table(("check", "verdict", "s", "what was seen, what to change"), rows)
    if not report.passed:
        say(f"{target} breaks the contract: see the failed checks above, and containers/CONTRACT.md")
        raise typer.Exit(1)
    say(f"{target} keeps the contract")
