"""Which rows are best, kept up row by row: a placement changes one, and looking at all of them for that is dear."""

from __future__ import annotations

import bisect

import numpy as np

from pybernetes.scheduler import nodes as tables

_OUT = -1


def best(fits: tables.Bools, totals: tables.Ints) -> tables.Ints:
    """The rows that fit with the highest total, in ascending order; totals are not negative."""
    return _best(np.where(fits, totals, _OUT))


def _best(values: tables.Ints) -> tables.Ints:
    highest = values.max(initial=_OUT)
    return np.flatnonzero(values == highest) if highest != _OUT else np.zeros(0, np.int64)


class Ranking:
    """The same, kept up as rows change."""

    def __init__(self, fits: tables.Bools, totals: tables.Ints) -> None:
        self._values: tables.Ints = np.where(fits, totals, _OUT)
        self._highest = _OUT
        self._best: list[int] = []

    def best(self) -> list[int]:
        """To be read only."""
        if not self._best:
            self._best = _best(self._values).tolist()
            self._highest = int(self._values[self._best[0]]) if self._best else _OUT
        return self._best

    def put(self, row: int, fits: bool, total: int) -> None:
        """A row has changed."""
        before, after = int(self._values[row]), total if fits else _OUT
        if before == after:
            return
        self._values[row] = after
        best = self._best
        if not best:
            return
        if before == self._highest:
            del best[bisect.bisect_left(best, row)]
        if after > self._highest:
            self._highest = after
            self._best = [row]
        elif after == self._highest:
            bisect.insort(best, row)
