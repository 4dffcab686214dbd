"""The search for devices that make all claims of a pod happy on one node: depth first, the first solution is taken.

Pools are gone through by driver and name, slices by name, devices as their slice lists them; pools whose devices need
conditions before binding come last.
"""

from __future__ import annotations

import collections
from collections.abc import Iterator, Sequence
from fractions import Fraction

from pybernetes.scheduler.devices import capacity, constraints, expressions, inventory, requests, usage

# Devices that one claim can have.
MOST = 32
# Selections tried for one node before it is given up.
STEPS = 20_000


class AllocationError(Exception):
    """The claims cannot be served anywhere, as something is wrong with them or with what they ask for."""


class InvalidPools(Exception):
    """They cannot be served on this node, where pools are that make no sense."""


Taken = list[list[constraints.Given]]


class Allocation:
    """One search: which devices, those in use aside, can be given to the claims; asked node by node."""

    def __init__(self, pools: Sequence[inventory.Pool], used: usage.Usage, claims: Sequence[requests.Claim]) -> None:
        self._pools, self._used, self._claims = pools, used, claims
        self._matching: dict[tuple[int, str, inventory.Key], bool] = {}
        self._found: dict[int, Taken | None] = {}
        self._counters: dict[tuple[str, str], collections.Counter[inventory.Counter]] = {}

    def on(self, row: int) -> Taken | None:
        """The devices for each claim, or None. Raises AllocationError or InvalidPools."""
        if row not in self._found:
            self._found[row] = _Search(self, row).run()
        return self._found[row]

    def solutions(self) -> Iterator[tuple[int, Taken]]:
        """What was found so far, by row."""
        for row, taken in self._found.items():
            if taken is not None:
                yield row, taken

    @property
    def claims(self) -> Sequence[requests.Claim]:
        return self._claims

    @property
    def used(self) -> usage.Usage:
        return self._used

    def pools(self, row: int) -> list[inventory.Pool]:
        """Those that the node can reach."""
        found = [pool for pool in self._pools if pool.reach >> row & 1]
        waiting = {id(pool) for pool in found if any(item.device.bindingConditions for item in pool.items(row))}
        return [*(p for p in found if id(p) not in waiting), *(p for p in found if id(p) in waiting)]

    def matches(self, claim: int, request: requests.Request, item: inventory.Item) -> bool:
        """Whether a device is as the class and the request want it. Raises AllocationError."""
        key = claim, request.full_name, item.key
        known = self._matching.get(key)
        if known is None:
            known = True
            for origin, expression in request.selectors:
                try:
                    known = expressions.matches(expression, item.key[0], item.device)
                except expressions.ExpressionError as error:
                    raise AllocationError(f"{origin}: {error}") from None
                if not known:
                    break
            self._matching[key] = known
        return known

    def consumed(self, pool: inventory.Pool) -> collections.Counter[inventory.Counter]:
        """What devices in use take of a pool's counters."""
        known = self._counters.get(pool.key)
        if known is None:
            known = self._counters[pool.key] = collections.Counter()
            for one in pool.slices:
                for item in one.items:
                    if item.key in self._used:
                        known.update(inventory.consumption(item.device))
        return known


