"""Which devices are taken, by the allocations of all claims."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from pybernetes.api.types import resource_v1
from pybernetes.scheduler.devices import inventory


class Usage:
    """`whole` are devices that somebody has for itself; of others a part of the capacity is taken."""

    def __init__(self, allocations: Iterable[resource_v1.AllocationResult]) -> None:
        self.whole: set[inventory.Key] = set()
        self.parts: dict[inventory.Key, dict[str, Fraction]] = {}
        for allocation in allocations:
            for one in allocation.devices.results:
                if one.adminAccess:
                    # Looking on takes nothing.
                    continue
                key = one.driver, one.pool, one.device
                if one.shareID is None:
                    self.whole.add(key)
                    continue
                taken = self.parts.setdefault(key, {})
                for name, amount in one.consumedCapacity.items():
                    taken[name] = taken.get(name, Fraction(0)) + amount.value()

    def __contains__(self, key: inventory.Key) -> bool:
        return key in self.whole or key in self.parts
