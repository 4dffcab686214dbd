"""Chooses nodes for pods of one shape: filters and scores all nodes at once, then places pod after pod.

After a placement only the rows touched by it are looked at anew (by plugins that are not `wide`, see `narrow`), so a
thousand pods of one ReplicaSet cost a thousand look-ups of a maximum, not a thousand cycles.
"""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from pybernetes.kits.chance import Chance
from pybernetes.scheduler import narrow, ranking
from pybernetes.scheduler import nodes as tables
from pybernetes.scheduler import shape as shapes
from pybernetes.scheduler.plugins import plugin

# Pods that are promised room on a row, to be counted with those that have it.
Promised = Mapping[int, Sequence[tuple[str, shapes.Shape]]]


class Weighted(NamedTuple):
    """A plugin as a profile uses it: the last three say at which points it is asked."""

    plugin: plugin.Plugin
    weight: int
    filters: bool = True
    scores: bool = True
    reserves: bool = True


class Misfit(NamedTuple):
    """Why no node fits.

    `reasons` counts the nodes that give each; `message` stands for them where all nodes are out for one reason.
    `resolvable` are the rows where preemption could help.
    """

    nodes: int
    reasons: dict[str, int]
    plugins: frozenset[str]
    resolvable: tuple[int, ...]
    message: str = ""


class Reserved(NamedTuple):
    """What a plugin keeps for a pod until it is bound."""

    plugin: plugin.Plugin
    plan: Any


