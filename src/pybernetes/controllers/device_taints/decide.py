"""When pods have to go because of their devices: taints come from drivers, in ResourceSlices, and from rules."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from pybernetes.api import taintrules, times, tolerations
from pybernetes.api.types import resource_v1

Rule = taintrules.Rule
Taints = Mapping[tuple[str, str, str], list[resource_v1.DeviceTaint]]


class Eviction(NamedTuple):
    """`at` is in epoch seconds; `rules` are the uids of those that are a reason for it."""

    at: float
    rules: frozenset[str]


def current(slices: Iterable[resource_v1.ResourceSlice]) -> list[resource_v1.ResourceSlice]:
    """Those of each pool's last generation."""
    slices = list(slices)
    last: dict[tuple[str, str], int] = {}
    for one in slices:
        at = (one.spec.driver, one.spec.pool.name)
        last[at] = max(last.get(at, 0), one.spec.pool.generation)
    return [one for one in slices if one.spec.pool.generation == last[one.spec.driver, one.spec.pool.name]]


def taints_of(slices: Iterable[resource_v1.ResourceSlice]) -> dict[tuple[str, str, str], list[resource_v1.DeviceTaint]]:
    """The NoExecute taints that drivers have put on the devices of pools, by driver, pool and device."""
    return {
        (one.spec.driver, one.spec.pool.name, device.name): evicting
        for one in current(slices)
        for device in one.spec.devices
        if (evicting := [taint for taint in device.taints if taint.effect == tolerations.NO_EXECUTE])
    }


def evicting(rules: Iterable[Rule]) -> list[Rule]:
    return [rule for rule in rules if rule.spec.taint.effect == tolerations.NO_EXECUTE]


def selects(rule: Rule, driver: str, pool: str, device: str) -> bool:
    """Without a selector a rule evicts nobody, though the scheduler heeds it."""
    return rule.spec.deviceSelector is not None and taintrules.selects(rule, driver, pool, device)


def concerns(rule: Rule, claim: resource_v1.ResourceClaim) -> bool:
    """Whether the claim was given a device that the rule is about."""
    return any(selects(rule, one.driver, one.pool, one.device) for one in given(claim))


def given(claim: resource_v1.ResourceClaim) -> list[resource_v1.DeviceRequestAllocationResult]:
    """What the claim has been given, if anything."""
    return claim.status.allocation.devices.results if claim.status.allocation is not None else []


def due(claim: resource_v1.ResourceClaim, taints: Taints, rules: Collection[Rule] = ()) -> Eviction | None:
    """When those who use the claim are to go; None: never, as things are. `rules` are those that evict."""
    ends: list[float] = []
    because: set[str] = set()
    for one in given(claim):
        for taint in taints.get((one.driver, one.pool, one.device), ()):
            end = _end(one, taint)
            if end is not None:
                ends.append(end)
        for rule in rules:
            if selects(rule, one.driver, one.pool, one.device):
                end = _end(one, taintrules.taint(rule))
                if end is not None:
                    ends.append(end)
                    because.add(rule.metadata.uid)
    return Eviction(min(ends), frozenset(because)) if ends else None


def joined(found: Collection[Eviction]) -> Eviction | None:
    """Of all claims of a pod."""
    if not found:
        return None
    return Eviction(min(one.at for one in found), frozenset().union(*(one.rules for one in found)))


def _end(one: resource_v1.DeviceRequestAllocationResult, taint: resource_v1.DeviceTaint) -> float | None:
    """How long the taint is tolerated: to a time, or for ever."""
    fitting = [toleration for toleration in one.tolerations if _tolerates(toleration, taint)]
    if any(toleration.tolerationSeconds is None for toleration in fitting):
        return None
    added = times.parse(taint.timeAdded) if taint.timeAdded else 0.0
    return added + min((max(toleration.tolerationSeconds or 0, 0) for toleration in fitting), default=0)


def _tolerates(one: resource_v1.DeviceToleration, taint: resource_v1.DeviceTaint) -> bool:
    if one.effect != tolerations.NO_EXECUTE or one.key not in ("", taint.key):
        return False
    return one.operator == "Exists" or (one.operator in ("", "Equal") and one.value == taint.value)
