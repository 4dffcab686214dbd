"""How fast nodes that are not ready lose their pods: zone by zone, slower the more of a zone is gone.

Where most of a zone is not ready, it is likelier that we have lost sight of it than that so many nodes have died; where
no node at all is ready, that nothing is wrong but our own connection. Nothing here scans nodes: a change of one node
is a change of its zone's counts.
"""

from __future__ import annotations

import collections
import enum
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from pybernetes.api.types import core_v1
from pybernetes.controllers.context import Settings
from pybernetes.controllers.node import health
from pybernetes.kits import prometheus

EXCLUDED = "node.kubernetes.io/exclude-disruption"
ZONE, REGION = "topology.kubernetes.io/zone", "topology.kubernetes.io/region"
OLD_ZONE, OLD_REGION = "failure-domain.beta.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/region"
# Fewer nodes than this are no disruption of a zone, whatever their share.
FEWEST = 3


class State(enum.Enum):
    """How a zone is doing."""

    INITIAL = "Initial"
    NORMAL = "Normal"
    PARTIAL = "PartialDisruption"
    FULL = "FullDisruption"


def key_of(node: core_v1.Node) -> str:
    """The node's zone, unique among regions; empty where it has none."""
    labels = node.metadata.labels
    zone = labels.get(ZONE) or labels.get(OLD_ZONE, "")
    region = labels.get(REGION) or labels.get(OLD_REGION, "")
    return f"{region}/{zone}" if zone or region else ""


def label_of(key: str) -> str:
    """What metrics call a zone; upstream puts a zero byte between its region and it."""
    region, _, zone = key.partition("/")
    return f"{region}:\x00:{zone}" if key else ""


def state_of(ready: int, unready: int, threshold: float) -> State:
    if not ready and unready:
        return State.FULL
    if unready >= FEWEST and unready / (ready + unready) >= threshold:
        return State.PARTIAL
    return State.NORMAL


def rate_of(state: State, size: int, settings: Settings) -> float:
    """How many nodes of a zone may be tainted per second. A zone that is gone as a whole is really gone, as long as
    there are others."""
    if state is not State.PARTIAL:
        return settings.node_eviction_rate
    return settings.secondary_node_eviction_rate if size > settings.large_cluster_size_threshold else 0.0


@dataclass(slots=True)
class Limiter:
    """Allows `rate` turns per second, one at a time; `due` is when the next one may be (monotonic seconds)."""

    rate: float
    due: float = 0.0

    def wait(self, now: float) -> float | None:
        """Seconds until the next turn; None: there will be none at this rate."""
        return max(self.due - now, 0.0) if self.rate > 0 else None

    def take(self, now: float) -> None:
        self.due = now + 1.0 / self.rate

    def set_rate(self, rate: float, now: float) -> None:
        """Who had to wait before waits for one whole turn of the new rate."""
        if rate == self.rate:
            return
        must_wait = self.wait(now) != 0.0
        self.rate = rate
        if must_wait and rate > 0:
            self.take(now)


@dataclass(slots=True)
class Zone:
    """Nodes that are `ready` or not, and those that wait for their NoExecute taint, in the order they came."""

    limiter: Limiter
    ready: int = 0
    unready: int = 0
    state: State = State.INITIAL
    waiting: collections.OrderedDict[str, None] = field(default_factory=collections.OrderedDict)

    def count(self, is_ready: bool, by: int) -> None:
        if is_ready:
            self.ready += by
        else:
            self.unready += by


_GAUGES: tuple[tuple[str, str, Callable[[Zone], float]], ...] = (
    (
        "zone_health",
        "Gauge measuring percentage of healthy nodes per zone.",
        lambda zone: 100 * zone.ready / (zone.ready + zone.unready) if zone.ready or zone.unready else 100,
    ),
    (
        "zone_size",
        "Gauge measuring number of registered Nodes per zones.",
        lambda zone: zone.ready + zone.unready,
    ),
    (
        "unhealthy_nodes_in_zone",
        "Gauge measuring number of not Ready Nodes per zones.",
        lambda zone: zone.unready,
    ),
)


class Zones:
    """All zones. `disrupted`: no node of any zone is ready, and nothing is to be evicted."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._zones: dict[str, Zone] = {}
        # By node: its zone, and whether it is ready there (None: it does not count).
        self._places: dict[str, tuple[str, bool | None]] = {}
        self.disrupted = False

    def place(self, node: core_v1.Node, now: float) -> list[str]:
        """Take note of a node. Answers the zones whose nodes may be tainted sooner or later than before."""
        name, zone = node.metadata.name, key_of(node)
        counted = None if EXCLUDED in node.metadata.labels else health.ready(node) == "True"
        return self._move(name, (zone, counted), now)

    def remove(self, name: str, now: float) -> list[str]:
        """Forget a node. Answers as `place` does."""
        return self._move(name, None, now)

    def families(self) -> Iterator[prometheus.Family]:
        """For /metrics; zones are called there as upstream calls them."""
        shown = [({"zone": label_of(key)}, zone) for key, zone in self._zones.items()]
        for name, help_, value in _GAUGES:
            samples = [(labels, value(zone)) for labels, zone in shown]
            yield prometheus.Family(f"node_collector_{name}", prometheus.GAUGE, help_, samples)

    def __getitem__(self, zone: str) -> Zone:
        return self._zones[zone]

    def wait_in_line(self, name: str) -> str | None:
        """Have a node wait for its taint. Answers its zone; None where it waited already, or is not known."""
        place = self._places.get(name)
        if place is None or name in self._zones[place[0]].waiting:
            return None
        self._zones[place[0]].waiting[name] = None
        return place[0]

    def leave_line(self, name: str) -> None:
        place = self._places.get(name)
        if place is not None:
            self._zones[place[0]].waiting.pop(name, None)

    def _move(self, name: str, place: tuple[str, bool | None] | None, now: float) -> list[str]:
        before = self._places.get(name)
        if before == place:
            return []
        if before is not None:
            zone = self._zones[before[0]]
            if before[1] is not None:
                zone.count(before[1], -1)
            if place is None or place[0] != before[0]:
                zone.waiting.pop(name, None)
        if place is None:
            self._places.pop(name, None)
        else:
            self._places[name] = place
            made = self._zones.setdefault(place[0], Zone(Limiter(self._settings.node_eviction_rate)))
            if place[1] is not None:
                made.count(place[1], 1)
        return self._judge(now)

    def _judge(self, now: float) -> list[str]:
        counted = {key: zone for key, zone in self._zones.items() if zone.ready or zone.unready}
        states = {
            key: state_of(zone.ready, zone.unready, self._settings.unhealthy_zone_threshold)
            for key, zone in counted.items()
        }
        was = self.disrupted
        self.disrupted = bool(states) and all(state is State.FULL for state in states.values())
        changed = []
        for key, state in states.items():
            zone = counted[key]
            if state is zone.state and was is self.disrupted:
                continue
            zone.state = state
            rate = 0.0 if self.disrupted else rate_of(state, zone.ready + zone.unready, self._settings)
            zone.limiter.set_rate(rate, now)
            changed.append(key)
        return changed
