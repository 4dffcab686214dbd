"""Which rows are best, kept up row by row: a placement changes one, and looking at all of them for that is dear."""

from __future__ import annotations

import bisect

import numpy as np

from pybernetes.scheduler import nodes as tables

_OUT = -1


def best(fits: tables.Bools, totals: tables.Ints) -> tables.Ints:
    """The rows that fit with the highest total, in ascending order; totals are not negative."""
    values = np.where(fits, totals, _OUT)
    highest = values.max(initial=_OUT)
    return np.flatnonzero(values == highest) if highest != _OUT else np.zeros(0, np.int64)


class Ranking:
    """The same, kept up as rows change: all rows by total, each kind in ascending order."""

    def __init__(self, fits: tables.Bools, totals: tables.Ints) -> None:
        values = np.where(fits, totals, _OUT)
        order = np.argsort(values, kind="stable")
        kinds, starts = np.unique(values[order], return_index=True)
        groups = np.split(order, starts[1:])
        self._values: list[int] = values.tolist()
        self._rows: dict[int, list[int]] = {
            kind: rows.tolist() for kind, rows in zip(kinds.tolist(), groups, strict=False)
        }
        self._highest = max(self._rows, default=_OUT)

    def best(self) -> list[int]:
        """To be read only."""
        return self._rows[self._highest] if self._highest != _OUT else []

    def put(self, row: int, fits: bool, total: int) -> None:
        """A row has changed."""
        before, after = self._values[row], total if fits else _OUT
        if before == after:
            return
        self._values[row] = after
        bisect.insort(self._rows.setdefault(after, []), row)
        self._highest = max(self._highest, after)
        rows = self._rows[before]
        del rows[bisect.bisect_left(rows, row)]
        if not rows:
            del self._rows[before]
            if before == self._highest:
                self._highest = max(self._rows)
