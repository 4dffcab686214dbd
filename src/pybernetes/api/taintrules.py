"""DeviceTaintRules: which devices they select, and the taint that these come to have."""

from __future__ import annotations

from pybernetes.api.types import resource_v1, resource_v1beta2

Rule = resource_v1beta2.DeviceTaintRule


def selects(rule: Rule, driver: str, pool: str, device: str | None = None) -> bool:
    """Whether the rule is about a device; without its name, whether it may be about one of the pool.

    A rule without a selector is about all: so upstream's scheduler has it, and not what evicts pods.
    """
    selector = rule.spec.deviceSelector
    if selector is None:
        return True
    if selector.driver not in (None, driver) or selector.pool not in (None, pool):
        return False
    return device is None or selector.device in (None, device)


def taint(rule: Rule) -> resource_v1.DeviceTaint:
    stated = rule.spec.taint
    return resource_v1.DeviceTaint(key=stated.key, value=stated.value, effect=stated.effect, timeAdded=stated.timeAdded)
