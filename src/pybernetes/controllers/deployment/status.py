"""The status a Deployment's ReplicaSets amount to, and whether its rollout makes progress. Pure."""

from __future__ import annotations

from pybernetes.api import codecs, times
from pybernetes.api.types import apps_v1
from pybernetes.controllers import conditions
from pybernetes.controllers.deployment import rolling

AVAILABLE = "Available"
PROGRESSING = "Progressing"
REPLICA_FAILURE = "ReplicaFailure"
NO_DEADLINE = 2**31 - 1

NEW_SET_AVAILABLE = "NewReplicaSetAvailable"
TIMED_OUT = "ProgressDeadlineExceeded"
PAUSED = "DeploymentPaused"


def has_deadline(deployment: apps_v1.Deployment) -> bool:
    return deployment.spec.progressDeadlineSeconds not in (None, NO_DEADLINE)


def condition(kind: str, status: str, reason: str, message: str, now: float) -> apps_v1.DeploymentCondition:
    stamp = times.to_time(now)
    return apps_v1.DeploymentCondition(
        type=kind, status=status, reason=reason, message=message, lastUpdateTime=stamp, lastTransitionTime=stamp
    )


def counted(
    deployment: apps_v1.Deployment,
    sets: list[apps_v1.ReplicaSet],
    new: apps_v1.ReplicaSet | None,
    now: float,
) -> apps_v1.DeploymentStatus:
    """Counts and the Available condition; the others are carried over."""
    available = sum(one.status.availableReplicas for one in sets)
    enough = available >= rolling.desired(deployment) - rolling.max_unavailable(deployment)
    availability = (
        condition(AVAILABLE, "True", "MinimumReplicasAvailable", "Deployment has minimum availability.", now)
        if enough
        else condition(
            AVAILABLE, "False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.", now
        )
    )
    return apps_v1.DeploymentStatus(
        observedGeneration=deployment.metadata.generation,
        replicas=sum(one.status.replicas for one in sets),
        updatedReplicas=new.status.replicas if new is not None else 0,
        readyReplicas=sum(one.status.readyReplicas for one in sets),
        availableReplicas=available,
        unavailableReplicas=max(sum(map(rolling.size, sets)) - available, 0),
        terminatingReplicas=_terminating(sets),
        collisionCount=deployment.status.collisionCount,
        conditions=conditions.put(codecs.copy(deployment.status).conditions, availability),
    )


def _terminating(sets: list[apps_v1.ReplicaSet]) -> int | None:
    """None where a set that is being looked after does not say."""
    total = 0
    for one in sets:
        if one.status.terminatingReplicas is None and one.status.observedGeneration:
            return None
        total += one.status.terminatingReplicas or 0
    return total


def is_complete(deployment: apps_v1.Deployment, status: apps_v1.DeploymentStatus) -> bool:
    wanted = rolling.desired(deployment)
    return (
        status.updatedReplicas == status.replicas == status.availableReplicas == wanted
        and status.observedGeneration >= deployment.metadata.generation
    )


def _has_progressed(before: apps_v1.DeploymentStatus, after: apps_v1.DeploymentStatus) -> bool:
    return (
        after.updatedReplicas > before.updatedReplicas
        or after.replicas - after.updatedReplicas < before.replicas - before.updatedReplicas
        or after.readyReplicas > before.readyReplicas
        or after.availableReplicas > before.availableReplicas
    )


def rollout(
    deployment: apps_v1.Deployment,
    sets: list[apps_v1.ReplicaSet],
    new: apps_v1.ReplicaSet | None,
    now: float,
) -> apps_v1.DeploymentStatus:
    """`counted`, with the Progressing and ReplicaFailure conditions of a rollout."""
    status = counted(deployment, sets, new, now)
    current = conditions.find(deployment.status.conditions, PROGRESSING)
    settled = status.replicas == status.updatedReplicas and current is not None and current.reason == NEW_SET_AVAILABLE
    if not has_deadline(deployment):
        status.conditions = conditions.without(status.conditions, PROGRESSING)
    elif not settled:
        what = f'ReplicaSet "{new.metadata.name}"' if new is not None else f'Deployment "{deployment.metadata.name}"'
        _judge(deployment, status, what, now)
    failure = _failure(sets, new)
    if failure is not None:
        status.conditions = conditions.put(status.conditions, failure)
    else:
        status.conditions = conditions.without(status.conditions, REPLICA_FAILURE)
    return status


