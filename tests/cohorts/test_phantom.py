"""The phantom: who is in it, what hangs on what, and that an image is formed as a scanner forms it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmark.classes import CLASSES
from benchmark.cohorts.cohort import Cohort
from benchmark.cohorts.phantom import DOMAINS, draw_phantom
from benchmark.cohorts.phantom.formation import form_image
from benchmark.cohorts.phantom.geometry import make_beams, make_view
from benchmark.cohorts.phantom.reference import place, refresh
from benchmark.cohorts.phantom.scanners import NO_THORAX, PRETRAINING, draw_settings
from benchmark.cohorts.phantom.tissue import BONE, FLUID, Canvas, Frame, Shape
from benchmark.errors import UnknownNameError, UsageError

DOCUMENT = Path(__file__).parents[2] / "docs" / "phantom.md"


@pytest.fixture(scope="module")
def source() -> Cohort:
    return draw_phantom("phantom-source")


@pytest.fixture(scope="module")
def target() -> Cohort:
    return draw_phantom("phantom-target")


def test_source_trains_on_50_per_class_and_holds_out_40_or_more_without_a_common_patient(source: Cohort):
    counts = source.table.groupby(["split", "label"]).size()
    assert all(counts["train", name] == 50 and counts["heldout", name] >= 40 for name in CLASSES)
    patients = source.table.groupby("split")["patient_id"].agg(set)
    assert not patients["train"] & patients["heldout"]


def test_target_has_five_centres_of_which_two_lack_thorax_and_none_has_other(target: Cohort):
    labels = target.table.groupby("center")["label"].agg(set)
    assert len(target) == 300 and len(labels) == 5
    assert all(
        seen == set(CLASSES) - {"other"} - ({"thorax"} if name in NO_THORAX else set()) for name, seen in labels.items()
    )


def test_patients_have_one_to_four_images_of_one_centre_machine_and_cluster(source: Cohort, target: Cohort):
    for table in (source.table, target.table):
        patients = table.groupby("patient_id")
        assert set(patients.size()) == {1, 2, 3, 4}
        assert (patients[["center", "machine", "operator", "cluster_id"]].nunique() == 1).all().all()
        assert patients["label"].nunique().max() > 1


def test_no_image_or_patient_is_shared_by_domains_or_draws():
    cohorts = [draw_phantom(domain, size=32, images=40, draw=draw) for domain in DOMAINS for draw in (0, 1)]
    for column in ("image_id", "patient_id", "sha256"):
        seen = [name for cohort in cohorts for name in cohort.table[column].unique()]
        assert len(seen) == len(set(seen))


def test_an_image_hangs_on_its_names_alone_not_on_what_else_is_drawn():
    few, many = (draw_phantom("phantom-pretraining", size=32, images=n, seed=3) for n in (30, 70))
    assert np.array_equal(few.pixels, many.pixels[:30])
    assert few.table.equals(many.table.iloc[:30])
    assert not np.array_equal(few.pixels, draw_phantom("phantom-pretraining", size=32, images=30, seed=4).pixels)


def test_a_patient_keeps_its_anatomy_when_the_scanner_image_size_changes():
    small, large = (draw_phantom("phantom-source", size=size, images=30) for size in (32, 96))
    assert small.table.drop(columns="sha256").equals(large.table.drop(columns="sha256"))
    shrunk = large.pixels.reshape(30, 32, 3, 32, 3).mean(axis=(2, 4))
    likeness = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(small.pixels, shrunk, strict=True)]
    assert np.median(likeness) > 0.8


@pytest.mark.parametrize(
    ("domain", "arguments", "error"),
    [
        ("phantom-sorce", {}, UnknownNameError),
        ("phantom-source", {"size": 8}, UsageError),
        ("phantom-source", {"images": 0}, UsageError),
        ("phantom-source", {"draw": -1}, UsageError),
    ],
)
def test_what_cannot_be_drawn_is_refused_with_a_reason(domain: str, arguments: dict[str, int], error: type[UsageError]):
    with pytest.raises(error):
        draw_phantom(domain, **arguments)


def _scan(*shapes: Shape, kind: str = "linear", **changes: float) -> np.ndarray:
    """An image of shapes (in mm around the middle of a window 100 mm high) by a plain scanner."""
    plain = {
        "aspect": 1.0,
        "gain_db": 0.0,
        "tgc_slope_db": 0.0,
        "tgc_bow_db": 0.0,
        "contact_db": 0.0,
        "noise_db": -60.0,
    }
    drawn = draw_settings(replace(PRETRAINING, clutter_db=(-60, -60), smoothing=(0, 0)), np.random.default_rng(0))
    settings = {
        **drawn,
        **plain,
        "dynamic_range_db": 60.0,
        "attenuation_db_mm": 0.12,
        "shadow": 1.0,
        "gamma": 1.0,
        **changes,
    }
    view = make_view(kind, 100.0, settings)
    canvas = Canvas(make_beams(view, 224, 160), settings["attenuation_db_mm"], settings["shadow"])
    canvas.paint(Frame(0.0, 50.0, 1.0), list(shapes))
    return form_image(canvas, settings, 128, np.random.default_rng(1)).astype(float)


def test_behind_bone_it_is_dark_and_behind_water_bright():
    plain = _scan()
    bone = _scan(Shape(0, -20, 20, 2, level=BONE, loss=4.0))
    water = _scan(Shape(0, -10, 20, 15, level=FLUID, loss=0.0))
    behind = (slice(90, 120), slice(54, 74))
    assert bone[behind].mean() < 0.6 * plain[behind].mean()
    assert water[behind].mean() > plain[behind].mean() + 3
    assert abs(bone[90:120, :20].mean() - plain[90:120, :20].mean()) < 3


def test_speckle_is_coherent_multiplicative_and_coarser_away_from_the_focus():
    image = _scan(lateral_mm=1.2, focus=0.3)
    # Log compression turns multiplicative speckle into a spread that does not depend on the level.
    dim = _scan(Shape(0, 0, 300, 300, level=-8.0), lateral_mm=1.2, focus=0.3)
    assert dim.mean() < image.mean() - 20
    assert dim.std() == pytest.approx(image.std(), rel=0.15)

    def likeness(rows: slice) -> float:
        return float(np.corrcoef(image[rows, :-2].ravel(), image[rows, 2:].ravel())[0, 1])

    assert likeness(slice(100, 128)) > likeness(slice(25, 50)) + 0.1


def test_a_fan_is_black_outside_and_a_rectangle_fills_the_picture():
    fan = _scan(kind="sector", half_angle_deg=30.0, probe_radius_mm=40.0, aspect=1.4)
    assert (fan[:20, :20] == 0).all() and (fan[:20, -20:] == 0).all() and fan[60:70, 60:70].mean() > 60
    assert (_scan() > 0).mean() > 0.95


def test_the_documented_tables_are_those_of_the_declared_ranges():
    text = DOCUMENT.read_text(encoding="utf-8")
    assert refresh(text) == text, "run: python -m benchmark.cohorts.phantom.reference docs/phantom.md"


def test_a_range_is_inside_at_the_edge_or_outside():
    assert [place(span, (0, 10)) for span in ((1, 9), (0, 5), (8, 12), (10, 12), (-4, -1))] == [
        "inside",
        "edge",
        "edge",
        "outside",
        "outside",
    ]
