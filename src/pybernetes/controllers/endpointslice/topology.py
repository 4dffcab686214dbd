"""Which zones and nodes endpoints are for: hints by which proxies keep traffic close to where it comes from.

A Service asks for them by `spec.trafficDistribution`, or by the annotation `service.kubernetes.io/topology-mode: Auto`.
The annotation has endpoints dealt out to zones by the CPU of their nodes, so that no endpoint gets more than a fifth
above its share; where that cannot be, there are no hints. `spec.trafficDistribution` has no such care.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

from pybernetes.api import codecs
from pybernetes.api.types import core_v1, discovery_v1
from pybernetes.controllers import conditions

MODE = "service.kubernetes.io/topology-mode"
OLD_MODE = "service.kubernetes.io/topology-aware-hints"
ZONE = "topology.kubernetes.io/zone"
OVERLOAD = 0.2
_CLOSE = ("PreferClose", "PreferSameZone", "PreferSameNode")
_EXCLUDED = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")

ENABLED = "Topology Aware Hints has been enabled"
DISABLED = "Topology Aware Hints has been disabled"
NODES_UNKNOWN = "Insufficient Node information: allocatable CPU or zone not specified on one or more nodes"
TOO_FEW = "Insufficient number of endpoints"
OVERLOADED = "Unable to allocate minimum required endpoints to each zone without exceeding overload threshold"
NO_ZONE = "One or more endpoints do not have a zone specified"
NOTHING = "No hints allocated for zones"

# Type, reason and message of an event.
Event = tuple[str, str, str]
Slices = list[discovery_v1.EndpointSlice]


@dataclass(slots=True)
class Changes:
    """The slices of one Service and address family; what hints change goes over from `unchanged` to `update`."""

    create: Slices
    update: Slices
    unchanged: Slices
    events: list[Event] = field(default_factory=list)

    def written(self) -> Slices:
        return [*self.create, *self.update]


@dataclass(slots=True)
class _Share:
    """How many endpoints a zone is to have."""

    minimum: int
    maximum: int
    desired: float


def is_auto(service: core_v1.Service) -> bool:
    annotations = service.metadata.annotations
    return annotations.get(OLD_MODE, annotations.get(MODE, "")) in ("Auto", "auto")


def is_close(service: core_v1.Service) -> bool:
    return service.spec.trafficDistribution in _CLOSE and not is_auto(service)


def same_but_for_hints(one: discovery_v1.Endpoint, other: discovery_v1.Endpoint) -> bool:
    if one.hints is None and other.hints is None:
        return one == other
    return bool(msgspec.structs.replace(one, hints=None) == msgspec.structs.replace(other, hints=None))


def ready(node: core_v1.Node) -> bool:
    found = conditions.find(node.status.conditions, "Ready")
    return found is not None and found.status == "True"


def ratios(nodes: Iterable[core_v1.Node]) -> dict[str, float]:
    """The zones' parts of all CPU; none where a node does not tell, or all are in one zone."""
    cpu: dict[str, float] = {}
    for node in nodes:
        labels = node.metadata.labels
        if not ready(node) or any(label in labels for label in _EXCLUDED):
            continue
        zone, amount = labels.get(ZONE, ""), node.status.allocatable.get("cpu")
        if not zone or amount is None or not amount.milli():
            return {}
        cpu[zone] = cpu.get(zone, 0.0) + amount.milli()
    total = sum(cpu.values())
    return {zone: cpu[zone] / total for zone in sorted(cpu)} if len(cpu) > 1 else {}


def close(changes: Changes, service: core_v1.Service) -> None:
    """Every ready endpoint is for its own zone; with PreferSameNode for its own node, too."""
    by_node = service.spec.trafficDistribution == "PreferSameNode"

    def wanted(endpoint: discovery_v1.Endpoint) -> discovery_v1.EndpointHints | None:
        zones = [discovery_v1.ForZone(name=endpoint.zone)] if endpoint.zone is not None else []
        nodes = [discovery_v1.ForNode(name=endpoint.nodeName)] if by_node and endpoint.nodeName is not None else []
        return discovery_v1.EndpointHints(forZones=zones, forNodes=nodes) if zones or nodes else None

    _change_those(changes, lambda endpoint: _is_ready(endpoint) and endpoint.hints != wanted(endpoint))
    for one in changes.written():
        for index, endpoint in enumerate(one.endpoints):
            if _is_ready(endpoint):
                _hint(one, index, wanted(endpoint))


def clear(changes: Changes) -> None:
    """No hints at all."""
    _change_those(changes, lambda endpoint: endpoint.hints is not None)
    for one in changes.written():
        for index in range(len(one.endpoints)):
            _hint(one, index, None)


