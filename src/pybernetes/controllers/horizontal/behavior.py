"""How far the number of replicas may move now: stabilization windows, policies and limits. Pure but for `History`.

What was recommended of late is remembered, and what was changed. Times are monotonic seconds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from pybernetes.api.types import autoscaling_v2

# Without a behavior: as many at once.
UP_FACTOR, UP_AT_LEAST = 2, 4
Rules = autoscaling_v2.HPAScalingRules


def _policy(kind: str, value: int) -> autoscaling_v2.HPAScalingPolicy:
    return autoscaling_v2.HPAScalingPolicy(type=kind, value=value, periodSeconds=15)


# What the API server fills in, for those of another server that did not.
UP = Rules(stabilizationWindowSeconds=0, selectPolicy="Max", policies=[_policy("Pods", 4), _policy("Percent", 100)])
DOWN = Rules(selectPolicy="Max", policies=[_policy("Percent", 100)])


@dataclass(slots=True)
class History:
    """Of one autoscaler: recommendations before they were stabilized, and changes up and down, each with its time."""

    recommended: list[tuple[int, float]] = field(default_factory=list)
    ups: list[tuple[int, float]] = field(default_factory=list)
    downs: list[tuple[int, float]] = field(default_factory=list)

    def begin(self, replicas: int, now: float) -> None:
        """At first sight, what is there is what was recommended."""
        if not self.recommended:
            self.recommended.append((replicas, now))

    def recommend(self, replicas: int, now: float, *, window: float) -> None:
        """Note a recommendation, and forget those older than the window (seconds)."""
        self.recommended = [noted for noted in self.recommended if noted[1] >= now - window]
        self.recommended.append((replicas, now))

    def changed(
        self, before: int, after: int, now: float, behavior: autoscaling_v2.HorizontalPodAutoscalerBehavior | None
    ) -> None:
        """Note a change, and forget those that no policy looks back to."""
        if behavior is None:
            return
        rules = (behavior.scaleUp or UP) if after > before else (behavior.scaleDown or DOWN)
        longest = max((policy.periodSeconds for policy in rules.policies), default=0)
        events = self.ups if after > before else self.downs
        events[:] = [event for event in events if event[1] >= now - longest]
        events.append((abs(after - before), now))


@dataclass(frozen=True, slots=True)
class Move:
    """Where to: `replicas`; and the (status, reason, message) of the conditions AbleToScale and ScalingLimited."""

    replicas: int
    able: tuple[str, str, str]
    limited: tuple[str, str, str]


READY = ("True", "ReadyForNewScale", "recommended size matches current size")
UP_STABILIZED = (
    "True",
    "ScaleUpStabilized",
    "recent recommendations were lower than current one, applying the lowest recent recommendation",
)
DOWN_STABILIZED = (
    "True",
    "ScaleDownStabilized",
    "recent recommendations were higher than current one, applying the highest recent recommendation",
)
TOO_MANY = ("TooManyReplicas", "the desired replica count is more than the maximum replica count")
TOO_FEW = ("TooFewReplicas", "the desired replica count is less than the minimum replica count")
UP_LIMIT = ("ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate")
DOWN_LIMIT = ("ScaleDownLimit", "the desired replica count is decreasing faster than the maximum scale rate")
WITHIN = ("DesiredWithinRange", "the desired count is within the acceptable range")


def move(
    spec: autoscaling_v2.HorizontalPodAutoscalerSpec,
    history: History,
    current: int,
    desired: int,
    *,
    downscale_window: float,
    now: float,
) -> Move:
    """From `current` towards `desired`, as far as the autoscaler allows now. Notes the recommendation.

    `downscale_window` (seconds) is for autoscalers that name none of their own.
    """
    low = 1 if spec.minReplicas is None else spec.minReplicas
    if spec.behavior is None:
        stable = max([desired, *(count for count, at in history.recommended if at >= now - downscale_window)])
        history.recommend(desired, now, window=downscale_window)
        able = READY if stable == desired else DOWN_STABILIZED
        replicas, why = _within_defaults(current, stable, low, spec.maxReplicas)
    else:
        up, down = spec.behavior.scaleUp or UP, spec.behavior.scaleDown or DOWN
        stable = _stabilized(history, current, desired, up, down, downscale_window, now)
        able = READY if stable == desired else UP_STABILIZED if desired >= current else DOWN_STABILIZED
        replicas, why = _within_rules(history, current, stable, low, spec.maxReplicas, up, down, now)
    return Move(replicas, able, ("False" if replicas == stable else "True", *why))


def _stabilized(
    history: History, current: int, desired: int, up: Rules, down: Rules, downscale_window: float, now: float
) -> int:
    """No higher than the lowest recommendation of the window for more, no lower than the highest of that for less."""
    up_window = float(up.stabilizationWindowSeconds or 0)
    down_window = downscale_window if down.stabilizationWindowSeconds is None else down.stabilizationWindowSeconds
    lowest = min([desired, *(count for count, at in history.recommended if at > now - up_window)])
    highest = max([desired, *(count for count, at in history.recommended if at > now - down_window)])
    history.recommend(desired, now, window=max(up_window, down_window))
    return min(max(current, lowest), highest)


def _within_defaults(current: int, desired: int, low: int, high: int) -> tuple[int, tuple[str, str]]:
    limit = max(UP_FACTOR * current, UP_AT_LEAST)
    highest, why = (limit, UP_LIMIT) if high > limit else (high, TOO_MANY)
    if desired < low:
        return low, TOO_FEW
    if desired > highest:
        return highest, why
    return desired, WITHIN


def _within_rules(
    history: History, current: int, desired: int, low: int, high: int, up: Rules, down: Rules, now: float
) -> tuple[int, tuple[str, str]]:
    if desired > current:
        limit = max(_up_limit(history, current, up, now), current)
        highest, why = (limit, UP_LIMIT) if high > limit else (high, TOO_MANY)
        if desired > highest:
            return highest, why
    elif desired < current:
        limit = min(_down_limit(history, current, down, now), current)
        lowest, why = (limit, DOWN_LIMIT) if low < limit else (low, TOO_FEW)
        if desired < lowest:
            return lowest, why
    return desired, WITHIN


def _up_limit(history: History, current: int, rules: Rules, now: float) -> int:
    def grown(start: int, policy: autoscaling_v2.HPAScalingPolicy) -> int:
        if policy.type == "Pods":
            return start + policy.value
        # Rounded up, or one pod would stay one for ever.
        return math.ceil(start * (1 + policy.value / 100))

    return _limit(history, current, rules, now, grown, least=min, most=max)


def _down_limit(history: History, current: int, rules: Rules, now: float) -> int:
    def shrunk(start: int, policy: autoscaling_v2.HPAScalingPolicy) -> int:
        return start - policy.value if policy.type == "Pods" else int(start * (1 - policy.value / 100))

    return _limit(history, current, rules, now, shrunk, least=max, most=min)


def _limit(
    history: History,
    current: int,
    rules: Rules,
    now: float,
    moved: Callable[[int, autoscaling_v2.HPAScalingPolicy], int],
    *,
    least: Callable[[list[int]], int],
    most: Callable[[list[int]], int],
) -> int:
    """How far the policies go, counted from where each policy's period began."""
    if rules.selectPolicy == "Disabled" or not rules.policies:
        return current
    proposals = []
    for policy in rules.policies:
        since = now - policy.periodSeconds
        start = current - _sum_since(history.ups, since) + _sum_since(history.downs, since)
        proposals.append(moved(start, policy))
    return least(proposals) if rules.selectPolicy == "Min" else most(proposals)


def _sum_since(events: list[tuple[int, float]], since: float) -> int:
    return sum(change for change, at in events if at > since)
