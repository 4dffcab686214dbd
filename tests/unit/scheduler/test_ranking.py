"""The best rows as kept up row by row are those that a look at all of them finds."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.scheduler import ranking

SIZE = 6
ROW = st.tuples(st.integers(0, SIZE - 1), st.booleans(), st.integers(0, 3))


@given(st.lists(ROW, max_size=40), st.sets(st.integers(0, 39)))
def test_kept_up_as_looked_up(changes: list[tuple[int, bool, int]], asked: set[int]) -> None:
    fits, totals = np.ones(SIZE, np.bool_), np.zeros(SIZE, np.int64)
    kept = ranking.Ranking(fits, totals)
    for at, (row, fit, total) in enumerate(changes):
        fits[row], totals[row] = fit, total
        kept.put(row, fit, total)
        if at in asked:
            assert kept.best() == ranking.best(fits, totals).tolist()
    assert kept.best() == ranking.best(fits, totals).tolist()


def test_nothing_fits() -> None:
    fits, totals = np.zeros(3, np.bool_), np.zeros(3, np.int64)
    assert ranking.best(fits, totals).tolist() == ranking.Ranking(fits, totals).best() == []
