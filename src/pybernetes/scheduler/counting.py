"""How many pods of a kind are on each node, and in each domain of a topology; kept up to date pod by pod.

Placed pods are grouped by what selectors look at. A counter is made when somebody first asks for it and is told from
then on of every pod that comes or goes: a placement costs one addition for each counter that its pod matches, however
many pods and nodes there are. A tally sums a counter's rows by domain, in the same step.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
from numpy import typing as npt

from pybernetes.api import selectors
from pybernetes.scheduler import terms

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

# Counters kept before those are dropped that are not in use; each takes eight bytes per node.
COUNTERS = 1024


class Scope(NamedTuple):
    """Pods of these namespaces (None: of all) that the selector matches."""

    namespaces: frozenset[str] | None
    selector: selectors.LabelSelector

    def matches(self, namespace: str, labels: Mapping[str, str]) -> bool:
        if self.namespaces is not None and namespace not in self.namespaces:
            return False
        return self.selector.matches(labels)


class Query(NamedTuple):
    """Pods that are in all of the scopes; `living`: those that are being deleted do not count."""

    scopes: tuple[Scope, ...]
    living: bool = False

    def matches(self, namespace: str, labels: Mapping[str, str], terminating: bool) -> bool:
        if terminating and self.living:
            return False
        return all(scope.matches(namespace, labels) for scope in self.scopes)

    @property
    def namespaces(self) -> frozenset[str] | None:
        """The only namespaces whose pods can match; None: any."""
        named = [scope.namespaces for scope in self.scopes if scope.namespaces is not None]
        return frozenset.intersection(*named) if named else None


class Tally:
    """Pods per domain. `ids` has the domain of each row, -1 for rows left out; the last of `sums` belongs to those."""

    __slots__ = ("exists", "ids", "sums")

    def __init__(self, ids: Ints, domains: int, rows: Ints) -> None:
        self.ids = ids
        self.sums: Ints = np.zeros(domains + 1, np.int64)
        self.exists: Bools = np.zeros(domains + 1, np.bool_)
        inside = np.flatnonzero(ids >= 0)
        self.exists[ids[inside]] = True
        np.add.at(self.sums, ids[inside], rows[inside])


class Counter:
    """Pods per row. `total` counts those on all rows."""

    __slots__ = ("rows", "tallies", "total")

    def __init__(self, capacity: int) -> None:
        self.rows: Ints = np.zeros(capacity, np.int64)
        self.total = 0
        self.tallies: dict[object, Tally] = {}

    def add(self, row: int, number: int) -> None:
        self.rows[row] += number
        self.total += number
        for tally in self.tallies.values():
            domain = tally.ids[row]
            if domain >= 0:
                tally.sums[domain] += number

    def tally(self, key: object, ids: Ints, domains: int) -> Tally:
        """The sums by domain, kept under a key that stands for `ids`; valid until the nodes' own facts change."""
        known = self.tallies.get(key)
        if known is None:
            known = self.tallies[key] = Tally(ids, domains, self.rows[: len(ids)])
        return known


class _Group:
    """Placed pods that no selector can tell apart."""

    __slots__ = ("counters", "rows")

    def __init__(self) -> None:
        self.rows: dict[int, int] = {}
        self.counters: list[Counter] = []


class Marks(NamedTuple):
    """What counters look at."""

    namespace: str
    labels: tuple[tuple[str, str], ...]
    terminating: bool


class Counts:
    """All counters, by query, and those of the affinity terms that placed pods carry."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._groups: dict[Marks, _Group] = {}
        self._counters: dict[Query, Counter] = {}
        self._in_namespace: dict[str | None, dict[Query, Counter]] = {}
        self.carried: dict[terms.Carried, Counter] = {}
        self._carried_for: dict[str | None, dict[terms.Carried, Counter]] = {}
        # Raised when a term is carried for the first time, or by nobody any more.
        self.carried_version = 0

    def grow(self, capacity: int) -> None:
        self._capacity = capacity
        for counter in (*self._counters.values(), *self.carried.values()):
            counter.rows = np.pad(counter.rows, (0, capacity - len(counter.rows)))

    def forget_tallies(self) -> None:
        """The nodes' labels have changed."""
        for counter in (*self._counters.values(), *self.carried.values()):
            counter.tallies.clear()

    def trim(self) -> bool:
        """Drop all counters if there are too many; those still in use must then be asked for again."""
        if len(self._counters) <= COUNTERS:
            return False
        self._counters.clear()
        self._in_namespace.clear()
        for group in self._groups.values():
            group.counters.clear()
        return True

    def counter(self, query: Query) -> Counter:
        """The counter of a query, made if there is none yet."""
        known = self._counters.get(query)
        if known is not None:
            return known
        made = self._counters[query] = Counter(self._capacity)
        namespaces: Iterable[str | None] = (None,) if query.namespaces is None else query.namespaces
        for namespace in namespaces:
            self._in_namespace.setdefault(namespace, {})[query] = made
        for marks, group in self._groups.items():
            if query.matches(marks.namespace, dict(marks.labels), marks.terminating):
                group.counters.append(made)
                for row, number in group.rows.items():
                    made.add(row, number)
        return made

    def add(self, row: int, marks: Marks, carried: tuple[terms.Carried, ...]) -> None:
        group = self._groups.get(marks)
        if group is None:
            group = self._groups[marks] = _Group()
            labels = dict(marks.labels)
            for namespace in (marks.namespace, None):
                for query, counter in self._in_namespace.get(namespace, {}).items():
                    if query.matches(marks.namespace, labels, marks.terminating):
                        group.counters.append(counter)
        group.rows[row] = group.rows.get(row, 0) + 1
        for counter in group.counters:
            counter.add(row, 1)
        for one in carried:
            carrying = self.carried.get(one)
            if carrying is None:
                carrying = self.carried[one] = Counter(self._capacity)
                for namespace in _reach(one.term):
                    self._carried_for.setdefault(namespace, {})[one] = carrying
                self.carried_version += 1
            carrying.add(row, 1)

    def remove(self, row: int, marks: Marks, carried: tuple[terms.Carried, ...]) -> None:
        group = self._groups[marks]
        left = group.rows[row] - 1
        if left:
            group.rows[row] = left
        else:
            del group.rows[row]
        for counter in group.counters:
            counter.add(row, -1)
        if not group.rows:
            del self._groups[marks]
        for one in carried:
            carrying = self.carried[one]
            carrying.add(row, -1)
            if not carrying.total:
                del self.carried[one]
                for namespace in _reach(one.term):
                    del self._carried_for[namespace][one]
                self.carried_version += 1

    def carried_towards(
        self, namespace: str, labels: Mapping[str, str], namespace_labels: Mapping[str, str]
    ) -> list[tuple[terms.Carried, Counter]]:
        """The terms of placed pods that match such a pod, with where their carriers are."""
        return [
            (one, counter)
            for reach in (namespace, None)
            for one, counter in self._carried_for.get(reach, {}).items()
            if one.term.matches(namespace, labels, namespace_labels)
        ]


def _reach(term: terms.Term) -> Iterable[str | None]:
    """The namespaces in which a term can match; None stands for any."""
    return term.namespaces if term.namespace_selector.nothing else (None,)
