"""Whether a pod's tolerations cover a node's taints; asked by the scheduler, by controllers and by the kubelet."""

from __future__ import annotations

from collections.abc import Iterable

from pybernetes.api.types import core_v1

NO_SCHEDULE, PREFER_NO_SCHEDULE, NO_EXECUTE = "NoSchedule", "PreferNoSchedule", "NoExecute"


def tolerates(toleration: core_v1.Toleration, key: str, value: str, effect: str) -> bool:
    """Whether one toleration covers the taint `key=value:effect`."""
    if toleration.effect and toleration.effect != effect:
        return False
    if toleration.key and toleration.key != key:
        return False
    if toleration.operator == "Exists":
        return True
    return bool(toleration.key) and toleration.operator in ("", "Equal") and toleration.value == value


def tolerated(tolerations: Iterable[core_v1.Toleration], key: str, value: str, effect: str) -> bool:
    return any(tolerates(toleration, key, value, effect) for toleration in tolerations)