class _Search:
    """The state of a search on one node."""

    def __init__(self, whole: Allocation, row: int) -> None:
        self._whole, self._row, self._steps = whole, row, STEPS
        self._pools = whole.pools(row)
        self._home = {pool.key: pool for pool in self._pools}
        self._offered: list[inventory.Item] = []
        self._invalid = False
        for pool in self._pools:
            if pool.complete and pool.valid(row):
                self._offered += pool.items(row)
            elif pool.complete:
                self._invalid = True
        self._taken: Taken = [[] for _ in whole.claims]
        self._all: dict[tuple[int, str], list[inventory.Item]] = {}

    def run(self) -> Taken | None:
        for number, claim in enumerate(self._whole.claims):
            fewest = 0
            for choices in claim.requests:
                fewest += min(self._number(number, claim, choice) for choice in choices)
            if fewest > MOST:
                raise AllocationError(
                    f"claim {claim.name}: number of requested devices {fewest} exceeds the claim limit of {MOST}"
                )
        if self._fill(0, 0):
            return self._taken
        if self._invalid:
            raise InvalidPools("invalid resource pools were encountered")
        return None

    def _number(self, number: int, claim: requests.Claim, request: requests.Request) -> int:
        """How many devices that are, working out which ones where it is all of them."""
        if request.number:
            return request.number
        about = f"claim {claim.name}, request {request.name}: asks for all devices, but resource pool"
        found = self._all[number, request.full_name] = []
        for pool in self._pools:
            if not pool.complete:
                raise AllocationError(f"{about} {pool.id} is currently being updated")
            if not pool.valid(self._row):
                raise AllocationError(f"{about} {pool.id} is currently invalid")
            found += [
                item
                for item in pool.items(self._row)
                if self._selectable(number, request, item) and self._roomy(request, item)
            ]
        return len(found)

    def _selectable(self, claim: int, request: requests.Request, item: inventory.Item) -> bool:
        return self._whole.matches(claim, request, item) and bool(item.reach >> self._row & 1)

    # Going on

    def _fill(self, claim: int, request: int) -> bool:
        """Serves the requests from this one on, going back where that leads nowhere."""
        if claim == len(self._taken):
            return True
        asked = self._whole.claims[claim].requests
        if request == len(asked):
            return self._fill(claim + 1, 0)
        for choice in asked[request]:
            before = len(self._taken[claim])
            for _ in self._ways(claim, choice):
                if self._fill(claim, request + 1):
                    return True
            del self._taken[claim][before:]
        return False

    def _ways(self, claim: int, choice: requests.Request) -> Iterator[None]:
        """All ways to serve one request, each with the devices taken while the caller looks further."""
        if choice.number:
            if len(self._taken[claim]) + choice.number <= MOST:
                yield from self._pick(claim, choice, choice.number, 0)
            return
        every = self._all[claim, choice.full_name]
        if not every or len(self._taken[claim]) + len(every) > MOST:
            return
        for item in every:
            if not self._take(claim, choice, item, must=True):
                return
        yield

    def _pick(self, claim: int, choice: requests.Request, left: int, start: int) -> Iterator[None]:
        if not left:
            yield
            return
        for at in range(start, len(self._offered)):
            self._steps -= 1
            if self._steps <= 0:
                return
            item = self._offered[at]
            fits = self._free(claim, choice, item) and self._selectable(claim, choice, item)
            if fits and self._roomy(choice, item) and self._take(claim, choice, item):
                yield from self._pick(claim, choice, left - 1, at + 1)
                self._taken[claim].pop()

    # Whether a device can be had

    def _free(self, claim: int, choice: requests.Request, item: inventory.Item) -> bool:
        if choice.admin:
            return item.shared or all(one.item.key != item.key for one in self._taken[claim])
        if item.key in self._whole.used.whole:
            return False
        return item.shared or all(one.item.key != item.key for held in self._taken for one in held)

    def _roomy(self, choice: requests.Request, item: inventory.Item) -> bool:
        used: dict[str, Fraction] = dict(self._whole.used.parts.get(item.key, {}))
        if item.shared:
            for one in (one for held in self._taken for one in held if one.item.key == item.key):
                for name, amount in capacity.consumed(one.request.capacity, item.device).items():
                    used[name] = used.get(name, Fraction(0)) + amount.value()
        return capacity.fits(choice.capacity, item.device, used)

    def _take(self, claim: int, choice: requests.Request, item: inventory.Item, *, must: bool = False) -> bool:
        """Takes a device if it can be had beside the others. `must`: it is this one or nothing."""
        if not self._free(claim, choice, item) or not self._counted(item) or not choice.tolerates(item.taints):
            return False
        together = [*self._taken[claim], constraints.Given(choice, item)]
        asked = self._whole.claims[claim]
        if not all(constraints.meets(one, together) for one in asked.claim.spec.devices.constraints):
            if must:
                raise AllocationError(
                    f"claim {asked.name}, request {choice.name}: cannot add device {'/'.join(item.key)} "
                    "because a claim constraint would not be satisfied"
                )
            return False
        if not self._roomy(choice, item):
            return False
        self._taken[claim].append(constraints.Given(choice, item))
        return True

    def _counted(self, item: inventory.Item) -> bool:
        """Whether the counters that the device shares with others are enough; one that is in use has its share."""
        wanted = inventory.consumption(item.device)
        taken = {one.item.key: one.item for held in self._taken for one in held}
        if not wanted or (item.shared and (item.key in self._whole.used.parts or item.key in taken)):
            return True
        pool = self._home[item.key[:2]]
        total = collections.Counter(self._whole.consumed(pool))
        total.update(wanted)
        for key, other in taken.items():
            if key[:2] == pool.key:
                total.update(inventory.consumption(other.device))
        return all(total[name] <= held for name, held in pool.counters.items())
