"""The boards in the README are those that are committed."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BOARDS = ROOT / "results" / "leaderboards"


def rows(text: str) -> list[dict[str, str]]:
    """The first Markdown table of a text."""
    lines = text[text.index("\n|") + 1 :].split("\n\n", maxsplit=1)[0].splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [dict(zip(cells[0], row, strict=True)) for row in cells[2:]]


@pytest.mark.parametrize("name", ["phantom", "spain-africa-small"])
def test_the_readme_shows_the_committed_board_with_light_augmentation(name: str):
    readme = (ROOT / "README.md").read_text().split(f"<!-- board:{name} -->")[1].split(f"<!-- /board:{name} -->")[0]
    board = rows((BOARDS / name / "leaderboard.md").read_text())
    light = [row for row in board if row["augmentation"] == "light"]
    shown = rows(readme)
    assert len(shown) == len(light) > 5
    for short, full in zip(shown, light, strict=True):
        ties = "copies, not ranked" if "not ranked" in full["status"] else full["ties"]
        assert short.items() <= (full | {"ties": ties}).items()
