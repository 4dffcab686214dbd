"""Pure decisions of the ReplicaSet controller: which pods to remove, and the status to report."""

from __future__ import annotations

import collections
from collections.abc import Iterable

from pybernetes.api import times
from pybernetes.api.types import apps_v1, core_v1
from pybernetes.controllers import conditions, pods

# Pods created or deleted in one go before the controller waits to see them.
BURST = 500
REPLICA_FAILURE = "ReplicaFailure"


def choose(active: list[core_v1.Pod], related: Iterable[core_v1.Pod], count: int, now: float) -> list[core_v1.Pod]:
    """The pods to delete when there are `count` too many; `related` are those of all sets of the same Deployment."""
    if count >= len(active):
        return active
    neighbours = collections.Counter(pod.spec.nodeName for pod in related if pods.is_active(pod))
    return pods.deletion_order(active, neighbours, now)[:count]


def status(
    replica_set: apps_v1.ReplicaSet,
    active: list[core_v1.Pod],
    terminating: int | None,
    failure: Exception | None,
    now: float,
) -> apps_v1.ReplicaSetStatus:
    """The status that these pods amount to; `failure` is why pods could not be made or removed."""
    labels = replica_set.spec.template.metadata.labels.items()
    min_ready = replica_set.spec.minReadySeconds
    # What the ready ones still have to wait until they are available.
    waits = [wait for pod in active if (wait := pods.available_in(pod, min_ready=min_ready, now=now)) is not None]
    found = replica_set.status.conditions
    known = conditions.find(found, REPLICA_FAILURE)
    if failure is not None and known is None:
        difference = len(active) - (replica_set.spec.replicas or 0)
        found = conditions.put(
            found,
            apps_v1.ReplicaSetCondition(
                type=REPLICA_FAILURE,
                status="True",
                lastTransitionTime=times.to_time(now),
                reason="FailedCreate" if difference < 0 else "FailedDelete" if difference > 0 else "",
                message=str(failure),
            ),
        )
    elif failure is None and known is not None:
        found = conditions.without(found, REPLICA_FAILURE)
    return apps_v1.ReplicaSetStatus(
        replicas=len(active),
        fullyLabeledReplicas=sum(labels <= pod.metadata.labels.items() for pod in active),
        readyReplicas=len(waits),
        availableReplicas=waits.count(0.0),
        terminatingReplicas=terminating,
        observedGeneration=replica_set.metadata.generation,
        conditions=found,
    )


def next_check(active: list[core_v1.Pod], min_ready: int, now: float) -> float | None:
    """Seconds until the next ready pod becomes available; None where none is waiting."""
    waits = (pods.available_in(pod, min_ready=min_ready, now=now) for pod in active)
    return min((wait for wait in waits if wait), default=None)
