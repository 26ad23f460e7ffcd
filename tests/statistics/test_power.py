from __future__ import annotations

import pytest
from scipy.stats import nct, norm, t

from benchmark.statistics import Interval, smallest_detectable


def gain(se: float | None, df: float | None, level: float = 0.95) -> Interval:
    return Interval(0.0, -0.1, 0.1, 3, 0.01, "clusters and repetitions", None, se, df, level)


def test_by_hand() -> None:
    # t at 0.975 and 0.8 with 10 degrees of freedom: 2.2281 and 0.8791.
    assert smallest_detectable(gain(0.02, 10)) == pytest.approx(0.02 * (2.2281 + 0.8791), abs=1e-5)
    assert smallest_detectable(gain(0.02, 10, level=0.99)) == pytest.approx(0.02 * (3.1693 + 0.8791), abs=1e-5)


def test_with_many_degrees_of_freedom_it_is_the_normal_answer() -> None:
    assert smallest_detectable(gain(1.0, 1e7)) == pytest.approx(norm.ppf(0.975) + norm.ppf(0.8), rel=1e-5)


@pytest.mark.parametrize(("df", "tolerance"), [(2, 0.05), (4, 0.012), (8, 0.006), (65, 0.001)])
@pytest.mark.parametrize("power", [0.7, 0.8, 0.9])
def test_the_t_test_finds_it_with_about_that_power(df: int, tolerance: float, power: float) -> None:
    difference = smallest_detectable(gain(1.0, df), power)
    critical = t.ppf(0.975, df)
    exact = nct.sf(critical, df, difference) + nct.cdf(-critical, df, difference)
    assert exact == pytest.approx(power, abs=tolerance)


def test_without_a_standard_error_there_is_none() -> None:
    assert smallest_detectable(gain(None, None)) is None
    assert smallest_detectable(gain(0.0, 2)) is None


def test_a_power_of_one_half_or_less_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"between 0\.5 and 1"):
        smallest_detectable(gain(0.02, 10), 0.5)