def _judge(deployment: apps_v1.Deployment, status: apps_v1.DeploymentStatus, what: str, now: float) -> None:
    """Set the Progressing condition in place."""
    current = conditions.find(deployment.status.conditions, PROGRESSING)
    if is_complete(deployment, status):
        done = condition(PROGRESSING, "True", NEW_SET_AVAILABLE, f"{what} has successfully progressed.", now)
        status.conditions = conditions.put(status.conditions, done)
    elif _has_progressed(deployment.status, status):
        # Unlike other conditions this one is renewed with its reason unchanged: its update time is the progress.
        moving = condition(PROGRESSING, "True", "ReplicaSetUpdated", f"{what} is progressing.", now)
        if current is not None and current.status == "True":
            moving.lastTransitionTime = current.lastTransitionTime
        status.conditions = [*conditions.without(status.conditions, PROGRESSING), moving]
    elif _is_late(deployment, current, now):
        late = condition(PROGRESSING, "False", TIMED_OUT, f"{what} has timed out progressing.", now)
        status.conditions = conditions.put(status.conditions, late)


def _is_late(deployment: apps_v1.Deployment, current: apps_v1.DeploymentCondition | None, now: float) -> bool:
    if current is None or current.reason == NEW_SET_AVAILABLE or not current.lastUpdateTime:
        return False
    if current.reason == TIMED_OUT:
        return True
    return times.parse(current.lastUpdateTime) + (deployment.spec.progressDeadlineSeconds or 0) < now


def _failure(sets: list[apps_v1.ReplicaSet], new: apps_v1.ReplicaSet | None) -> apps_v1.DeploymentCondition | None:
    """The failure that a set reports, the new one's first."""
    for one in ([new] if new is not None else []) + sets:
        found = conditions.find(one.status.conditions, REPLICA_FAILURE)
        if found is not None:
            return apps_v1.DeploymentCondition(
                type=found.type,
                status=found.status,
                reason=found.reason,
                message=found.message,
                lastTransitionTime=found.lastTransitionTime,
                lastUpdateTime=found.lastTransitionTime,
            )
    return None


def next_look(deployment: apps_v1.Deployment, status: apps_v1.DeploymentStatus, now: float) -> float | None:
    """Seconds until the rollout would be late; None where that is no question."""
    current = conditions.find(deployment.status.conditions, PROGRESSING)
    if not has_deadline(deployment) or current is None or not current.lastUpdateTime:
        return None
    if is_complete(deployment, status) or current.reason == TIMED_OUT:
        return None
    left = times.parse(current.lastUpdateTime) + (deployment.spec.progressDeadlineSeconds or 0) - now
    # One more second, because timestamps have no fractions.
    return max(left, 0.0) + 1.0


def paused_condition(deployment: apps_v1.Deployment, now: float) -> apps_v1.DeploymentCondition | None:
    """The condition to set after pausing or resuming, so that the time spent paused does not count."""
    if not has_deadline(deployment):
        return None
    current = conditions.find(deployment.status.conditions, PROGRESSING)
    if current is not None and current.reason == TIMED_OUT:
        return None
    known = current is not None and current.reason == PAUSED
    if deployment.spec.paused and not known:
        return condition(PROGRESSING, "Unknown", PAUSED, "Deployment is paused", now)
    if not deployment.spec.paused and known:
        return condition(PROGRESSING, "Unknown", "DeploymentResumed", "Deployment is resumed", now)
    return None
