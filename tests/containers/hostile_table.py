"""The attacks of tests/methods/hostile with what each must come to, and the table of them in docs/security.md."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "methods" / "hostile"
DOCUMENT = Path(__file__).parents[2] / "docs" / "security.md"
WRITE = "FULORA_BENCH_WRITE_DOCS"
COMMAND = f"{WRITE}=1 pytest tests/containers/test_hostile.py"
_BEGIN, _END = "<!-- written by the tests: begin -->", "<!-- written by the tests: end -->"
_BLOCKED = "internal error of the method: blocked: "
_SHOWN = 160


@dataclass(frozen=True)
class Attack:
    """One attack.

    Attributes:
        name: of the method, and of the function in tests/methods/hostile.
        tries, stopped_by: what it tries and what stops it, for people.
        status: of its generate cell.
        reason: regular expression that the recorded reason must match.
        told: what the test tells it of the host, by parameter.
        needs_model: whether it asks for weights, to attack them.
    """

    name: str
    tries: str
    stopped_by: str
    status: str
    reason: str
    told: tuple[str, ...] = ()
    needs_model: bool = False


@dataclass(frozen=True)
class Ending:
    """How an attack ended.

    Attributes:
        status, reason: as its record has them.
        board: its status on the board, where it came so far.
        output_mib, log_mib: the most that was seen on disk of its output and of its log.
    """

    status: str
    reason: str
    board: str = ""
    output_mib: float = 0.0
    log_mib: float = 0.0


def read_attacks() -> tuple[Attack, ...]:
    """All attacks in the order of the table."""
    entries = tomllib.loads((FOLDER / "attacks.toml").read_text(encoding="utf-8"))
    return tuple(_attack(name, dict(entry)) for name, entry in entries.items())


def _attack(name: str, entry: dict[str, object]) -> Attack:
    blocked = entry.pop("blocked", None)
    if blocked is not None:
        entry |= {"status": "failed", "reason": f"^{_BLOCKED}.*({blocked})"}
    told = entry.pop("told", [])
    assert isinstance(told, list)
    return Attack(name=name, told=tuple(told), **entry)  # type: ignore[arg-type]


def render(attacks: tuple[Attack, ...], endings: Mapping[str, Ending], engine: str) -> str:
    """The part of the document that a run writes: how it was made, the table, and what was measured."""
    lines = [f"Written by `{COMMAND}`, with {engine}.", ""]
    lines += [
        "| attack | what it tries | what stops it | status | reason recorded, or the board's word |",
        "|---|---|---|---|---|",
    ]
    for attack in attacks:
        ending = endings[attack.name]
        cells = (
            f"`{attack.name}`",
            attack.tries,
            attack.stopped_by,
            f"`{ending.status}`",
            _shown(ending.reason or ending.board),
        )
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join([*lines, "", *_overshoot(endings)])


def _shown(reason: str) -> str:
    text = " ".join("".join(sign if sign.isprintable() else " " for sign in reason).split())
    text = text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
    return text.replace("<", "&lt;").replace("*", "\\*").replace("`", "'") or "–"


def _overshoot(endings: Mapping[str, Ending]) -> list[str]:
    """What lay on disk when a watcher had stopped the container, above what its limit allows."""
    filled = [f"`{name}` {_seen(ending):.0f} MiB" for name, ending in endings.items() if name.startswith("fill_the_")]
    log = max(ending.log_mib for ending in endings.values())
    return [
        f"Most that lay on disk in this run: of outputs {', '.join(sorted(filled))}, the limit being 32 MiB; of the",
        f"log of `print_a_gigabyte` {log:.0f} MiB, the limit being 64 MiB. All of it is removed with the container.",
    ]


def _seen(ending: Ending) -> float:
    """The most that was seen of an output, by the test from outside or by the watcher that stopped it."""
    told = re.search(r"grew to (\d+) MiB", ending.reason)
    return max(ending.output_mib, float(told[1]) if told else 0.0)


def write_document(text: str) -> None:
    """Put the text between the marks of the document."""
    before, rest = DOCUMENT.read_text(encoding="utf-8").split(_BEGIN)
    _, after = rest.split(_END)
    DOCUMENT.write_text(f"{before}{_BEGIN}\n{text}\n{_END}{after}", encoding="utf-8")


def documented() -> dict[str, str]:
    """Attack to status, as the document has them."""
    part = DOCUMENT.read_text(encoding="utf-8").partition(_BEGIN)[2].partition(_END)[0]
    rows = re.findall(r"^\| `(\w+)` \|.*?\| `(\w+)` \|", part, flags=re.MULTILINE)
    return dict(rows)
