"""Which cells a profile makes."""

from __future__ import annotations

import pytest

from benchmark.matrix import cells, is_judge, judge_of, seed_of
from benchmark.methods import find_methods
from benchmark.profile import Profile, load_profile
from benchmark.records import Cell

METHODS = ("real_only", "fu_lora")


def planned(*overrides: str) -> tuple[Profile, list[Cell]]:
    profile = load_profile("smoke", overrides, METHODS)
    return profile, cells(profile, {name: find_methods()[name] for name in METHODS})


def utility(found: list[Cell], method: str) -> list[tuple[str, str, str]]:
    return [(c.mix, c.balance, c.compute) for c in found if c.kind == "utility" and c.method == method]


def test_real_images_alone_are_balanced_in_every_way_and_the_target_trains_the_upper_reference():
    _, found = planned()
    assert utility(found, "real_only") == [
        ("real", "", ""), ("real", "sampling", ""), ("real", "loss", ""), ("real", "subset", ""), ("target", "", ""),
    ]  # fmt: skip
    assert utility(found, "fu_lora") == [("real+synthetic", "", ""), ("synthetic", "", "")]


def test_unmatched_compute_is_made_only_when_asked_and_beside_the_matched_rows():
    _, found = planned("utility.compute=[matched, unmatched]", "utility.mixes=[real+synthetic]")
    assert utility(found, "fu_lora") == [("real+synthetic", "", ""), ("real+synthetic", "", "unmatched")]
    assert ("real", "subset", "unmatched") in utility(found, "real_only")


def test_a_dose_response_crosses_real_with_synthetic_numbers_and_has_a_control_for_each():
    _, found = planned(
        "utility.doses={real: [2, 0], synthetic: [0, 3]}", "utility.mixes=[]", "utility.controls=[sampling]",
        "utility.upper_reference=false",
    )  # fmt: skip
    doses = [(c.method, c.mix, c.balance, c.n_real, c.n_synthetic) for c in found if c.kind == "utility"]
    assert doses == [
        ("real_only", "real", "", 0, 0), ("real_only", "real", "sampling", 0, 0),
        ("real_only", "real", "sampling", 2, 0), ("fu_lora", "real+synthetic", "sampling", 2, 3),
        ("fu_lora", "real+synthetic", "sampling", 0, 3),
    ]  # fmt: skip


def test_all_rows_of_a_classifier_share_its_seed():
    profile, found = planned()
    assert len({seed_of(cell, profile) for cell in found if cell.kind == "utility"}) == 1


def test_only_natural_real_images_make_the_judge():
    profile, found = planned()
    assert [cell for cell in found if is_judge(cell)] == [judge_of(profile, 0)]


@pytest.mark.parametrize(
    "override", ["utility.controls=[evenly]", "utility.doses={real: [-1]}", "utility.compute=[more]"]
)
def test_a_balance_dose_or_compute_that_is_none_is_refused(override: str):
    from benchmark.errors import UsageError

    with pytest.raises(UsageError, match="utility"):
        load_profile("smoke", [override])
