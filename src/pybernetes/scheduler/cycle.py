"""Chooses nodes for pods of one shape: filters and scores all nodes at once, then places pod after pod.

After a placement only the rows touched by it are worked out anew (by plugins that are `local`; others look at all
rows again), so a thousand pods of one ReplicaSet cost a thousand look-ups of a maximum, not a thousand cycles.
"""

from __future__ import annotations

import collections
from typing import Any, NamedTuple

import numpy as np

from pybernetes.kits.chance import Chance
from pybernetes.scheduler import nodes as tables
from pybernetes.scheduler import shape as shapes
from pybernetes.scheduler.plugins import plugin


class Misfit(NamedTuple):
    """Why no node fits: how many nodes give each reason, which plugins said so, and where preemption could help."""

    nodes: int
    reasons: dict[str, int]
    plugins: frozenset[str]
    resolvable: int


class Cycle:
    """The decision for one shape; valid while `nodes.version` stays what it was."""

    def __init__(
        self,
        shape: shapes.Shape,
        nodes: tables.Nodes,
        plugins: tuple[plugin.Plugin, ...],
        chance: Chance,
    ) -> None:
        self._shape, self._nodes, self._plugins, self._chance = shape, nodes, plugins, chance
        self.version = nodes.version
        self._seen = len(nodes.touched)
        states = [(one, one.prepare(shape, nodes)) for one in plugins]
        self._states = [(one, state) for one, state in states if state is not None]
        self._fits: tables.Bools = nodes.mask(nodes.alive).copy()
        for one, state in self._states:
            for rejection in one.reject(state, nodes, slice(0, nodes.size)):
                self._fits &= ~rejection.mask
        self._raw: dict[str, tables.Ints] = {}
        self._total = np.zeros(nodes.size, np.int64)
        self._dirty = True

    def place(self) -> str | None:
        """The best node for one more pod of the shape; None: there is none (see `misfit`)."""
        self._catch_up()
        feasible = np.flatnonzero(self._fits)
        if not len(feasible):
            return None
        if len(feasible) == 1:
            return self._nodes.names[int(feasible[0])]
        if self._dirty:
            self._score(feasible)
        total = self._total[feasible]
        best = feasible[np.flatnonzero(total == total.max())]
        chosen = 0 if len(best) == 1 else self._chance.below(len(best))
        return self._nodes.names[int(best[chosen])]

    def _catch_up(self) -> None:
        """Look again at the rows whose room has changed since the last time."""
        touched = self._nodes.touched
        if self._seen == len(touched):
            return
        rows = np.array(sorted(set(touched[self._seen :])))
        self._seen = len(touched)
        if any(not one.local for one, _ in self._states):
            self._recompute_all()
            return
        fits = np.ones(len(rows), np.bool_)
        for one, state in self._states:
            for rejection in one.reject(state, self._nodes, rows):
                fits &= ~rejection.mask
        if (fits != self._fits[rows]).any():
            self._fits[rows] = fits
            # Scores relative to the best of all feasible nodes may shift.
            self._dirty = True
        if self._dirty:
            return
        for one, state in self._states:
            if one.weight and one.scale is plugin.Scale.NONE:
                fresh = one.score(state, self._nodes, rows)
                if fresh is not None:
                    self._total[rows] += one.weight * (fresh - self._raw[one.name][rows])
                    self._raw[one.name][rows] = fresh

    def _recompute_all(self) -> None:
        fresh = Cycle(self._shape, self._nodes, self._plugins, self._chance)
        self._states, self._fits, self._dirty = fresh._states, fresh._fits, True

    def _score(self, feasible: Any) -> None:
        self._total[:] = 0
        every = slice(0, self._nodes.size)
        for one, state in self._states:
            raw = one.score(state, self._nodes, every) if one.weight else None
            if raw is None:
                continue
            self._raw[one.name] = np.array(raw)
            self._total += one.weight * _scaled(raw, one.scale, feasible)
        self._dirty = False

    def misfit(self) -> Misfit:
        """Why no node fits: each node speaks through the first plugin that turns it down."""
        self._catch_up()
        nodes = self._nodes
        undecided = nodes.mask(nodes.alive).copy()
        reasons: collections.Counter[str] = collections.Counter()
        blamed: set[str] = set()
        resolvable = 0
        for one, state in self._states:
            out = np.zeros(nodes.size, np.bool_)
            hopeless = np.zeros(nodes.size, np.bool_)
            for rejection in one.reject(state, nodes, slice(0, nodes.size)):
                here = rejection.mask & undecided
                count = int(here.sum())
                if count:
                    reasons[rejection.reason] += count
                    blamed.add(one.name)
                    out |= here
                    hopeless |= here & rejection.final
            resolvable += int((out & ~hopeless).sum())
            undecided &= ~out
        return Misfit(len(nodes), dict(reasons), frozenset(blamed), resolvable)


def _scaled(raw: tables.Ints, scale: plugin.Scale, feasible: Any) -> tables.Ints:
    if scale is plugin.Scale.NONE:
        return raw
    highest = int(raw[feasible].max())
    if highest == 0:
        return np.full(len(raw), plugin.MAX if scale is plugin.Scale.LEAST else 0, np.int64)
    shares: tables.Ints = raw * plugin.MAX // highest
    return plugin.MAX - shares if scale is plugin.Scale.LEAST else shares
