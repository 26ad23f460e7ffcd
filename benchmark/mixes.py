"""What the classifiers of a method are trained on: mixes, controls and doses, as coordinates of cells."""

from __future__ import annotations

from typing import Any

from benchmark.contract import MethodSpec
from benchmark.profile import UtilityPlan
from benchmark.records import REFERENCE_METHOD


def mixes(plan: UtilityPlan, spec: MethodSpec, method: str) -> list[dict[str, Any]]:
    """What a method's classifiers are trained on, as coordinates of cells; `natural` and `matched` go without saying.

    The controls belong to the reference method: a method that yields nothing has nothing to add to them.
    """
    computes = [_unless(compute, "matched") for compute in plan.compute]
    if spec.synthesizes:
        return [
            {"mix": mix, "balance": _unless(balance, "natural"), "compute": compute}
            for mix in plan.mixes
            for balance in dict.fromkeys(plan.balances)
            for compute in dict.fromkeys(computes)
        ]
    found: list[dict[str, Any]] = [{"mix": "real"}]
    if method == REFERENCE_METHOD:
        found += [
            {"mix": "real", "balance": balance} for balance in dict.fromkeys(plan.controls) if balance != "natural"
        ]
        if "unmatched" in plan.compute and "subset" in plan.controls:
            found.append({"mix": "real", "balance": "subset", "compute": "unmatched"})
    return found


def doses(plan: UtilityPlan, spec: MethodSpec, method: str) -> list[dict[str, Any]]:
    """The dose-response: sampled evenly throughout, so that the numbers of images are all that varies."""
    real = dict.fromkeys(plan.doses.real)
    if not spec.synthesizes:
        wanted = method == REFERENCE_METHOD and bool(plan.doses.synthetic)
        controls = [{"mix": "real", "balance": "sampling", "n_real": n} for n in real if n]
        return controls if wanted else []
    return [
        {"mix": "real+synthetic", "balance": "sampling", "n_real": n, "n_synthetic": k}
        for n in real
        for k in dict.fromkeys(plan.doses.synthetic)
        if k
    ]


def _unless(name: str, usual: str) -> str:
    return "" if name == usual else name
