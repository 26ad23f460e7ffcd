"""How fast the phantom draws: at least 300 images/s at 64 px on two idle cores."""

from __future__ import annotations

from pytest_benchmark.fixture import BenchmarkFixture

from benchmark.cohorts.phantom import draw_phantom


def test_speed_of_drawing_300_images_at_64_px(benchmark: BenchmarkFixture):
    cohort = benchmark.pedantic(
        draw_phantom, args=("phantom-pretraining",), kwargs={"images": 300}, rounds=5, warmup_rounds=1
    )
    assert len(cohort) == 300
