"""Devices of ResourceSlices, and which of them to give to a claim; no word of pods.

Not given away: devices that may be shared by several claims, and those that need conditions before a pod is bound.
"""

from __future__ import annotations

import collections
import functools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pybernetes.api import quantity, tolerations
from pybernetes.api.types import core_v1, resource_v1
from pybernetes.scheduler import nodes as tables
from pybernetes.scheduler.plugins import node_affinity

# Devices that one claim can have.
MOST = 32
# Selections tried for one node before it is given up.
STEPS = 20_000
_DOMAINS = re.compile(r"""(?:attributes|capacity)\s*\[\s*['"]([^'"]+)['"]\s*\]""")

Key = tuple[str, str, str]


class DeviceError(Exception):
    """An expression about devices cannot be evaluated."""


class Item(NamedTuple):
    """A device, and the nodes that can reach it as a bitset; `node` and `selector` say the same as its slice does."""

    key: Key
    device: resource_v1.Device
    reach: int
    node: str | None
    selector: core_v1.NodeSelector | None


class Inventory(NamedTuple):
    """All devices of complete pools, and the counters that they share, by (driver, pool, set, counter)."""

    items: tuple[Item, ...]
    counters: Mapping[tuple[str, str, str, str], int]


class Request(NamedTuple):
    """What is asked for, one of the alternatives chosen. `number` is 0 for all there are."""

    name: str
    selectors: tuple[str, ...]
    number: int
    admin: bool
    tolerations: Sequence[resource_v1.DeviceToleration]
    capacity: Mapping[str, quantity.Quantity]


class Claim(NamedTuple):
    """The requests of a claim, each with its alternatives in order of preference, and its constraints."""

    requests: tuple[tuple[Request, ...], ...]
    constraints: tuple[resource_v1.DeviceConstraint, ...]


class Given(NamedTuple):
    """A device for a request."""

    request: Request
    item: Item


def inventory(slices: Iterable[resource_v1.ResourceSlice], nodes: tables.Nodes) -> Inventory:
    """A pool counts in its newest generation, once all its slices are there."""
    pools: dict[tuple[str, str], list[resource_v1.ResourceSlice]] = {}
    for one in slices:
        pools.setdefault((one.spec.driver, one.spec.pool.name), []).append(one)
    items: list[Item] = []
    counters: dict[tuple[str, str, str, str], int] = {}
    for (driver, pool), members in sorted(pools.items()):
        newest = max(one.spec.pool.generation for one in members)
        members = [one for one in members if one.spec.pool.generation == newest]
        if len(members) != members[0].spec.pool.resourceSliceCount:
            continue
        for one in sorted(members, key=lambda found: found.metadata.name):
            for shared in one.spec.sharedCounters:
                for name, counter in shared.counters.items():
                    counters[driver, pool, shared.name, name] = counter.value.milli()
            own = bool(one.spec.perDeviceNodeSelection)
            for device in one.spec.devices:
                if device.allowMultipleAllocations or device.bindingConditions:
                    continue
                place: Any = device if own else one.spec
                reach = _reach(place.nodeName, place.nodeSelector, nodes)
                items.append(Item((driver, pool, device.name), device, reach, place.nodeName, place.nodeSelector))
    return Inventory(tuple(items), counters)


def _reach(name: str | None, selector: core_v1.NodeSelector | None, nodes: tables.Nodes) -> int:
    if name:
        return 1 << nodes.rows[name] if name in nodes.rows else 0
    if selector is not None:
        return selected(selector, nodes)
    return nodes.alive


def selected(selector: core_v1.NodeSelector, nodes: tables.Nodes) -> int:
    """The nodes that a selector matches, as a bitset."""
    bits = 0
    for term in selector.nodeSelectorTerms:
        bits |= node_affinity.term_bits(term, nodes)
    return bits


@functools.cache
def _environment() -> Any:
    # Loading the implementation takes a while; no claims, no expressions.
    from pybernetes.api.cel import declarations, environment

    return environment.Environment({"device": environment.Variable(declarations.DYN)})


@functools.lru_cache(maxsize=1024)
def _program(expression: str) -> Any:
    return _environment().compile(expression)


