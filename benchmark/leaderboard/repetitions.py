"""Numbers that records hold, over repetitions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, TypeGuard

from scipy.special import stdtrit

from benchmark.leaderboard.tables import Estimate


def over_repetitions(numbers: Iterable[Any], scale: float = 1.0, mark: str = "") -> Estimate:
    """Mean and standard deviation (n - 1) of what is a number; one number has no sd."""
    defined = [float(number) * scale for number in numbers if _is_number(number)]
    if not defined:
        return Estimate(None, reason="no repetition has a value")
    mean = math.fsum(defined) / len(defined)
    if len(defined) == 1:
        return Estimate(mean, n=1, mark=mark)
    sd = math.sqrt(math.fsum((number - mean) ** 2 for number in defined) / (len(defined) - 1))
    return Estimate(mean, sd=sd, n=len(defined), mark=mark)


def over_records(entries: Sequence[Any], scale: float = 1.0, mark: str = "", level: float = 0.95) -> Estimate:
    """A metric of records over repetitions, with an interval where the records allow one.

    One repetition has its record's own interval. Of S repetitions, which share the reference images, the variance of
    the mean is sd_reference^2 + s^2 / S: that of the reference does not shrink with S. The quantile is Student's t with
    Satterthwaite's degrees of freedom (Biometrics Bulletin 2, 1946), S - 1 for the repetitions; those of the reference
    are taken as many. Where a record has no `sd_reference` there is mean and standard deviation alone.

    Args:
        entries: of each repetition a bare number, or `{"value", "ci_low", "ci_high", "sd_reference"}`, or `None`.
        scale: factor of the unit that is shown.
        mark: shown after the value.
        level: nominal coverage.
    """
    defined = [entry for entry in entries if number_of(entry) is not None]
    found = over_repetitions(map(number_of, defined), scale, mark)
    if found.value is None:
        reasons = [str(entry["reason"]) for entry in entries if isinstance(entry, dict) and entry.get("reason")]
        return Estimate(None, reason=reasons[0]) if reasons else found
    if len(defined) == 1:
        bounds = [defined[0].get(name) if isinstance(defined[0], dict) else None for name in ("ci_low", "ci_high")]
        low, high = (bound * scale if _is_number(bound) else None for bound in bounds)
        return Estimate(found.value, low, high, n=1, mark=mark)
    references = [entry.get("sd_reference") if isinstance(entry, dict) else None for entry in defined]
    known = [sd for sd in references if _is_number(sd)]
    if found.sd is None or len(known) < len(defined):
        return found
    of_reference = math.fsum((scale * sd) ** 2 for sd in known) / len(known)
    of_sets = found.sd**2 / len(defined)
    variance = of_reference + of_sets
    df = variance**2 / (of_sets**2 / (len(defined) - 1)) if of_sets else math.inf
    half = float(stdtrit(min(df, 1e6), (1 + level) / 2)) * math.sqrt(variance)
    covers = "reference images and repetitions"
    return Estimate(
        found.value, found.value - half, found.value + half, found.sd, len(defined), se=math.sqrt(variance),
        df=min(df, 1e6), covers=covers, mark=mark,
    )  # fmt: skip


def number_of(entry: Any) -> float | None:
    """The number of a metric, stored bare or as `{"value": ...}`."""
    number = entry.get("value") if isinstance(entry, dict) else entry
    return float(number) if _is_number(number) else None


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
