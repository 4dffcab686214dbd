"""What to do about a DaemonSet: pure, nodes and pods in, nodes to start pods on and pods to remove out."""

from __future__ import annotations

from dataclasses import dataclass, field

from pybernetes.api import intstr
from pybernetes.api.types import apps_v1, core_v1
from pybernetes.controllers import history, pods
from pybernetes.controllers.daemon import fit

ByNode = dict[str, list[core_v1.Pod]]


@dataclass(slots=True)
class Plan:
    """`create` on those nodes; `failed` are among `delete`, and are told about."""

    create: list[str] = field(default_factory=list)
    delete: list[core_v1.Pod] = field(default_factory=list)
    failed: list[core_v1.Pod] = field(default_factory=list)


def by_node(owned: list[core_v1.Pod]) -> ByNode:
    result: ByNode = {}
    for pod in owned:
        node = fit.node_of(pod)
        if node:
            result.setdefault(node, []).append(pod)
    return result


def is_updated(pod: core_v1.Pod, digest: str) -> bool:
    return pod.metadata.labels.get(history.HASH_LABEL) == digest


def limits(daemon_set: apps_v1.DaemonSet, desired: int) -> tuple[int, int]:
    """(surge, unavailable) for that many nodes; both zero would never move, so one may be down."""
    rolling = daemon_set.spec.updateStrategy.rollingUpdate or apps_v1.RollingUpdateDaemonSet(maxUnavailable=1)
    surge = intstr.scaled(rolling.maxSurge or 0, total=desired, round_up=True)
    allowed = 1 if rolling.maxUnavailable is None else rolling.maxUnavailable
    unavailable = intstr.scaled(allowed, total=desired, round_up=True)
    return (surge, unavailable) if surge or unavailable else (0, 1)


def manage(daemon_set: apps_v1.DaemonSet, nodes: list[core_v1.Node], where: ByNode, *, surge: bool) -> Plan:
    """One pod on each node that suits, none elsewhere. With `surge`, two may be there while one replaces the other."""
    plan = Plan()
    known = set()
    for node in nodes:
        known.add(node.metadata.name)
        should_run, may_go_on = fit.fits(daemon_set, node)
        here = where.get(node.metadata.name, [])
        if should_run and not here:
            plan.create.append(node.metadata.name)
        elif here and not may_go_on:
            plan.delete += [pod for pod in here if pod.metadata.deletionTimestamp is None]
        elif here:
            _keep_one(plan, here, surge=surge)
    for name, here in where.items():
        if name not in known:
            # The node is gone: pods that never got there would wait for it for ever.
            plan.delete += [pod for pod in here if not pod.spec.nodeName and pod.metadata.deletionTimestamp is None]
    return plan


def _keep_one(plan: Plan, here: list[core_v1.Pod], *, surge: bool) -> None:
    living = []
    for pod in here:
        if pod.metadata.deletionTimestamp is not None:
            continue
        if pods.is_terminal(pod):
            plan.failed.append(pod)
            plan.delete.append(pod)
        else:
            living.append(pod)
    living.sort(key=lambda pod: (not pod.spec.nodeName, pod.metadata.creationTimestamp or "", pod.metadata.name))
    plan.delete += living[2 if surge else 1 :]


def roll(daemon_set: apps_v1.DaemonSet, nodes: list[core_v1.Node], where: ByNode, digest: str, now: float) -> Plan:
    """The next step towards the current template."""
    desired = [node.metadata.name for node in nodes if fit.fits(daemon_set, node)[0]]
    surge, unavailable = limits(daemon_set, len(desired))
    min_ready = daemon_set.spec.minReadySeconds
    plan = Plan()
    down = fresh = 0
    ready_to_go: list[tuple[str, core_v1.Pod]] = []
    broken: list[tuple[str, core_v1.Pod]] = []
    for name in desired:
        here = [pod for pod in where.get(name, []) if not pods.is_terminal(pod)]
        living = [pod for pod in here if pod.metadata.deletionTimestamp is None]
        new = [pod for pod in living if is_updated(pod, digest)]
        old = [pod for pod in living if not is_updated(pod, digest)]
        up = any(pods.is_available(pod, min_ready=min_ready, now=now) for pod in living)
        if surge:
            if old and not new:
                (ready_to_go if up else broken).append((name, old[0]))
            elif old and pods.is_available(new[0], min_ready=min_ready, now=now):
                plan.delete += old
            elif old:
                fresh += 1
        elif old and not new:
            (ready_to_go if up else broken).append((name, old[0]))
            down += not up
        elif not up:
            down += 1
    if surge:
        # A pod that does not work is replaced without counting; the others as far as there is room for two at once.
        plan.create = [name for name, _ in broken] + [name for name, _ in ready_to_go[: max(surge - fresh, 0)]]
        return plan
    plan.delete = [pod for _, pod in broken] + [pod for _, pod in ready_to_go[: max(unavailable - down, 0)]]
    return plan


def status(
    daemon_set: apps_v1.DaemonSet,
    nodes: list[core_v1.Node],
    where: ByNode,
    digest: str,
    now: float,
) -> apps_v1.DaemonSetStatus:
    result = apps_v1.DaemonSetStatus(
        observedGeneration=daemon_set.metadata.generation,
        collisionCount=daemon_set.status.collisionCount,
        conditions=daemon_set.status.conditions,
    )
    for node in nodes:
        here = where.get(node.metadata.name, [])
        if not fit.fits(daemon_set, node)[0]:
            result.numberMisscheduled += bool(here)
            continue
        result.desiredNumberScheduled += 1
        if not here:
            continue
        result.currentNumberScheduled += 1
        first = min(here, key=lambda pod: (pod.metadata.creationTimestamp or "", pod.metadata.name))
        shown = next((pod for pod in here if pods.is_ready(pod)), first)
        if pods.is_ready(shown):
            result.numberReady += 1
            result.numberAvailable += pods.is_available(shown, min_ready=daemon_set.spec.minReadySeconds, now=now)
        result.updatedNumberScheduled += any(is_updated(pod, digest) for pod in here)
    result.numberUnavailable = result.desiredNumberScheduled - result.numberAvailable
    return result
