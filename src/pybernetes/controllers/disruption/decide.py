"""A disruption budget's arithmetic. Pure: the budget, its pods and their owners' sizes in, a status out."""

from __future__ import annotations

from dataclasses import dataclass

from pybernetes.api import codecs, intstr, times
from pybernetes.api.types import core_v1, meta_v1, policy_v1
from pybernetes.controllers import pods

ALLOWED = "DisruptionAllowed"
ENOUGH, TOO_FEW, FAILED = "SufficientPods", "InsufficientPods", "SyncFailed"
# An evicted pod that is still there after so many seconds is taken for one that stays.
DELETION_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Expected:
    """How many pods there should be, and how many of them must be healthy."""

    pods: int
    healthy: int


def needs_sizes(budget: policy_v1.PodDisruptionBudget) -> bool:
    """Whether the owners' sizes count, or only the pods that there are."""
    return budget.spec.maxUnavailable is not None or isinstance(budget.spec.minAvailable, str)


def expected(budget: policy_v1.PodDisruptionBudget, there: int, size: int) -> Expected:
    """`size` is what the pods' owners add up to. Raises ValueError for amounts that make no sense."""
    most, least = budget.spec.maxUnavailable, budget.spec.minAvailable
    if most is not None:
        return Expected(size, max(size - intstr.scaled(most, total=size, round_up=True), 0))
    if isinstance(least, str):
        return Expected(size, intstr.scaled(least, total=size, round_up=True))
    return Expected(there, least or 0) if least is not None else Expected(0, 0)


def disrupted(
    budget: policy_v1.PodDisruptionBudget, own: list[core_v1.Pod], now: float
) -> tuple[dict[str, str], list[core_v1.Pod], float | None]:
    """(evicted pods that are about to go, those that stayed after all, seconds until the next of them counts so)."""
    going: dict[str, str] = {}
    stayed: list[core_v1.Pod] = []
    again: float | None = None
    for pod in own:
        since = budget.status.disruptedPods.get(pod.metadata.name)
        if since is None or pod.metadata.deletionTimestamp is not None:
            continue
        left = times.parse(since) + DELETION_SECONDS - now
        if left <= 0:
            stayed.append(pod)
            continue
        going[pod.metadata.name] = since
        again = left if again is None else min(again, left)
    return going, stayed, again


def status(
    budget: policy_v1.PodDisruptionBudget,
    own: list[core_v1.Pod],
    wanted: Expected,
    going: dict[str, str],
    now: float,
) -> policy_v1.PodDisruptionBudgetStatus:
    healthy = sum(
        pods.is_ready(pod) for pod in own if pod.metadata.deletionTimestamp is None and pod.metadata.name not in going
    )
    allowed = max(healthy - wanted.healthy, 0) if wanted.pods > 0 else 0
    fresh = policy_v1.PodDisruptionBudgetStatus(
        currentHealthy=healthy,
        desiredHealthy=wanted.healthy,
        expectedPods=wanted.pods,
        disruptionsAllowed=allowed,
        disruptedPods=going,
        observedGeneration=budget.metadata.generation,
        conditions=budget.status.conditions,
    )
    reason = ENOUGH if allowed else TOO_FEW
    fresh.conditions = _conditions(fresh, "True" if allowed else "False", reason, "", now)
    return fresh


def failed(budget: policy_v1.PodDisruptionBudget, why: str, now: float) -> policy_v1.PodDisruptionBudgetStatus:
    """What is safe while nothing can be said: no disruption."""
    fresh = codecs.copy(budget.status)
    fresh.disruptionsAllowed = 0
    fresh.conditions = _conditions(fresh, "False", FAILED, why, now)
    return fresh


def _conditions(
    status_: policy_v1.PodDisruptionBudgetStatus, value: str, reason: str, message: str, now: float
) -> list[meta_v1.Condition]:
    before = next((one for one in status_.conditions if one.type == ALLOWED), None)
    since = before.lastTransitionTime if before is not None and before.status == value else times.to_time(now)
    made = meta_v1.Condition(
        type=ALLOWED,
        status=value,
        reason=reason,
        message=message,
        observedGeneration=status_.observedGeneration,
        lastTransitionTime=since,
    )
    return [*(one for one in status_.conditions if one.type != ALLOWED), made]