class Topology:
    """What is remembered of the nodes, and of the endpoints that were dealt out to their zones."""

    def __init__(self) -> None:
        self._ratios: dict[str, float] = {}
        self._given: dict[str, dict[str, dict[str, int]]] = {}

    def learn(self, nodes: Iterable[core_v1.Node]) -> list[str]:
        """Take over the nodes; answers the keys of the Services that now have too few endpoints in a zone."""
        self._ratios = ratios(nodes)
        return [key for key, families in self._given.items() if any(map(self._is_overloaded, families.values()))]

    def forget(self, key: str, family: str = "") -> bool:
        """A Service, or one family of it, has no hints by zone any more; answers whether it had."""
        had = self._given.pop(key, {})
        found = family in had if family else bool(had)
        had.pop(family, None)
        if family and had:
            self._given[key] = had
        return found

    def spread(self, changes: Changes, key: str, family: str) -> None:
        """Deal the endpoints out to the zones, or have no hints and say why."""
        problem = self._spread(changes, key, family)
        if problem:
            self.forget(key, family)
            clear(changes)
            changes.events.append(("Warning", "TopologyAwareHintsDisabled", f"{problem}, addressType: {family}"))

    def _spread(self, changes: Changes, key: str, family: str) -> str:
        every = [endpoint for one in (*changes.written(), *changes.unchanged) for endpoint in one.endpoints]
        total = sum(map(_is_ready, every))
        shares = self._shares(total)
        if isinstance(shares, str):
            return shares
        given = _keep(changes, shares)
        for one in changes.written():
            for index, endpoint in enumerate(one.endpoints):
                if not _is_ready(endpoint):
                    _hint(one, index, None)
                    continue
                if not endpoint.zone:
                    return NO_ZONE
                given[endpoint.zone] = given.get(endpoint.zone, 0) + 1
                _hint(one, index, _for_zone(endpoint.zone))
        _redistribute(changes.written(), given, shares)
        if not given:
            return NOTHING
        if key not in self._given:
            changes.events.append(("Normal", "TopologyAwareHintsEnabled", f"{ENABLED}, addressType: {family}"))
        self._given.setdefault(key, {})[family] = given
        return ""

    def _shares(self, total: int) -> dict[str, _Share] | str:
        """What each zone is to have; a text says why that cannot be."""
        if not self._ratios:
            return NODES_UNKNOWN
        count = f"({total} endpoints, {len(self._ratios)} zones)"
        if len(self._ratios) > total:
            return f"{TOO_FEW} {count}"
        shares: dict[str, _Share] = {}
        for zone, ratio in self._ratios.items():
            minimum = _minimum(total, ratio)
            shares[zone] = _Share(minimum, 0, max(ratio * total, float(minimum)))
        left = total - sum(share.minimum for share in shares.values())
        if left < 0:
            return f"{OVERLOADED} {count}"
        for share in shares.values():
            share.maximum = share.minimum + left
        return shares

    def _is_overloaded(self, given: Mapping[str, int]) -> bool:
        if not self._ratios:
            return True
        total = sum(given.values())
        return any(given.get(zone, 0) < max(_minimum(total, ratio), 1) for zone, ratio in self._ratios.items())


def _minimum(total: int, ratio: float) -> int:
    return math.ceil(total * ratio * (1 / (1 + OVERLOAD)))


def _keep(changes: Changes, shares: Mapping[str, _Share]) -> dict[str, int]:
    """The hints of slices that can stay as they are, by zone; slices that cannot are to be updated."""
    given: dict[str, int] = {}
    stale: set[int] = set()
    for one in changes.unchanged:
        found = _by_zone(one)
        if found is None or any(
            zone not in shares or given.get(zone, 0) + number > shares[zone].maximum for zone, number in found.items()
        ):
            stale.add(id(one))
            continue
        for zone, number in found.items():
            given[zone] = given.get(zone, 0) + number
    _move(changes, stale)
    return given


def _by_zone(one: discovery_v1.EndpointSlice) -> dict[str, int] | None:
    """How many endpoints are for which zone; None where a ready one is for none."""
    found: dict[str, int] = {}
    for endpoint in filter(_is_ready, one.endpoints):
        if endpoint.hints is None or not endpoint.hints.forZones:
            return None
        for zone in endpoint.hints.forZones:
            found[zone.name] = found.get(zone.name, 0) + 1
    return found


def _redistribute(slices: Slices, given: dict[str, int], shares: Mapping[str, _Share]) -> None:
    """Have zones with more than they want give endpoints to those with less."""
    surplus = {zone: given.get(zone, 0) - share.desired for zone, share in shares.items()}
    givers = {zone: by for zone, by in surplus.items() if by > 0}
    takers = {zone: -by for zone, by in surplus.items() if by < 0}
    to_give: dict[str, int] = {}
    to_take: list[str] = []
    while givers and takers:
        giver, taker = max(givers, key=givers.__getitem__), max(takers, key=takers.__getitem__)
        most, need = givers[giver], takers[taker]
        if (most < 1.0 and need < 1.0) or most < 0.5 or need < 0.5:
            break
        to_give[giver] = to_give.get(giver, 0) + 1
        to_take.append(taker)
        givers[giver] -= 1
        takers[taker] -= 1
    to_take.sort(reverse=True)
    for one in slices:
        for index, endpoint in enumerate(one.endpoints):
            if not to_take:
                return
            zone = endpoint.zone or ""
            if _is_ready(endpoint) and to_give.get(zone, 0):
                taker = to_take.pop()
                _hint(one, index, _for_zone(taker))
                to_give[zone] -= 1
                given[zone] -= 1
                given[taker] = given.get(taker, 0) + 1


def _is_ready(endpoint: discovery_v1.Endpoint) -> bool:
    return bool(endpoint.conditions.ready)


def _for_zone(zone: str) -> discovery_v1.EndpointHints:
    return discovery_v1.EndpointHints(forZones=[discovery_v1.ForZone(name=zone)])


def _hint(one: discovery_v1.EndpointSlice, index: int, hints: discovery_v1.EndpointHints | None) -> None:
    # Endpoints are shared with the cache; the list is the slice's own.
    if one.endpoints[index].hints != hints:
        one.endpoints[index] = msgspec.structs.replace(one.endpoints[index], hints=hints)


def _change_those(changes: Changes, is_wrong: Callable[[discovery_v1.Endpoint], bool]) -> None:
    _move(changes, {id(one) for one in changes.unchanged if any(map(is_wrong, one.endpoints))})


def _move(changes: Changes, stale: set[int]) -> None:
    changes.update += [codecs.copy(one) for one in changes.unchanged if id(one) in stale]
    changes.unchanged = [one for one in changes.unchanged if id(one) not in stale]
