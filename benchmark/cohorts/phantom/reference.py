"""The tables of `docs/phantom.md`, written from the declared ranges.

Renew them by `python -m benchmark.cohorts.phantom.reference docs/phantom.md`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmark.cohorts.phantom.geometry import VIEWS
from benchmark.cohorts.phantom.scanners import MEANING, NO_THORAX, PRETRAINING, SOURCE, TARGET, ScannerRange, Span
from benchmark.errors import UsageError

BEGIN = "<!-- tables: begin (written by python -m benchmark.cohorts.phantom.reference docs/phantom.md) -->"
END = "<!-- tables: end -->"


def place(span: Span, known: Span) -> str:
    """Where a range lies relative to a known one: `inside`, `edge` (touches or crosses its end) or `outside`."""
    if span[1] <= known[0] or span[0] >= known[1]:
        return "outside"
    return "inside" if known[0] < span[0] and span[1] < known[1] else "edge"


def tables() -> str:
    """Markdown: what each parameter means, its ranges per domain, and where each target centre lies."""
    return "\n".join([*_meanings(), "", *_ranges(), "", *_target(), "", *_views()])


def _number(span: Span) -> str:
    return f"{span[0]:g} to {span[1]:g}"


def _header(names: list[str]) -> list[str]:
    return ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]


def _meanings() -> list[str]:
    return [*_header(["parameter", "meaning"]), *(f"| `{name}` | {text} |" for name, text in MEANING.items())]


def _ranges() -> list[str]:
    lines = _header(["parameter", "pre-training", *(f"source {name}" for name in SOURCE)])
    for name in MEANING:
        known: Span = getattr(PRETRAINING, name)
        lines.append(
            f"| `{name}` | {_number(known)} | " + " | ".join(_cell(one, name) for one in SOURCE.values()) + " |"
        )
    return lines


def _cell(scanner: ScannerRange, name: str) -> str:
    span: Span = getattr(scanner, name)
    return f"{_number(span)} ({place(span, getattr(PRETRAINING, name))})"


def _target() -> list[str]:
    lines = _header(["parameter", "pre-training", *TARGET])
    for name in MEANING:
        known: Span = getattr(PRETRAINING, name)
        lines.append(
            f"| `{name}` | {_number(known)} | " + " | ".join(_cell(one, name) for one in TARGET.values()) + " |"
        )
    return lines


def _views() -> list[str]:
    lines = _header(["site", *VIEWS, "thorax"])
    sites = {"pre-training": PRETRAINING, **{f"source {name}": one for name, one in SOURCE.items()}, **TARGET}
    for site, one in sites.items():
        shares = " | ".join(f"{100 * share:g} %" for share in one.views)
        lines.append(f"| {site} | {shares} | {'no' if site in NO_THORAX else 'yes'} |")
    return lines


def refresh(text: str) -> str:
    """The document with its tables written anew.

    Raises:
        UsageError: the document lacks the two markers between which the tables stand.
    """
    if BEGIN not in text or END not in text:
        raise UsageError(f"the document lacks the lines '{BEGIN}' and '{END}'; put them where the tables shall stand")
    before, rest = text.split(BEGIN, 1)
    return f"{before}{BEGIN}\n{tables()}\n{END}{rest.split(END, 1)[1]}"


if __name__ == "__main__":
    document = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/phantom.md")
    document.write_text(refresh(document.read_text(encoding="utf-8")), encoding="utf-8")
