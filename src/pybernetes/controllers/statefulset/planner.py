"""What to do about a StatefulSet: pure, the set, its pods and claims in, steps and a status out.

Ordered sets do one thing at a time: the plan ends where they must wait to see what came of it. Parallel ones do
what can be done for every pod at once; only updates are paced for both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pybernetes.api import codecs, intstr
from pybernetes.api.types import apps_v1, core_v1
from pybernetes.controllers import pods
from pybernetes.controllers.statefulset import claims, identity


@dataclass(slots=True)
class Step:
    """One pod's turn: its claims, then the pod itself created, updated or deleted (`verb`), or left as it is ("")."""

    pod: core_v1.Pod
    verb: str = ""
    claims: claims.Work | None = None


@dataclass(slots=True)
class Plan:
    """`phases` follow one another; within one, steps are taken in order, or together where the set is Parallel."""

    status: apps_v1.StatefulSetStatus
    phases: list[list[Step]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Revisions:
    """The template that pods had, and the one that they are to have."""

    current: apps_v1.ControllerRevision
    update: apps_v1.ControllerRevision


def is_parallel(stateful_set: apps_v1.StatefulSet) -> bool:
    return stateful_set.spec.podManagementPolicy == "Parallel"


def is_rolling(stateful_set: apps_v1.StatefulSet) -> bool:
    return stateful_set.spec.updateStrategy.type == "RollingUpdate"


def partition(stateful_set: apps_v1.StatefulSet) -> int:
    rolling = stateful_set.spec.updateStrategy.rollingUpdate
    return rolling.partition or 0 if rolling is not None else 0


def template_of(revision: apps_v1.ControllerRevision) -> core_v1.PodTemplateSpec:
    """The pod template that a revision keeps."""
    tree = dict(revision.data["spec"]["template"])
    tree.pop("$patch", None)
    return codecs.from_tree(core_v1.PodTemplateSpec, tree)


class _Set:
    """A StatefulSet with its pods in their places; `replicas` that do not exist are None."""

    def __init__(self, stateful_set: apps_v1.StatefulSet, owned: list[core_v1.Pod], now: float) -> None:
        self.set, self.now = stateful_set, now
        self.first, size = identity.start(stateful_set), identity.size(stateful_set)
        self.replicas: list[core_v1.Pod | None] = [None] * size
        self.condemned: list[core_v1.Pod] = []
        for pod in owned:
            if identity.in_range(stateful_set, pod):
                self.replicas[identity.ordinal_of(pod) - self.first] = pod
            elif identity.ordinal_of(pod) >= 0:
                self.condemned.append(pod)
        self.condemned.sort(key=identity.ordinal_of, reverse=True)

    def is_available(self, pod: core_v1.Pod) -> bool:
        return pods.is_available(pod, min_ready=self.set.spec.minReadySeconds, now=self.now)

    def is_up(self, pod: core_v1.Pod) -> bool:
        """Whether an ordered set may go on to the next pod."""
        return is_running_and_ready(pod) and self.is_available(pod)

    def is_down(self, pod: core_v1.Pod | None) -> bool:
        return pod is None or pod.metadata.deletionTimestamp is not None or not self.is_available(pod)


def is_running_and_ready(pod: core_v1.Pod) -> bool:
    return pod.status.phase == "Running" and pods.is_ready(pod)


def plan(
    stateful_set: apps_v1.StatefulSet,
    owned: list[core_v1.Pod],
    known: Mapping[str, core_v1.PersistentVolumeClaim],
    revisions: Revisions,
    collisions: int | None,
    now: float,
) -> Plan:
    """The next steps; `known` are the namespace's claims by name."""
    status = _status(stateful_set, owned, revisions, collisions, now)
    result = Plan(status)
    if stateful_set.metadata.deletionTimestamp is not None:
        return result
    placed = _Set(stateful_set, owned, now)
    result.phases, waits = _build(placed, known, revisions)
    if waits:
        return result
    restated, waits = _restate(placed, known), False
    going, waits = _condemn(placed)
    result.phases += [restated, going]
    if not waits and stateful_set.spec.updateStrategy.type != "OnDelete":
        result.phases.append([Step(pod, "delete") for pod in _outdated(placed, revisions.update.metadata.name)])
    return result


def _build(
    placed: _Set, known: Mapping[str, core_v1.PersistentVolumeClaim], revisions: Revisions
) -> tuple[list[list[Step]], bool]:
    """Create what is missing, replace what has ended, set right what is not as it should be.

    True: the set is ordered, and has to wait.
    """
    steps: list[Step] = []
    ordered = not is_parallel(placed.set)
    for index, pod in enumerate(placed.replicas):
        if pod is None:
            fresh = _new(placed, index, revisions)
            if not claims.is_stale(placed.set, fresh, known):
                steps.append(Step(fresh, "create", claims.work(placed.set, fresh, known, create=True)))
            if ordered:
                return [steps], True
            continue
        if pods.is_terminal(pod):
            if pod.metadata.deletionTimestamp is None:
                steps.append(Step(pod, "delete"))
            if ordered:
                return [steps], True
            continue
        waits = ordered and (pod.metadata.deletionTimestamp is not None or not placed.is_up(pod))
        if not waits or pod.status.phase == "Pending":
            _mend(placed.set, pod, known, steps, waits=waits)
        if waits:
            return [steps], True
    return [steps], False


def _mend(
    stateful_set: apps_v1.StatefulSet,
    pod: core_v1.Pod,
    known: Mapping[str, core_v1.PersistentVolumeClaim],
    steps: list[Step],
    *,
    waits: bool,
) -> None:
    work = claims.work(stateful_set, pod, known, create=pod.status.phase == "Pending")
    better = None if waits else identity.repaired(stateful_set, pod)
    if better is not None and better.spec.volumes != pod.spec.volumes:
        work = claims.work(stateful_set, pod, known, create=True)
    if better is not None or work.create or work.update:
        steps.append(Step(better or pod, "update" if better is not None else "", work))


def _new(placed: _Set, index: int, revisions: Revisions) -> core_v1.Pod:
    """Below the partition, pods keep the template they had, also when they are made again."""
    stateful_set, ordinal = placed.set, placed.first + index
    rolling = stateful_set.spec.updateStrategy.rollingUpdate
    if rolling is not None:
        keeps = index < (rolling.partition or 0)
    else:
        keeps = is_rolling(stateful_set) and index < stateful_set.status.currentReplicas
    revision = revisions.current if keeps else revisions.update
    return identity.new_pod(stateful_set, template_of(revision), ordinal, revision.metadata.name)


def _restate(placed: _Set, known: Mapping[str, core_v1.PersistentVolumeClaim]) -> list[Step]:
    """Hand the claims of pods that are to go to whom they should belong."""
    steps = []
    for pod in placed.condemned:
        work = claims.work(placed.set, pod, known, create=False)
        if work.update:
            steps.append(Step(pod, "", work))
    return steps


def _condemn(placed: _Set) -> tuple[list[Step], bool]:
    """Remove pods beyond the set's size, the last first. True: the set is ordered, and has to wait."""
    if is_parallel(placed.set):
        return [Step(pod, "delete") for pod in placed.condemned if pod.metadata.deletionTimestamp is None], False
    if not placed.condemned:
        return [], False
    last = placed.condemned[0]
    unhealthy = next((pod for pod in [*placed.replicas, *reversed(placed.condemned)] if placed.is_down(pod)), None)
    if last.metadata.deletionTimestamp is not None or (not placed.is_up(last) and last is not unhealthy):
        return [], True
    return [Step(last, "delete")], True


def _outdated(placed: _Set, update: str) -> list[core_v1.Pod]:
    """The pods to replace now, the last first, so that no more than allowed are down."""
    rolling = placed.set.spec.updateStrategy.rollingUpdate
    candidates = list(reversed(placed.replicas[partition(placed.set) :]))
    if rolling is None or rolling.maxUnavailable is None:
        # One at a time; pods below the partition do not count.
        for pod in candidates:
            if pod is not None and identity.revision_of(pod) != update and pod.metadata.deletionTimestamp is None:
                return [pod]
            if placed.is_down(pod):
                return []
        return []
    most = max(intstr.scaled(rolling.maxUnavailable, total=len(placed.replicas), round_up=False), 1)
    room = most - sum(map(placed.is_down, placed.replicas))
    outdated = [
        pod
        for pod in candidates
        if pod is not None and identity.revision_of(pod) != update and pod.metadata.deletionTimestamp is None
    ]
    return outdated[: max(room, 0)]


def _status(
    stateful_set: apps_v1.StatefulSet,
    owned: list[core_v1.Pod],
    revisions: Revisions,
    collisions: int | None,
    now: float,
) -> apps_v1.StatefulSetStatus:
    current, update = revisions.current.metadata.name, revisions.update.metadata.name
    ready = [pod for pod in owned if is_running_and_ready(pod)]
    min_ready = stateful_set.spec.minReadySeconds
    living = [identity.revision_of(pod) for pod in owned if pod.metadata.deletionTimestamp is None]
    return apps_v1.StatefulSetStatus(
        observedGeneration=stateful_set.metadata.generation,
        collisionCount=collisions or 0,
        conditions=stateful_set.status.conditions,
        currentRevision=current,
        updateRevision=update,
        replicas=len(owned),
        readyReplicas=len(ready),
        availableReplicas=sum(pods.is_available(pod, min_ready=min_ready, now=now) for pod in ready),
        currentReplicas=living.count(current),
        updatedReplicas=living.count(update),
    )


def complete(stateful_set: apps_v1.StatefulSet, status: apps_v1.StatefulSetStatus) -> None:
    """Where an update has come to its end, make its revision the current one, in place."""
    wanted = identity.size(stateful_set)
    if is_rolling(stateful_set) and status.updatedReplicas == status.readyReplicas == status.replicas == wanted:
        status.currentReplicas = status.updatedReplicas
        status.currentRevision = status.updateRevision