class Cycle:
    """The decision for one shape; valid while `nodes.version` stays what it was."""

    def __init__(self, shape: shapes.Shape, nodes: tables.Nodes, plugins: Iterable[Weighted], chance: Chance) -> None:
        self._shape, self._nodes, self._chance = shape, nodes, chance
        self.version = nodes.version
        self._rejected: tuple[str, plugin.Rejected] | None = None
        self._states: dict[str, tuple[plugin.Plugin, Any]] = {}
        self._filters: list[tuple[plugin.Plugin, Any]] = []
        self._reserving: list[tuple[plugin.Plugin, Any]] = []
        steady: list[narrow.Scorer] = []
        self._scaled: list[narrow.Scorer] = []
        self._wide: list[narrow.Scorer] = []
        for used in plugins:
            self._prepare(used, steady)
        self._broad = [(one, state) for one, state in self._filters if one.wide]
        self._late = [(one, state) for one, state in self._filters if one.late]
        apart = [(one, state) for one, state in self._filters if not (one.wide or one.late)]
        self._narrow = narrow.Narrow(nodes, apart, steady, none=self._rejected is not None)
        self._fits = self._with_broad()
        every = slice(0, nodes.size)
        self._raw = {s.name: s.plugin.score(s.state, nodes, every) for s in self._scaled}
        self._shares: dict[str, tuple[int, tables.Ints]] = {}
        self._total: tables.Ints | None = None

    def _prepare(self, used: Weighted, steady: list[narrow.Scorer]) -> None:
        one = used.plugin
        if self._rejected is not None:
            self._states[one.name] = one, plugin.Unasked.UNASKED
            return
        state = None
        try:
            state = one.prepare(self._shape, self._nodes)
        except plugin.Rejected as rejected:
            self._rejected = one.name, rejected
        self._states[one.name] = one, state
        if state is None:
            return
        if used.filters:
            self._filters.append((one, state))
        if used.reserves:
            self._reserving.append((one, state))
        if used.scores and used.weight:
            scorer = narrow.Scorer(one.name, used.weight, one, state)
            if one.wide:
                self._wide.append(scorer)
            elif one.scale is plugin.Scale.NONE:
                steady.append(scorer)
            else:
                self._scaled.append(scorer)

    # Choosing

    def place(self, promised: Promised | None = None, wish: int = -1) -> str | None:
        """The best node for one more pod of the shape, `wish` being taken if it fits; None: there is none."""
        fits = self.feasible(promised)
        if 0 <= wish < len(fits) and fits[wish]:
            return self._nodes.names[wish]
        totals = self.totals(fits)
        # Where nobody looks at more than one row at a time, which are the best is known.
        plain = fits is self._narrow.fits and totals is self._narrow.scores
        best = self._narrow.best() if plain else ranking.best(fits, totals)
        if not len(best):
            return None
        chosen = 0 if len(best) == 1 else self._chance.below(len(best))
        return self._nodes.names[int(best[chosen])]

    def feasible(self, promised: Promised | None = None) -> tables.Bools:
        """The rows that fit; to be read only."""
        self._catch_up()
        if not promised:
            return self._fits
        fits = self._fits.copy()
        for row in promised:
            if fits[row] and not self.fits_row(row, promised):
                fits[row] = False
        return fits

    def totals(self, fits: tables.Bools) -> tables.Ints:
        """The weighted scores of all rows, relative to those that fit; to be read only."""
        if self._total is not None and fits is self._fits:
            return self._total
        total = self._narrow.scores
        for scorer in self._scaled:
            share = self._share(scorer, fits)
            if share is not None:
                total = total + scorer.weight * share
        for scorer in self._wide:
            rank = scorer.plugin.rank(scorer.state, self._nodes, fits)
            if rank is not None:
                total = total + scorer.weight * rank
        if fits is self._fits:
            self._total = total
        return total

    def _share(self, scorer: narrow.Scorer, fits: tables.Bools) -> tables.Ints | None:
        raw = self._raw[scorer.name]
        if raw is None:
            return None
        highest = int(np.max(raw, where=fits, initial=0))
        known = self._shares.get(scorer.name)
        if known is None or known[0] != highest:
            known = self._shares[scorer.name] = highest, plugin.scaled(raw, scorer.plugin.scale, highest)
        return known[1]

    def fits_row(self, row: int, promised: Promised | None = None) -> bool:
        """Whether one more pod of the shape fits that row now, also beside the pods that are promised room there."""
        if self._rejected is not None or not self._nodes.alive >> row & 1:
            return False
        beside = promised.get(row, ()) if promised else ()
        if beside and not self._with_promised(row, beside, self._passes):
            return False
        return self._passes(row)

    def reasons_row(self, row: int, promised: Promised | None = None) -> list[str]:
        """Why it does not: the reasons of the first plugin that says so."""
        beside = promised.get(row, ()) if promised else ()
        if beside:
            found: list[str] = self._with_promised(row, beside, self._reasons)
            if found:
                return found
        return self._reasons(row)

    def _reasons(self, row: int) -> list[str]:
        rows = np.array((row,))
        for one, state in self._filters:
            found = [rejection.reason for rejection in one.reject(state, self._nodes, rows) if rejection.mask[0]]
            if found:
                return found
        return []

    def _passes(self, row: int) -> bool:
        rows = np.array((row,))
        return not any(
            rejection.mask[0] for one, state in self._filters for rejection in one.reject(state, self._nodes, rows)
        )

    def _with_promised(self, row: int, beside: Sequence[tuple[str, shapes.Shape]], ask: Callable[[int], Any]) -> Any:
        name = self._nodes.names[row]
        added = [uid for uid, _ in beside if uid not in self._nodes.placed]
        for uid, shape in beside:
            if uid not in self._nodes.placed:
                self._nodes.add_pod(uid, name, shape)
        try:
            return ask(row)
        finally:
            for uid in added:
                self._nodes.remove_pod(uid)

    def reserve(self, node: str) -> list[Reserved]:
        """Have the plugins keep what the pod needs on the chosen node besides room. Raises `plugin.Failed`."""
        row = self._nodes.rows[node]
        kept: list[Reserved] = []
        for one, state in self._reserving:
            try:
                plan = one.reserve(state, self._nodes, row)
            except plugin.Failed as error:
                for before in reversed(kept):
                    before.plugin.unreserve(before.plan, self._nodes)
                raise plugin.Failed(f'running Reserve plugin "{one.name}": {error}') from None
            if plan is not None:
                kept.append(Reserved(one, plan))
        return kept

    def state_of(self, name: str) -> tuple[plugin.Plugin, Any]:
        """A plugin of the profile, and what it has prepared; `Unasked` if it was not asked to. Raises KeyError."""
        return self._states[name]

    # Keeping up

    def _catch_up(self) -> None:
        """Look again at what has changed since the last time."""
        changed = self._narrow.catch_up()
        if changed is None:
            return
        if changed or self._broad or self._late:
            self._fits = self._with_broad()
        # Without other scores the total is the narrow one itself; with them it is worked out when next asked for.
        self._total = None

    def _with_broad(self) -> tables.Bools:
        fits = self._narrow.fits
        every = slice(0, self._nodes.size)
        for one, state in self._broad:
            for rejection in one.reject(state, self._nodes, every):
                fits = fits & ~rejection.mask
        for one, state in self._late:
            rows = np.flatnonzero(fits)
            for rejection in _asked(one, state, self._nodes, rows):
                fits = fits.copy()
                fits[rows[rejection.mask]] = False
        return fits

    # Explaining

    def misfit(self, promised: Promised | None = None) -> Misfit:
        """Why no node fits: each node speaks through the first plugin that turns it down."""
        self._catch_up()
        nodes = self._nodes
        undecided = nodes.mask(nodes.alive).copy()
        if self._rejected is not None:
            name, rejected = self._rejected
            rows = () if rejected.final else tuple(int(row) for row in np.flatnonzero(undecided))
            return Misfit(len(nodes), {}, frozenset((name,)), rows, rejected.reason)
        reasons: collections.Counter[str] = collections.Counter()
        blamed: set[str] = set()
        resolvable: set[int] = set()

        def explain(rows: Any, undecided: tables.Bools) -> None:
            numbers = np.arange(nodes.size)[rows]
            for one, state in self._filters:
                out = np.zeros(len(numbers), np.bool_)
                hopeless = np.zeros(len(numbers), np.bool_)
                asked = np.flatnonzero(undecided) if one.late else slice(None)
                for rejection in one.reject(state, nodes, numbers[asked] if one.late else rows):
                    here = np.zeros(len(numbers), np.bool_)
                    here[asked] = rejection.mask & undecided[asked]
                    count = int(here.sum())
                    if count:
                        reasons[rejection.reason] += count
                        blamed.add(one.name)
                        out |= here
                        final = np.zeros(len(numbers), np.bool_)
                        final[asked] = rejection.final
                        hopeless |= here & final
                resolvable.update(int(row) for row in numbers[out & ~hopeless])
                undecided &= ~out

        every = slice(0, nodes.size)
        self._look_elsewhere(undecided, reasons, blamed)
        for row, beside in (promised or {}).items():
            if undecided[row]:
                left = np.ones(1, np.bool_)
                self._with_promised(row, beside, lambda row: explain(np.array((row,)), left))  # noqa: B023
                undecided[row] = left[0]
        explain(every, undecided)
        return Misfit(len(nodes), dict(reasons), frozenset(blamed), tuple(sorted(resolvable)))

    def _look_elsewhere(self, undecided: tables.Bools, reasons: collections.Counter[str], blamed: set[str]) -> None:
        """Count the nodes that need no reason of their own."""
        narrowing = [(one.name, one.elsewhere(state, self._nodes)) for one, state in self._filters]
        named = sorted(name for name, mask in narrowing if mask is not None)
        if not named:
            return
        out = np.zeros(self._nodes.size, np.bool_)
        for _, mask in narrowing:
            if mask is not None:
                out |= mask & undecided
        if out.any():
            reasons[f"node(s) didn't satisfy plugin(s) [{' '.join(named)}]"] += int(out.sum())
            blamed.update(named)
            undecided &= ~out


def _asked(one: plugin.Plugin, state: Any, nodes: tables.Nodes, rows: Any) -> list[plugin.Rejection]:
    try:
        return one.reject(state, nodes, rows)
    except plugin.Failed as error:
        raise plugin.Failed(f'running "{one.name}" filter plugin: {error}') from None
