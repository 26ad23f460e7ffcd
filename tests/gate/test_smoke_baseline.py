"""The committed baseline of the smoke profile: it belongs to the profile, and it still sees what is broken."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmark.gate import METRICS, Baseline, Snapshot, judge, read_baseline, write_baseline
from benchmark.gate.scores import Score
from benchmark.profile import load_profile

PATH = Path(__file__).parents[2] / "results" / "gates" / "smoke.yaml"
CHANCE = {"accuracy": 100 / 5, "auroc_ovr_macro_present": 50.0, "recognition": 100 / 5}
"""What classifiers of shuffled labels reach, in percent."""


@pytest.fixture(scope="module")
def baseline() -> Baseline:
    return read_baseline(PATH)


def planted(snapshot: Snapshot, kind: str, values: dict[str, float], row: str = "") -> Snapshot:
    """The run of the baseline with metrics of some rows changed, as another draw of errors on the same clusters."""
    random = np.random.default_rng(1)

    def change(name: str, score: Score) -> Score:
        if name not in values:
            return score
        effects = {number: random.permutation(effect) for number, effect in score.influence.items()}
        return replace(score, points=dict.fromkeys(score.points, values[name]), influence=effects)

    rows = {
        name: replace(part, scores={metric: change(metric, score) for metric, score in part.scores.items()})
        if row in name
        else part
        for name, part in getattr(snapshot, kind).items()
    }
    return replace(snapshot, **{kind: rows})


def test_it_was_made_by_the_profile_as_it_is_and_holds_all_its_methods(baseline: Baseline):
    profile = load_profile("smoke")
    made = baseline.snapshot.profile
    facts = (
        "name",
        "protocol",
        "image_size",
        "seed",
        "repetitions",
        "images_per_class",
        "generator_steps",
        "base_model",
    )
    assert {name: made[name] for name in facts} == {name: getattr(profile, name) for name in facts}
    assert (made["recipe"], made["steps"]) == (profile.utility.recipe, profile.utility.steps)
    measured = {name.split(" / ")[2] for name in baseline.snapshot.utility}
    assert measured == {entry.name for entry in profile.methods}


def test_it_is_as_the_gate_writes_it(baseline: Baseline, tmp_path: Path):
    write_baseline(tmp_path / "again.yaml", baseline)
    assert (tmp_path / "again.yaml").read_text() == PATH.read_text()


def test_it_passes_itself_and_says_how_its_tolerances_were_found(baseline: Baseline):
    assert judge(baseline.snapshot, baseline).passed
    assert "measured" in baseline.note


@pytest.mark.parametrize(
    ("metric", "mixes"),
    [("auroc_ovr_macro_present", {"real+synthetic", "synthetic", "target"}), ("accuracy", {"synthetic", "target"})],
)
def test_classifiers_of_shuffled_labels_fire_in_every_row_that_was_above_chance_by_more_than_its_tolerance(
    baseline: Baseline, metric: str, mixes: set[str]
):
    """The other rows learned too little in 20 steps for this profile to see them lose it."""
    above = {
        name
        for name, row in baseline.snapshot.utility.items()
        if row.scores[metric].mean - CHANCE[metric] > baseline.tolerance(name, metric).amount
    }
    report = judge(planted(baseline.snapshot, "utility", CHANCE), baseline)
    assert {finding.row for finding in report.of("regressed") if finding.metric == metric} == above
    assert {name.split(" / ")[3] for name in above} == mixes


@pytest.mark.parametrize("method", ["base_untuned", "full_finetune", "fu_lora", "classical_copy"])
def test_a_method_that_yields_noise_fires(baseline: Baseline, method: str):
    """Noise lies as far from real images as the untrained GAN's does."""
    noise = baseline.snapshot.fidelity["gan / ultrasound / heldout"].scores
    values = {name: noise[name].mean for name in ("fid", "kid")}
    report = judge(planted(baseline.snapshot, "fidelity", values, f"{method} / ultrasound / heldout"), baseline)
    assert {finding.metric for finding in report.of("regressed")} == {"fid", "kid"}


def test_a_method_that_begins_to_copy_fires(baseline: Baseline):
    report = judge(planted(baseline.snapshot, "fidelity", {"near_copies": 100.0}, "fu_lora"), baseline)
    assert [finding.metric for finding in report.of("regressed")] == ["near_copies"]


def test_every_gated_metric_is_in_it(baseline: Baseline):
    rows = [*baseline.snapshot.utility.values(), *baseline.snapshot.fidelity.values()]
    assert {metric for row in rows for metric in row.scores} == set(METRICS)
