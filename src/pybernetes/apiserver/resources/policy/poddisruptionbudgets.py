"""PodDisruptionBudgets."""

from __future__ import annotations

from collections.abc import Sequence

from pybernetes.api import fields
from pybernetes.api.types import policy_v1
from pybernetes.apiserver.resources import cells, checks, kind
from pybernetes.apiserver.resources.apps import workloads

_SPEC = fields.Path("spec")


def validate(budget: policy_v1.PodDisruptionBudget) -> checks.Errors:
    spec = budget.spec
    problems: checks.Errors = []
    if spec.minAvailable is not None and spec.maxUnavailable is not None:
        words = "minAvailable and maxUnavailable cannot be both set"
        problems.append(fields.invalid(_SPEC, spec, words))
    for name in ("minAvailable", "maxUnavailable"):
        value = getattr(spec, name)
        if value is not None:
            problems += workloads.int_or_percent(value, _SPEC[name]) + workloads.at_most_all(value, _SPEC[name])
    problems += checks.selector(spec.selector, _SPEC["selector"])
    if spec.unhealthyPodEvictionPolicy is not None:
        policies = ("AlwaysAllow", "IfHealthyBudget")
        at = _SPEC["unhealthyPodEvictionPolicy"]
        problems += checks.one_of(spec.unhealthyPodEvictionPolicy, policies, at)
    return problems


def validate_status(new: policy_v1.PodDisruptionBudget, _: policy_v1.PodDisruptionBudget) -> checks.Errors:
    names = ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods")
    return workloads.counts(new.status, names)


def row(budget: policy_v1.PodDisruptionBudget, now: float) -> Sequence[kind.Cell]:
    spec = budget.spec
    return (
        budget.metadata.name,
        "N/A" if spec.minAvailable is None else str(spec.minAvailable),
        "N/A" if spec.maxUnavailable is None else str(spec.maxUnavailable),
        budget.status.disruptionsAllowed,
        cells.age(budget.metadata, now),
    )


KIND: kind.Kind[policy_v1.PodDisruptionBudget] = kind.Kind(
    resource=kind.resource("policy", "v1", "poddisruptionbudgets"),
    validate=validate,
    validate_status=validate_status,
    has_status=True,
    spec_of=lambda budget: budget.spec,
    allow_unconditional_update=False,
    columns=(
        kind.NAME,
        kind.Column("Min Available"),
        kind.Column("Max Unavailable"),
        kind.Column("Allowed Disruptions", type="integer"),
        kind.AGE,
    ),
    row=row,
)
