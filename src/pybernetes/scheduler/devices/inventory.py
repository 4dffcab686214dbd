"""The devices there are: pools of ResourceSlices, and what a node sees of each."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pybernetes.api import taintrules
from pybernetes.api.types import core_v1, resource_v1, resource_v1beta2
from pybernetes.scheduler import nodes as tables
from pybernetes.scheduler.plugins import node_affinity

# Driver, pool and name of a device; of a counter: its set and name.
Key = tuple[str, str, str]
Counter = tuple[str, str]
Rules = Collection[resource_v1beta2.DeviceTaintRule]


class Item(NamedTuple):
    """A device, and the nodes that can reach it as a bitset; `node` and `selector` say the same as its slice does.

    `taints` are the device's own, and those that rules put on it.
    """

    key: Key
    device: resource_v1.Device
    reach: int
    node: str | None
    selector: core_v1.NodeSelector | None
    taints: Sequence[resource_v1.DeviceTaint]

    @property
    def shared(self) -> bool:
        """Whether several claims can have it, each a part of its capacity."""
        return bool(self.device.allowMultipleAllocations)


class _Slice(NamedTuple):
    reach: int
    items: tuple[Item, ...]


class Pool:
    """The slices of a pool in its newest generation. `complete`: all are there."""

    def __init__(
        self, key: tuple[str, str], members: Sequence[resource_v1.ResourceSlice], rules: Rules, nodes: tables.Nodes
    ) -> None:
        self.key = key
        self.complete = len(members) == members[0].spec.pool.resourceSliceCount
        ordered = sorted(members, key=lambda found: found.metadata.name)
        self.slices = [_slice(one, rules, nodes) for one in ordered if not one.spec.sharedCounters]
        self.reach = 0
        for one in self.slices:
            self.reach |= one.reach
        self.counters: dict[Counter, int] = {}
        self._clash = False
        sets: set[str] = set()
        for member in ordered:
            for shared in member.spec.sharedCounters:
                # Whoever can reach the pool needs its counters.
                self.reach = nodes.alive
                self._clash = self._clash or shared.name in sets
                sets.add(shared.name)
                for name, counter in shared.counters.items():
                    self.counters[shared.name, name] = counter.value.milli()
        wanted = {key for one in self.slices for item in one.items for key in consumption(item.device)}
        self._clash = self._clash or not wanted <= self.counters.keys()

    @property
    def id(self) -> str:
        return "/".join(self.key)

    def items(self, row: int) -> tuple[Item, ...]:
        """The devices of the slices that are for that node, some of which may not be."""
        return tuple(item for one in self.slices if one.reach >> row & 1 for item in one.items)

    def valid(self, row: int) -> bool:
        """Whether what that node sees makes sense: no name is there twice, and all counters are known."""
        names = [item.key[2] for item in self.items(row)]
        return not self._clash and len(set(names)) == len(names)


def _slice(one: resource_v1.ResourceSlice, rules: Rules, nodes: tables.Nodes) -> _Slice:
    spec = one.spec
    tainting = [rule for rule in rules if taintrules.selects(rule, spec.driver, spec.pool.name)]
    each = bool(spec.perDeviceNodeSelection)
    whole = 0 if each else _reach(spec, nodes)
    items = []
    for device in spec.devices:
        place: Any = device if each else spec
        reach = _reach(device, nodes) if each else whole
        key = spec.driver, spec.pool.name, device.name
        taints: Sequence[resource_v1.DeviceTaint] = device.taints
        if tainting:
            taints = [*taints, *(taintrules.taint(rule) for rule in tainting if taintrules.selects(rule, *key))]
        items.append(Item(key, device, reach, place.nodeName, place.nodeSelector, taints))
        if each:
            whole |= reach
    return _Slice(whole, tuple(items))


def _reach(place: resource_v1.Device | resource_v1.ResourceSliceSpec, nodes: tables.Nodes) -> int:
    if place.nodeName:
        return 1 << nodes.rows[place.nodeName] if place.nodeName in nodes.rows else 0
    if place.allNodes:
        return nodes.alive
    return selected(place.nodeSelector, nodes) if place.nodeSelector is not None else 0


def selected(selector: core_v1.NodeSelector, nodes: tables.Nodes) -> int:
    """The nodes that a selector matches, as a bitset."""
    bits = 0
    for term in selector.nodeSelectorTerms:
        bits |= node_affinity.term_bits(term, nodes)
    return bits


def consumption(device: resource_v1.Device) -> Mapping[Counter, int]:
    """What a device takes of its pool's counters, in thousandths."""
    return {
        (consumed.counterSet, name): counter.value.milli()
        for consumed in device.consumesCounters
        for name, counter in consumed.counters.items()
    }


def pools(slices: Iterable[resource_v1.ResourceSlice], rules: Rules, nodes: tables.Nodes) -> tuple[Pool, ...]:
    """All pools by driver and name, with the taints that rules put on their devices."""
    found: dict[tuple[str, str], list[resource_v1.ResourceSlice]] = {}
    for one in slices:
        found.setdefault((one.spec.driver, one.spec.pool.name), []).append(one)
    made = []
    for key, members in sorted(found.items()):
        newest = max(one.spec.pool.generation for one in members)
        made.append(Pool(key, [one for one in members if one.spec.pool.generation == newest], rules, nodes))
    return tuple(made)