def matches(expression: str, item: Item) -> bool:
    """Whether a device is as an expression wants it. Raises DeviceError."""
    from pybernetes.api.cel import environment

    try:
        found = _program(expression).evaluate({"device": _value(expression, item)})
    except (environment.CompileError, environment.EvaluationError) as error:
        raise DeviceError(f"CEL runtime error: {error}") from None
    return found is True


def _value(expression: str, item: Item) -> dict[str, Any]:
    """A device as expressions see it: names by domain, where those without one are the driver's."""
    from pybernetes.api.cel.libraries import opaque

    driver = item.key[0]
    # Domains that a device does not have are empty, not missing.
    domains = _DOMAINS.findall(expression)
    attributes: dict[str, dict[str, Any]] = {domain: {} for domain in domains}
    capacity: dict[str, dict[str, Any]] = {domain: {} for domain in domains}
    for name, attribute in item.device.attributes.items():
        domain, _, bare = name.rpartition("/")
        attributes.setdefault(domain or driver, {})[bare] = _plain(attribute)
    for name, held in item.device.capacity.items():
        domain, _, bare = name.rpartition("/")
        amount = opaque.make(opaque.QUANTITY, str(held.value.value()))
        capacity.setdefault(domain or driver, {})[bare] = amount
    shared = bool(item.device.allowMultipleAllocations)
    return {"driver": driver, "attributes": attributes, "capacity": capacity, "allowMultipleAllocations": shared}


def _plain(attribute: resource_v1.DeviceAttribute) -> Any:
    from pybernetes.api.cel.libraries import opaque

    if attribute.version is not None:
        return opaque.make(opaque.SEMVER, attribute.version)
    for value in (attribute.bool_, attribute.int_, attribute.string):
        if value is not None:
            return value
    return attribute.bools or attribute.ints or attribute.strings


class Allocation:
    """One search: which devices of the inventory, those in use aside, make the claims happy on one node."""

    def __init__(self, stock: Inventory, used: frozenset[Key], claims: Sequence[Claim]) -> None:
        self._stock, self._used, self._claims = stock, used, claims
        self._matching: dict[tuple[tuple[str, ...], Key], bool] = {}
        self._consumed: collections.Counter[tuple[str, str, str, str]] = collections.Counter()
        self._local: dict[int, list[Item]] = {}
        self._common: list[Item] = []
        self._steps = 0
        for item in stock.items:
            if item.reach.bit_count() == 1:
                self._local.setdefault(item.reach.bit_length() - 1, []).append(item)
            else:
                self._common.append(item)
            if item.key in used:
                self._consumed.update(_consumption(item))

    def on(self, row: int) -> list[list[Given]] | None:
        """The devices for each claim, or None. Raises DeviceError."""
        here = [*self._local.get(row, ()), *(item for item in self._common if item.reach >> row & 1)]
        self._steps = STEPS
        taken: list[list[Given]] = [[] for _ in self._claims]
        return taken if self._fill(here, taken, 0, 0) else None

    def _fill(self, here: list[Item], taken: list[list[Given]], claim: int, request: int) -> bool:
        """Serves the requests from this one on, going back where that leads nowhere."""
        if claim == len(self._claims):
            return True
        requests = self._claims[claim].requests
        if request == len(requests):
            return self._fill(here, taken, claim + 1, 0)
        for choice in requests[request]:
            for given in self._choices(here, taken, claim, choice):
                before = len(taken[claim])
                taken[claim].extend(given)
                if self._fill(here, taken, claim, request + 1):
                    return True
                del taken[claim][before:]
        return False

    def _choices(
        self, here: list[Item], taken: list[list[Given]], claim: int, choice: Request
    ) -> Iterator[list[Given]]:
        fitting = [item for item in here if self._fits(choice, item)]
        if not choice.number:
            # All there are: none may be missing.
            every = [Given(choice, item) for item in fitting]
            if every and self._possible(taken, claim, every):
                yield every
            return
        yield from self._pick(fitting, taken, claim, choice, 0, [])

    def _pick(
        self, fitting: list[Item], taken: list[list[Given]], claim: int, choice: Request, start: int, given: list[Given]
    ) -> Iterator[list[Given]]:
        if len(given) == choice.number:
            yield list(given)
            return
        for at in range(start, len(fitting)):
            self._steps -= 1
            if self._steps <= 0:
                return
            given.append(Given(choice, fitting[at]))
            if self._possible(taken, claim, given):
                yield from self._pick(fitting, taken, claim, choice, at + 1, given)
            given.pop()

    def _fits(self, choice: Request, item: Item) -> bool:
        known = self._matching.get((choice.selectors, item.key))
        if known is None:
            known = all(matches(expression, item) for expression in choice.selectors)
            self._matching[choice.selectors, item.key] = known
        if not known:
            return False
        for taint in item.device.taints:
            hard = taint.effect in (tolerations.NO_SCHEDULE, tolerations.NO_EXECUTE)
            if hard and not _tolerated(choice.tolerations, taint):
                return False
        for name, wanted in choice.capacity.items():
            held = item.device.capacity.get(name)
            if held is None or quantity.compare(held.value, wanted) < 0:
                return False
        return True

    def _possible(self, taken: list[list[Given]], claim: int, given: list[Given]) -> bool:
        """Whether all these devices can be had together, and meet the claim's constraints."""
        if len(taken[claim]) + len(given) > MOST:
            return False
        others = {one.item.key for held in taken for one in held if not one.request.admin}
        consumed = collections.Counter(self._consumed)
        for held in taken:
            for one in held:
                if not one.request.admin:
                    consumed.update(_consumption(one.item))
        for one in given:
            if one.request.admin:
                continue
            if one.item.key in self._used or one.item.key in others:
                return False
            consumed.update(_consumption(one.item))
        if any(amount > self._stock.counters.get(counter, 0) for counter, amount in consumed.items()):
            return False
        together = [*taken[claim], *given]
        return all(_meets(constraint, together) for constraint in self._claims[claim].constraints)


