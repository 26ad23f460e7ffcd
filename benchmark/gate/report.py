"""What the gate and a comparison say: lines for a terminal, Markdown for a page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tabulate import tabulate

from benchmark.gate.comparison import LEVEL, Comparison, Line
from benchmark.gate.differences import Difference
from benchmark.gate.metrics import METRICS
from benchmark.gate.verdicts import FAILING, Finding, Report

GATE_COLUMNS = ("verdict", "row", "metric", "baseline", "this run", "difference", "tolerance", "note")
ROW_COLUMNS = ("row", "metric", "A", "B", "B - A")
COLUMNS = ROW_COLUMNS[1:]


@dataclass(frozen=True)
class Grid:
    """A table as people read it: a title, columns, rows of texts."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self) -> str:
        """Title and table; cells hold no bar that would end them."""
        rows = [[cell.replace("|", "/").replace("\n", " ") for cell in row] for row in self.rows]
        return f"{self.title}\n\n" + tabulate(rows, self.columns, tablefmt="github", disable_numparse=True) + "\n"


def gate_lines(report: Report) -> list[str]:
    """What failed, what improved and what is new, one sentence each; then the count and what to mind."""
    told = [_sentence(finding) for finding in report.of(*FAILING)]
    told += [_sentence(finding) for finding in report.of("improved", "new")]
    told.append(f"gate {'passed' if report.passed else 'FAILED'}: {_counts(report)}")
    return told + _remarks(report)


def gate_markdown(report: Report) -> str:
    """The same as a page: what failed, what improved, what is new, each as a table."""
    parts = [f"### Gate of {report.label}: {'passed' if report.passed else 'FAILED'}\n\n{_counts(report)}\n"]
    for title, findings in (
        ("Regressions", report.of(*FAILING)),
        ("Improvements", report.of("improved")),
        ("New rows", report.of("new")),
    ):
        if findings:
            rows = tuple(_row(finding) for finding in findings)
            parts.append(Grid(f"**{title}**", GATE_COLUMNS, rows).markdown())
    return "\n".join([*parts, *(f"- {remark}" for remark in _remarks(report))]).rstrip()


def comparison_grids(found: Comparison) -> list[Grid]:
    """One table for each row."""
    names = dict.fromkeys((line.kind, line.row) for line in found.lines)
    return [
        Grid(
            f"{kind} {row}",
            COLUMNS,
            tuple(_cells(line) for line in found.lines if (line.kind, line.row) == (kind, row)),
        )
        for kind, row in names
    ]


def comparison_notes(found: Comparison) -> Iterator[str]:
    """What the tables do not show: who A and B are, what differs, what only one has."""
    yield f"A is {found.a}, B is {found.b}; B - A with its {100 * LEVEL:g} % interval, paired by cluster and repetition"
    yield from _notes(line.difference for line in found.lines)
    if found.profile:
        yield f"settings that differ (A / B): {found.profile}"
    if found.environment:
        yield f"environments differ (A / B): {found.environment}"
    yield from (f"not comparable (A / B): {row}: {why}" for row, why in found.apart)
    yield from (f"only in A: {row}" for row in found.only_a)
    yield from (f"only in B: {row}" for row in found.only_b)


def comparison_markdown(found: Comparison) -> str:
    """Notes and one table of utility, one of fidelity."""
    parts = [f"### {found.b} against {found.a}\n", *(f"- {note}" for note in comparison_notes(found)), ""]
    for kind in dict.fromkeys(line.kind for line in found.lines):
        rows = tuple((line.row, *_cells(line)) for line in found.lines if line.kind == kind)
        parts.append(Grid(f"**{kind}**", ROW_COLUMNS, rows).markdown())
    return "\n".join(parts).rstrip()


def _cells(line: Line) -> tuple[str, ...]:
    return (_title(line.metric, line.difference), *_numbers(line.difference))


def _notes(differences: Iterable[Difference]) -> list[str]:
    """Each note once, with the number of metrics that it is about."""
    counts: dict[str, int] = {}
    for found in differences:
        counts[found.note] = counts.get(found.note, 0) + 1
    return [f"{note} ({count} metric{'s' if count > 1 else ''})" for note, count in counts.items() if note]


def _remarks(report: Report) -> list[str]:
    told = _notes(finding.difference for finding in report.findings)
    if not report.passed and report.environment:
        told.append(f"the baseline was made elsewhere (there / here): {report.environment}")
    return told


def _counts(report: Report) -> str:
    measured = [finding for finding in report.findings if finding.difference.value is not None]
    parts = [f"{len(measured)} metrics compared, each at {100 * report.level:g} %"]
    words = {"uncertain": "beyond the tolerance but not told from chance"}
    for verdict in (*FAILING, "improved", "uncertain", "new"):
        count = len(report.of(verdict))
        parts += [f"{count} {words.get(verdict, verdict)}"] if count else []
    return "; ".join(parts)


def _sentence(finding: Finding) -> str:
    about = f"{finding.verdict}: {finding.kind} {finding.row}"
    if finding.metric:
        about += f": {_title(finding.metric, finding.difference)}"
    if finding.difference.value is not None:
        old, new, change = _numbers(finding.difference)
        about += f": {old} -> {new}, {change}, tolerance {finding.tolerance}"
    return about + (f": {finding.note}" if finding.note else "")


def _row(finding: Finding) -> tuple[str, ...]:
    metric = _title(finding.metric, finding.difference) if finding.metric else ""
    numbers = _numbers(finding.difference)
    return (finding.verdict, f"{finding.kind} {finding.row}", metric, *numbers, finding.tolerance, finding.note)


def _title(metric: str, found: Difference) -> str:
    title = METRICS[metric].title
    return f"{title} ({found.center})" if found.center else title


def _numbers(found: Difference) -> tuple[str, str, str]:
    """Old, new, and the difference with its interval."""
    if found.value is None:
        return "", "", ""
    change = f"{found.value:+.2f}"
    if found.low is not None and found.high is not None:
        change += f" [{found.low:+.2f}, {found.high:+.2f}]"
    return f"{found.old:.2f}", f"{found.new:.2f}", change
