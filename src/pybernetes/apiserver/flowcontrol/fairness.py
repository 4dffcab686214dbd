"""The filter: classifies a request, and gives it its seats or has it wait for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from pybernetes.api.types import flowcontrol_v1
from pybernetes.apiserver import remembered
from pybernetes.apiserver import request as requests
from pybernetes.apiserver.flowcontrol import classify, levels, longrunning, metrics, sharding, shares, turns, widths
from pybernetes.apiserver.resources.flowcontrol import mandatory
from pybernetes.apiserver.storage import collection as collections
from pybernetes.apiserver.storage import following, selection
from pybernetes.apiserver.storage import item as items
from pybernetes.kits import clock as clocks
from pybernetes.kits import prometheus

# A level's demand is looked at this often while there is any to speak of, in seconds.
PERIOD = 10.0
SMOOTHING = 0.977
# So many quiet periods, and nobody lends to anybody any more.
QUIET = 6
READS = ("get", "list", "watch")


class Class(NamedTuple):
    """What a request is treated as. `head` are the lines that tell its client so; `one_seat` is known to be all it
    takes."""

    level: levels.Level
    narrow: levels.Narrow
    head: bytes
    one_seat: bool


class Fairness:
    """`collection(group, version, resource)` finds where a resource is stored, None if it is not here; `total` is how
    many seats there are, `patience` how long a request may wait for its own, in seconds."""

    def __init__(
        self,
        schemas: collections.Collection,
        configurations: collections.Collection,
        collection: Callable[[str, str, str], collections.Collection | None],
        *,
        total: int,
        patience: float,
        clock: clocks.Clock,
    ) -> None:
        self._schemas, self._configurations, self._collection = schemas, configurations, collection
        self._total, self._patience, self._clock = total, patience, clock
        self.levels: dict[str, levels.Level] = {}
        self._turns = turns.Turns()
        self._leaving: list[levels.Level] = []
        self._ordered: list[flowcontrol_v1.FlowSchema] = []
        self._classes: remembered.Remembered[Class] = remembered.Remembered()
        # Schemas do not go by the names of objects: what is found for one is so for all others like it.
        self._alike: dict[tuple[object, ...], Class] = {}
        self._stale = True
        self._timer: clocks.Timer | None = None
        self._quiet = 0
        for watched in (schemas, configurations):
            following.follow(watched, self._changed)

    def enter(self, request: requests.Request) -> levels.Ticket | levels.Narrow | None:
        """Seats to be given back; None for those that need none. Raises StatusError 429."""
        user, attributes = request.user, request.attributes
        if self._stale:
            self._configure()
        found = self._classes.get(user, attributes) or self._classify(user, attributes)
        if found is None:
            return None
        request.head = request.head + found.head if request.head else found.head
        level = found.level
        if found.one_seat:
            if found.narrow.take():
                request.charge = found.narrow.charge
                return found.narrow
            width = widths.ONE
        else:
            width = self._width(request, level)
        watches = request.attributes.verb == "watch"
        ticket = level.enter(found.narrow.flow, width, self._patience, watches=watches)
        request.charge = None if level.exempt else ticket.charge
        if self._timer is None and (level.waiting or 2 * level.seats > level.limit) and not level.exempt:
            self._timer = self._clock.call_later(PERIOD, self._adjust)
        return ticket

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    # -- inside

    def _changed(self, event: str, item: items.Item) -> None:
        self._stale = True

    def _configure(self) -> None:
        self._stale = False
        self._classes.clear()
        self._alike.clear()
        configured = {level.metadata.name: level for level in mandatory.priority_levels() if _is_fixed(level)}
        for item in self._configurations.select(selection.EVERYTHING).items:
            level = item.peek(flowcontrol_v1.PriorityLevelConfiguration)
            configured[level.metadata.name] = level
        bounds = shares.limits(configured, self._total)
        for name in self.levels.keys() - configured.keys():
            self._leaving.append(self.levels.pop(name))
        self._leaving = [level for level in self._leaving if not level.idle]
        for name, config in configured.items():
            known = self.levels.get(name)
            if known is None:
                self.levels[name] = levels.Level(config, bounds[name], self._clock, self._turns)
            else:
                known.configure(config, bounds[name])
        found = {schema.metadata.name: schema for schema in mandatory.flow_schemas() if _is_fixed(schema)}
        for item in self._schemas.select(selection.EVERYTHING).items:
            schema = item.peek(flowcontrol_v1.FlowSchema)
            found[schema.metadata.name] = schema
        self._ordered = classify.ordered(
            schema for schema in found.values() if schema.spec.priorityLevelConfiguration.name in self.levels
        )

    def _classify(self, user: requests.User, attributes: requests.Attributes) -> Class | None:
        """None for requests that take as long as their clients like."""
        if longrunning.is_long(attributes) and attributes.verb != "watch":
            return None
        path = "" if attributes.is_resource else attributes.path
        what = (attributes.group, attributes.resource, attributes.subresource, attributes.namespace, path)
        like = (user.name, user.groups, attributes.verb, *what)
        found = self._alike.get(like)
        if found is None:
            if len(self._alike) >= remembered.MOST:
                self._alike.clear()
            found = self._alike[like] = self._class(user, attributes)
        return self._classes.put(user, attributes, found)

    def _class(self, user: requests.User, attributes: requests.Attributes) -> Class:
        # The last one of all takes everything.
        schema = next((one for one in self._ordered if classify.matches(one, user, attributes)), self._ordered[-1])
        level = self.levels[schema.spec.priorityLevelConfiguration.name]
        distinguished = classify.distinguisher(schema, user, attributes)
        flow = levels.Flow(schema.metadata.name, distinguished, sharding.flow_hash(schema.metadata.name, distinguished))
        head = (
            f"X-Kubernetes-Pf-Flowschema-Uid: {schema.metadata.uid}\r\n"
            f"X-Kubernetes-Pf-Prioritylevel-Uid: {level.config.metadata.uid}\r\n"
        )
        return Class(
            level=level,
            narrow=levels.Narrow(level, flow, watches=attributes.verb == "watch"),
            head=head.encode(),
            one_seat=level.exempt or attributes.verb == "get" or not attributes.is_resource,
        )

    def _width(self, request: requests.Request, level: levels.Level) -> widths.Width:
        at = request.attributes
        found = self._collection(at.group, at.version, at.resource) if at.resource else None
        if found is None or at.verb == "proxy":
            return widths.ONE
        if at.verb in READS:
            return self._list_width(request, level, found)
        if (at.resource, at.subresource) == ("serviceaccounts", "token"):
            # It changes nothing that anybody watches.
            return widths.ONE
        return widths.of_write(len(found.watchers), level=level.bounds.nominal)

    def _list_width(
        self, request: requests.Request, level: levels.Level, found: collections.Collection
    ) -> widths.Width:
        query = request.query
        if request.attributes.verb == "watch":
            since = query.get("resourceVersion", "")
            if not request.flag("sendInitialEvents") and since not in ("", "0"):
                return widths.ONE
        limit = query.get("limit", "")
        return widths.of_list(
            len(found),
            found.average_size(),
            limit=int(limit) if limit.isdecimal() and len(limit) < 10 else 0,
            single=bool(request.attributes.name),
            level=level.bounds.nominal,
        )

    def _adjust(self) -> None:
        """Lend seats to where they are wanted."""
        self._timer = None
        busy = False
        for level in self.levels.values():
            level.smoothed = max(level.peak, SMOOTHING * level.smoothed + (1 - SMOOTHING) * level.peak)
            busy = busy or bool(not level.exempt and (level.waiting or 2 * level.peak > level.limit))
        self._quiet = 0 if busy else self._quiet + 1
        if self._quiet < QUIET:
            self._lend()
            self._timer = self._clock.call_later(PERIOD, self._adjust)
        else:
            self._quiet = 0
            for level in self.levels.values():
                level.limit, level.smoothed = level.bounds.nominal, 0.0
        for level in self.levels.values():
            level.peak = level.seats
            level.dispatch()

    def _lend(self) -> None:
        limits = shares.adjusted(
            {name: level.bounds for name, level in self.levels.items()},
            {name: level.peak for name, level in self.levels.items() if level.exempt},
            {name: (level.peak, level.smoothed) for name, level in self.levels.items() if not level.exempt},
        )
        for name, limit in limits.items():
            self.levels[name].limit = limit

    def families(self) -> Iterator[prometheus.Family]:
        """For /metrics."""
        return metrics.families(self.levels)


def _is_fixed(obj: Any) -> bool:
    """There is always one that exempts, and one that takes all that nothing else does."""
    return obj.metadata.name in mandatory.MANDATORY
