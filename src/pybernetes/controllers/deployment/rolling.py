"""How many pods each ReplicaSet of a Deployment should have: pure arithmetic, ReplicaSets in, resizes out.

At every step of a rolling update at least `replicas - maxUnavailable` pods stay available, and never are there more
than `replicas + maxSurge`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from pybernetes.api import intstr
from pybernetes.api.types import apps_v1
from pybernetes.controllers.deployment import templates


class Resize(NamedTuple):
    """Give that set so many replicas. `always`: bring its annotations up to date even if the size is right."""

    set: apps_v1.ReplicaSet
    replicas: int
    always: bool = False


def size(one: apps_v1.ReplicaSet) -> int:
    return 1 if one.spec.replicas is None else one.spec.replicas


def desired(deployment: apps_v1.Deployment) -> int:
    return 1 if deployment.spec.replicas is None else deployment.spec.replicas


def active(sets: list[apps_v1.ReplicaSet]) -> list[apps_v1.ReplicaSet]:
    """Those that should have pods."""
    return [one for one in sets if size(one) > 0]


def is_rolling(deployment: apps_v1.Deployment) -> bool:
    return deployment.spec.strategy.type == "RollingUpdate"


def _fenceposts(deployment: apps_v1.Deployment) -> tuple[int, int]:
    """(surge, unavailable) resolved: surge rounds up, unavailable down; both zero would never move, so 1 may go."""
    rolling = deployment.spec.strategy.rollingUpdate or apps_v1.RollingUpdateDeployment()
    total = desired(deployment)
    surge = intstr.scaled(rolling.maxSurge or 0, total=total, round_up=True)
    unavailable = intstr.scaled(rolling.maxUnavailable or 0, total=total, round_up=False)
    return (0, 1) if surge == 0 and unavailable == 0 else (surge, unavailable)


def max_surge(deployment: apps_v1.Deployment) -> int:
    return _fenceposts(deployment)[0] if is_rolling(deployment) else 0


def max_unavailable(deployment: apps_v1.Deployment) -> int:
    if not is_rolling(deployment):
        return 0
    return min(_fenceposts(deployment)[1], desired(deployment))


def new_size(deployment: apps_v1.Deployment, sets: list[apps_v1.ReplicaSet], new: apps_v1.ReplicaSet) -> int:
    """The size of the set with the current template, while all others are as they are."""
    wanted = desired(deployment)
    if not is_rolling(deployment):
        return wanted
    room = wanted + max_surge(deployment) - sum(map(size, sets))
    if room <= 0:
        return size(new)
    return size(new) + min(room, wanted - size(new))


def grow_new(deployment: apps_v1.Deployment, sets: list[apps_v1.ReplicaSet], new: apps_v1.ReplicaSet) -> Resize | None:
    """The rollout's first half: the new set towards its full size."""
    wanted = desired(deployment)
    if size(new) == wanted:
        return None
    target = wanted if size(new) > wanted else new_size(deployment, sets, new)
    return Resize(new, target) if target != size(new) else None


def shrink_old(deployment: apps_v1.Deployment, old: list[apps_v1.ReplicaSet], new: apps_v1.ReplicaSet) -> list[Resize]:
    """The rollout's second half: old sets down as far as availability allows, unhealthy pods first.

    What may go at all is what is there, less what must stay available, less what of the new set is not yet available:
    with 10 replicas, 2 unavailable and 3 surge, and 5 new pods that crash, 13 - 8 - 5 = 0 of the old ones go.
    """
    if not any(map(size, old)):
        return []
    wanted = desired(deployment)
    must_stay = wanted - max_unavailable(deployment)
    may_go = sum(map(size, old)) + size(new) - must_stay - (size(new) - new.status.availableReplicas)
    if may_go <= 0:
        return []
    resizes: list[Resize] = []
    sizes = {one.metadata.name: size(one) for one in old}
    gone = 0
    for one in templates.by_age(old):
        unhealthy = min(may_go - gone, size(one) - one.status.availableReplicas)
        if size(one) and unhealthy > 0:
            sizes[one.metadata.name] -= unhealthy
            resizes.append(Resize(one, sizes[one.metadata.name]))
            gone += unhealthy
    # A set that was shrunk a moment ago still tells of pods that it is about to lose. Upstream counts them, and can
    # have fewer pods available than promised where its ReplicaSet controller is late.
    available = sum(min(size(one), one.status.availableReplicas) for one in (*old, new))
    spare = available - must_stay
    for one in templates.by_age(old):
        step = min(sizes[one.metadata.name], spare)
        if step > 0:
            sizes[one.metadata.name] -= step
            resizes.append(Resize(one, sizes[one.metadata.name]))
            spare -= step
    return resizes


def is_saturated(deployment: apps_v1.Deployment, one: apps_v1.ReplicaSet | None) -> bool:
    """Whether the set carries the whole deployment, by its own word and the annotation's."""
    wanted = desired(deployment)
    return (
        one is not None
        and size(one) == wanted
        and templates.noted(one, templates.DESIRED_REPLICAS) == wanted
        and one.status.availableReplicas == wanted
    )


def is_scaling(deployment: apps_v1.Deployment, sets: list[apps_v1.ReplicaSet]) -> bool:
    """Whether the deployment's size was changed since its sets were last resized."""
    for one in active(sets):
        noted = templates.noted(one, templates.DESIRED_REPLICAS)
        if noted is not None and noted != desired(deployment):
            return True
    return False


def scale(
    deployment: apps_v1.Deployment, new: apps_v1.ReplicaSet | None, old: list[apps_v1.ReplicaSet]
) -> list[Resize]:
    """Resizes after the deployment's own size changed, or while it is paused.

    One active set takes it all. In the middle of a rollout every active set grows or shrinks in proportion, so that
    scaling does not hasten the rollout.
    """
    wanted = desired(deployment)
    everything = [*old, new] if new is not None else list(old)
    running = active(everything)
    if len(running) <= 1:
        if not everything:
            return []
        only = running[0] if running else new if new is not None else templates.by_age(old)[-1]
        return [Resize(only, wanted)] if size(only) != wanted else []
    if is_saturated(deployment, new):
        return [Resize(one, 0) for one in active(old)]
    return _proportional(deployment, running) if is_rolling(deployment) else []


def _proportional(deployment: apps_v1.Deployment, running: list[apps_v1.ReplicaSet]) -> list[Resize]:
    wanted = desired(deployment)
    allowed = wanted + max_surge(deployment) if wanted > 0 else 0
    to_add = allowed - sum(map(size, running))
    # Larger ones first; among equals newer ones grow and older ones shrink.
    ordered = templates.by_age(running)
    if to_add > 0:
        ordered.reverse()
    ordered.sort(key=size, reverse=True)
    sizes: list[int] = []
    added = 0
    for one in ordered:
        share = _share(deployment, one, to_add - added) if to_add != added else 0
        sizes.append(size(one) + share)
        added += share
    sizes[0] = max(sizes[0] + to_add - added, 0)
    return [Resize(one, target, always=True) for one, target in zip(ordered, sizes, strict=True)]


def _share(deployment: apps_v1.Deployment, one: apps_v1.ReplicaSet, left: int) -> int:
    """What a set gets of the replicas that are left to add (or, where negative, to take away)."""
    wanted = desired(deployment)
    if wanted == 0:
        return max(-size(one), left)
    before = templates.noted(one, templates.MAX_REPLICAS) or deployment.status.replicas
    if before == 0:
        return 0
    exact = size(one) * (wanted + max_surge(deployment)) / before
    share = math.floor(exact + 0.5) - size(one)
    return min(share, left) if left > 0 else max(share, left)