def _tolerated(known: Iterable[resource_v1.DeviceToleration], taint: resource_v1.DeviceTaint) -> bool:
    plain = (core_v1.Toleration(key=t.key, operator=t.operator, value=t.value, effect=t.effect) for t in known)
    return tolerations.tolerated(plain, taint.key, taint.value, taint.effect)


def _consumption(item: Item) -> dict[tuple[str, str, str, str], int]:
    driver, pool, _ = item.key
    return {
        (driver, pool, consumed.counterSet, name): counter.value.milli()
        for consumed in item.device.consumesCounters
        for name, counter in consumed.counters.items()
    }


def _meets(constraint: resource_v1.DeviceConstraint, given: Sequence[Given]) -> bool:
    wanted = set(constraint.requests)
    bound = [one for one in given if not wanted or {one.request.name, one.request.name.partition("/")[0]} & wanted]
    name = constraint.matchAttribute or constraint.distinctAttribute or ""
    values = [_attribute(one.item, name) for one in bound]
    if any(value is None for value in values):
        return False
    different = {repr(value) for value in values}
    return len(different) <= 1 if constraint.matchAttribute else len(different) == len(values)


def _attribute(item: Item, name: str) -> Any:
    """By its whole name, or by the short one where the domain is the driver."""
    found = item.device.attributes.get(name)
    if found is None:
        domain, _, bare = name.rpartition("/")
        found = item.device.attributes.get(bare) if domain == item.key[0] else None
    if found is None:
        return None
    return found.version if found.version is not None else _plain(found)


def node_selector(given: Sequence[Given]) -> core_v1.NodeSelector | None:
    """Where the devices can be used together; None: everywhere."""
    fields: list[core_v1.NodeSelectorRequirement] = []
    expressions: list[core_v1.NodeSelectorRequirement] = []
    for one in given:
        if one.item.node:
            named = core_v1.NodeSelectorRequirement(key="metadata.name", operator="In", values=[one.item.node])
            return core_v1.NodeSelector(nodeSelectorTerms=[core_v1.NodeSelectorTerm(matchFields=[named])])
        for term in one.item.selector.nodeSelectorTerms if one.item.selector is not None else ():
            fields += [requirement for requirement in term.matchFields if requirement not in fields]
            expressions += [requirement for requirement in term.matchExpressions if requirement not in expressions]
    if not fields and not expressions:
        return None
    return core_v1.NodeSelector(
        nodeSelectorTerms=[core_v1.NodeSelectorTerm(matchFields=fields, matchExpressions=expressions)]
    )
