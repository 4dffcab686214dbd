"""What plugins say that look at each node by itself: which rows fit, and their scores; kept up placement by placement.

Most placements bring a node into a state that another one was in before, as nodes and pods are many and their kinds are
few: then the answers are known already.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from pybernetes.scheduler import nodes as tables
from pybernetes.scheduler import ranking as rankings
from pybernetes.scheduler.plugins import plugin

# Up to so many rows are looked at one by one, and so many answers are kept for that.
FEW = 8
ANSWERS = 10_000

Filter = tuple[plugin.Plugin, Any]


class Scorer(NamedTuple):
    """A plugin that prefers, and what it has prepared."""

    name: str
    weight: int
    plugin: plugin.Plugin
    state: Any


class Narrow:
    """`fits` and `scores` have one entry per row, and are to be read only."""

    def __init__(
        self, nodes: tables.Nodes, filters: Sequence[Filter], scorers: Sequence[Scorer], *, none: bool = False
    ) -> None:
        """`none`: no row fits, whatever the plugins say."""
        self._nodes, self._none = nodes, none
        once = plugin.Sees.NODE
        self.fits: tables.Bools = nodes.mask(nodes.alive).copy()
        self.scores: tables.Ints = np.zeros(nodes.size, np.int64)
        if none:
            self.fits[:] = False
        every = slice(0, nodes.size)
        self._look(
            every,
            self.fits,
            self.scores,
            [one for one in filters if one[0].sees is once],
            [one for one in scorers if one.plugin.sees is once],
        )
        # What does not change as pods come and go.
        self._fits, self._scores = self.fits.copy(), self.scores.copy()
        self._filters = [one for one in filters if one[0].sees is not once]
        self._scorers = [one for one in scorers if one.plugin.sees is not once]
        self._look(every, self.fits, self.scores, self._filters, self._scorers)
        asked = (*(one for one, _ in self._filters), *(one.plugin for one in self._scorers))
        self._by_room = all(one.sees is plugin.Sees.ROOM for one in asked)
        self._answers: dict[tuple[bytes, bool, int], tuple[bool, int]] = {}
        self._ranking: rankings.Ranking | None = None
        self._seen = len(nodes.touched)

    def best(self) -> Sequence[int] | tables.Ints:
        """The rows that fit with the highest score, in ascending order; to be read only."""
        if self._ranking is None:
            return rankings.best(self.fits, self.scores)
        return self._ranking.best()

    def catch_up(self) -> bool | None:
        """Look again at the rows that pods came to or left; None: there were none, else whether others fit now."""
        touched = self._nodes.touched
        if self._seen == len(touched) or self._none:
            return None
        rows = set(touched[self._seen :])
        changed = self._look_again(rows)
        # Not before: a plugin that fails leaves the rows to be looked at another time.
        self._seen = len(touched)
        return changed

    def _look_again(self, rows: set[int]) -> bool:
        if len(rows) > FEW or not self._by_room:
            return self._renew(np.array(sorted(rows)))
        if self._ranking is None:
            # Worth its while from here on: one row after the other.
            self._ranking = rankings.Ranking(self.fits, self.scores)
        changed = False
        for row in rows:
            fits, score = self._answer(row)
            if fits != self.fits[row]:
                self.fits[row] = fits
                changed = True
            self.scores[row] = score
            self._ranking.put(row, fits, score)
        return changed

    def _renew(self, rows: tables.Ints) -> bool:
        fits, scores = self._fits[rows], self._scores[rows]
        self._look(rows, fits, scores, self._filters, self._scorers)
        changed = bool((fits != self.fits[rows]).any())
        self.fits[rows], self.scores[rows] = fits, scores
        self._ranking = None
        return changed

    def _answer(self, row: int) -> tuple[bool, int]:
        key = self._nodes.room(row), bool(self._fits[row]), int(self._scores[row])
        known = self._answers.get(key)
        if known is None:
            if len(self._answers) >= ANSWERS:
                self._answers.clear()
            rows = np.array((row,))
            fits, scores = self._fits[rows], self._scores[rows]
            self._look(rows, fits, scores, self._filters, self._scorers)
            known = self._answers[key] = bool(fits[0]), int(scores[0])
        return known

    def _look(
        self,
        rows: Any,
        fits: tables.Bools,
        scores: tables.Ints,
        filters: Sequence[Filter],
        scorers: Sequence[Scorer],
    ) -> None:
        """Take away from `fits`, and add to `scores`, what those plugins say about the rows."""
        for one, state in filters:
            for rejection in one.reject(state, self._nodes, rows):
                fits &= ~rejection.mask
        for scorer in scorers:
            raw = scorer.plugin.score(scorer.state, self._nodes, rows)
            if raw is not None:
                scores += scorer.weight * raw
