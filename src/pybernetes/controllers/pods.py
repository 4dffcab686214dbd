"""Facts about pods that several controllers decide by, and how they make and remove them."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from pybernetes.api import codecs, errors, names, times
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.client import Client
from pybernetes.controllers import owners
from pybernetes.informers import Recorder

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
NAMESPACE_TERMINATING = "NamespaceTerminating"
_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}


def condition(pod: core_v1.Pod, kind: str) -> core_v1.PodCondition | None:
    for found in pod.status.conditions:
        if found.type == kind:
            return found
    return None


def is_ready(pod: core_v1.Pod) -> bool:
    ready = condition(pod, "Ready")
    return ready is not None and ready.status == "True"


def is_terminal(pod: core_v1.Pod) -> bool:
    return pod.status.phase in ("Succeeded", "Failed")


def is_active(pod: core_v1.Pod) -> bool:
    return pod.metadata.deletionTimestamp is None and not is_terminal(pod)


def is_terminating(pod: core_v1.Pod) -> bool:
    return pod.metadata.deletionTimestamp is not None and not is_terminal(pod)


def available_in(pod: core_v1.Pod, *, min_ready: int, now: float) -> float | None:
    """Seconds until a ready pod counts as available (0: it does); None: it is not ready."""
    ready = condition(pod, "Ready")
    if ready is None or ready.status != "True":
        return None
    if min_ready == 0:
        return 0.0
    if not ready.lastTransitionTime:
        return None
    return max(0.0, times.parse(ready.lastTransitionTime) + min_ready - now)


def is_available(pod: core_v1.Pod, *, min_ready: int, now: float) -> bool:
    return available_in(pod, min_ready=min_ready, now=now) == 0.0


def deletion_order(pods: list[core_v1.Pod], neighbours: Mapping[str, int], now: float) -> list[core_v1.Pod]:
    """Pods in the order in which scaling down removes them; `neighbours` counts related active pods per node.

    Unassigned before assigned, pending before running, not ready before ready, cheap before dear, doubled up on a
    node before alone, shortly ready before long (by powers of two, ties by uid), often restarted before seldom, new
    before old.
    """

    def rank(pod: core_v1.Pod) -> tuple[Any, ...]:
        ready = condition(pod, "Ready")
        is_up = ready is not None and ready.status == "True"
        since = ready.lastTransitionTime if is_up and ready is not None else None
        regular, init = _restarts(pod)
        return (
            bool(pod.spec.nodeName),
            _PHASES.get(pod.status.phase, 0),
            is_up,
            _deletion_cost(pod),
            -neighbours.get(pod.spec.nodeName, 0),
            _age(since, now) if is_up else -1,
            -regular,
            -init,
            _age(pod.metadata.creationTimestamp, now),
            pod.metadata.uid,
        )

    return sorted(pods, key=rank)


def _age(since: str | None, now: float) -> int:
    """The binary logarithm of an age, so that the choice among pods of about one age is left to their uids."""
    if not since:
        return -1
    age = now - times.parse(since)
    return int(math.log2(age)) + 1 if age >= 1 else 0


def _deletion_cost(pod: core_v1.Pod) -> int:
    try:
        return int(pod.metadata.annotations.get(DELETION_COST, "0"))
    except ValueError:
        return 0


def _restarts(pod: core_v1.Pod) -> tuple[int, int]:
    """The highest restart counts of (containers, init containers)."""
    regular = max((status.restartCount for status in pod.status.containerStatuses), default=0)
    init = max((status.restartCount for status in pod.status.initContainerStatuses), default=0)
    return regular, init


def from_template(template: core_v1.PodTemplateSpec, owner: Any) -> core_v1.Pod:
    """A pod as an owner's template says, named after and controlled by the owner."""
    fresh = codecs.copy(template)
    prefix = f"{owner.metadata.name}-"
    if names.dns_subdomain(f"{prefix}x"):
        prefix = owner.metadata.name
    return core_v1.Pod(
        metadata=meta_v1.ObjectMeta(
            generateName=prefix,
            namespace=owner.metadata.namespace,
            labels=fresh.metadata.labels,
            annotations=fresh.metadata.annotations,
            finalizers=fresh.metadata.finalizers,
            ownerReferences=[owners.reference_to(owner)],
        ),
        spec=fresh.spec,
    )


async def create(client: Client, recorder: Recorder, pod: core_v1.Pod, owner: Any) -> core_v1.Pod | None:
    """Create and tell; None: the namespace is going, and trying again is of no use. Raises StatusError."""
    try:
        created = await client.create(pod)
    except errors.StatusError as error:
        if has_cause(error, NAMESPACE_TERMINATING):
            return None
        recorder.event(owner, "Warning", "FailedCreate", f"Error creating: {error}")
        raise
    recorder.event(owner, "Normal", "SuccessfulCreate", f"Created pod: {created.metadata.name}")
    return created


async def delete(client: Client, recorder: Recorder, pod: core_v1.Pod, owner: Any) -> bool:
    """Delete and tell; False: it was gone already. Raises StatusError."""
    try:
        await client.delete(core_v1.Pod, pod.metadata.name, pod.metadata.namespace, uid=pod.metadata.uid)
    except errors.StatusError as error:
        if error.reason == "NotFound":
            return False
        recorder.event(owner, "Warning", "FailedDelete", f"Error deleting: {error}")
        raise
    recorder.event(owner, "Normal", "SuccessfulDelete", f"Deleted pod: {pod.metadata.name}")
    return True


def has_cause(error: errors.StatusError, reason: str) -> bool:
    details = error.status.details
    return details is not None and any(cause.reason == reason for cause in details.causes)


async def slow_start(count: int, attempt: Callable[[], Awaitable[object]]) -> tuple[int, Exception | None]:
    """Make attempts in batches of 1, 2, 4, ... and stop after a batch with a failure.

    Answers how many succeeded and the first failure: many attempts that would all fail cost only a few requests.
    """
    succeeded, batch = 0, 1
    while succeeded < count:
        batch = min(batch, count - succeeded)
        results = await asyncio.gather(*(attempt() for _ in range(batch)), return_exceptions=True)
        failures = [result for result in results if isinstance(result, BaseException)]
        succeeded += batch - len(failures)
        for failure in failures:
            if not isinstance(failure, Exception):
                raise failure
            return succeeded, failure
        batch *= 2
    return succeeded, None
