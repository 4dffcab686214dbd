"""How many replicas one metric asks for: pure. Amounts are in thousandths, times in epoch seconds.

Pods that have just started, and pods that no metric is known of, must not make matters worse: they are taken to be
idle where there would be more pods, and busy where there would be fewer; and where that alone would turn more into
fewer, or the reverse, nothing is changed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from pybernetes.api import times
from pybernetes.api.types import core_v1
from pybernetes.controllers import pods

LARGEST_COUNT, LARGEST_AMOUNT = 2**31 - 1, 2**63 - 1
CPU = "cpu"


class Incalculable(Exception):
    """The metric asks for no number of replicas that could be worked out; the text says why."""


class Sample(NamedTuple):
    """What a metric said of one pod: an amount, averaged over `window` seconds until `at`."""

    amount: int
    at: float
    window: float


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far from its target a metric may be, as a share of it, before anything is changed."""

    down: float = 0.1
    up: float = 0.1

    def covers(self, ratio: float) -> bool:
        return 1.0 - self.down <= ratio <= 1.0 + self.up


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What replicas are calculated from, besides metrics. `replicas` is what the scale asks for, `there` what there is.

    A pod's CPU counts only with care within `cpu_initialization` seconds of its start, and one that was never ready
    for longer than `initial_readiness` after it does not count at all.
    """

    pods: list[core_v1.Pod]
    replicas: int
    there: int
    now: float
    tolerance: Tolerance = field(default_factory=Tolerance)
    cpu_initialization: float = 300.0
    initial_readiness: float = 30.0


def by_utilization(
    scene: Scene, samples: Mapping[str, Sample], target: int, resource: str, container: str = ""
) -> tuple[int, int, int]:
    """To have pods use `target` percent of what they request. Answers (replicas, percent used, average amount)."""
    known, groups = _look(scene, samples, resource)
    requests = {pod.metadata.name: requested(pod, resource, container) for pod in scene.pods}

    def percent(amounts: Mapping[str, int]) -> int:
        whole = sum(requests.get(name, 0) for name in amounts)
        if not whole:
            raise Incalculable("no metrics returned matched known pods")
        return _quotient(100 * sum(amount for name, amount in amounts.items() if name in requests), whole)

    used = percent(known)
    matched = [amount for name, amount in known.items() if name in requests]
    busy = {name: _quotient(requests[name] * max(100, target), 100) for name in groups.missing}
    wanted = _adjusted(scene, known, groups, busy, lambda amounts: _ratio(percent(amounts), target))
    return wanted, used, _quotient(sum(matched), len(matched))


def by_average(scene: Scene, samples: Mapping[str, Sample], target: int, resource: str = "") -> tuple[int, int]:
    """To have the metric at `target` on average. Answers (replicas, average amount)."""
    known, groups = _look(scene, samples, resource)

    def average(amounts: Mapping[str, int]) -> int:
        return _quotient(sum(amounts.values()), len(amounts))

    busy = dict.fromkeys(groups.missing, target)
    wanted = _adjusted(scene, known, groups, busy, lambda amounts: _ratio(average(amounts), target))
    return wanted, average(known)


def by_value(scene: Scene, amount: int, target: int) -> int:
    """To have one amount, which belongs to no pod, at `target`; it is taken to fall as ready pods are added."""
    ratio = _ratio(amount, target)
    if scene.replicas == 0:
        return _whole(ratio)
    if scene.tolerance.covers(ratio):
        return scene.replicas
    if not scene.pods:
        why = "no pods returned by selector while calculating replica count"
        raise Incalculable(f"unable to calculate ready pods: {why}")
    ready = sum(pod.status.phase == "Running" and pods.is_ready(pod) for pod in scene.pods)
    # With no pod ready there is nothing to multiply, however high the ratio.
    return _whole(ratio * ready) if ready else 0


def by_value_per_pod(scene: Scene, amount: int, target: int) -> tuple[int, int]:
    """To have one amount, shared among the pods, at `target` for each. Answers (replicas, amount for each now)."""
    count = scene.there
    if not scene.tolerance.covers(_ratio(amount, target * scene.there)):
        count = _whole(_ratio(amount, target))
    if amount >= LARGEST_AMOUNT:
        return count, LARGEST_AMOUNT
    return count, -(-amount // max(scene.there, 1))


def total(amounts: tuple[int, ...]) -> int:
    return min(sum(amounts), LARGEST_AMOUNT)


class _Groups(NamedTuple):
    """Names of pods: how many count, which are not to be trusted yet, which nothing is known of."""

    ready: int
    unready: set[str]
    missing: set[str]


def _look(scene: Scene, samples: Mapping[str, Sample], resource: str) -> tuple[dict[str, int], _Groups]:
    """The amounts that can be trusted, by pod, and the pods by what is known of them."""
    if not scene.pods:
        raise Incalculable("no pods returned by selector while calculating replica count")
    ready, unready, missing, ignored = 0, set(), set(), set()
    for pod in scene.pods:
        name = pod.metadata.name
        if pod.metadata.deletionTimestamp is not None or pod.status.phase == "Failed":
            ignored.add(name)
        elif pod.status.phase == "Pending":
            unready.add(name)
        elif name not in samples:
            missing.add(name)
        elif resource == CPU and _is_starting(scene, pod, samples[name]):
            unready.add(name)
        else:
            ready += 1
    known = {name: sample.amount for name, sample in samples.items() if name not in ignored and name not in unready}
    if not known:
        raise Incalculable("did not receive metrics for targeted pods (pods might be unready)")
    return known, _Groups(ready, unready, missing)


def _is_starting(scene: Scene, pod: core_v1.Pod, sample: Sample) -> bool:
    condition = pods.condition(pod, "Ready")
    if condition is None or not pod.status.startTime:
        return True
    started = times.parse(pod.status.startTime)
    since = times.parse(condition.lastTransitionTime) if condition.lastTransitionTime else 0.0
    if started + scene.cpu_initialization > scene.now:
        # What was measured before it became ready was its start, not its work.
        return condition.status == "False" or sample.at < since + sample.window
    return condition.status == "False" and started + scene.initial_readiness > since


def _adjusted(
    scene: Scene,
    known: Mapping[str, int],
    groups: _Groups,
    busy: Mapping[str, int],
    ratio_of: Callable[[Mapping[str, int]], float],
) -> int:
    """`busy`: what pods that nothing is known of are taken to use where there would be fewer."""
    ratio = ratio_of(known)
    starting_counts = bool(groups.unready) and ratio > 1.0
    if not starting_counts and not groups.missing:
        return scene.replicas if scene.tolerance.covers(ratio) else _whole(ratio * groups.ready)
    amounts = dict(known)
    if ratio < 1.0:
        amounts.update(busy)
    elif ratio > 1.0:
        amounts.update(dict.fromkeys(groups.missing, 0))
    if starting_counts:
        amounts.update(dict.fromkeys(groups.unready, 0))
    again = ratio_of(amounts)
    if scene.tolerance.covers(again) or (ratio < 1.0 < again) or (again < 1.0 < ratio):
        return scene.replicas
    wanted = _whole(again * len(amounts))
    if (again < 1.0 and wanted > scene.replicas) or (again > 1.0 and wanted < scene.replicas):
        return scene.replicas
    return wanted


def requested(pod: core_v1.Pod, resource: str, container: str = "") -> int:
    """What the pod, or one container of it, requests. Raises Incalculable where one does not say."""
    whole = pod.spec.resources
    if whole is not None and whole.requests and not container:
        if resource in whole.requests:
            return whole.requests[resource].milli()
        return sum(one.resources.requests[resource].milli() for one in _lasting(pod, resource))
    name = pod.metadata.name
    amount = 0
    for one in _running(pod):
        if container in ("", one.name):
            if resource not in one.resources.requests:
                raise Incalculable(f"missing request for {resource} in container {one.name} of Pod {name}")
            amount += one.resources.requests[resource].milli()
    if container and all(one.name != container for one in _running(pod)):
        raise Incalculable(f"container {container} not found in Pod {name}")
    return amount


def _running(pod: core_v1.Pod) -> list[core_v1.Container]:
    """The containers that run side by side: sidecars too."""
    return [*pod.spec.containers, *(one for one in pod.spec.initContainers if one.restartPolicy == "Always")]


def _lasting(pod: core_v1.Pod, resource: str) -> list[core_v1.Container]:
    """Of a pod that requests other resources as a whole: the containers that request this one."""
    found = [one for one in _running(pod) if resource in one.resources.requests]
    if not found:
        raise Incalculable(f"missing pod-level request for {resource} in Pod {pod.metadata.name}")
    return found


def _quotient(amount: int, by: int) -> int:
    """Whole, rounded towards zero."""
    return amount // by if amount >= 0 else -(-amount // by)


def _ratio(amount: float, by: float) -> float:
    if by:
        return amount / by
    return math.inf if amount else 0.0


def _whole(count: float) -> int:
    return LARGEST_COUNT if count > LARGEST_COUNT else math.ceil(count)
