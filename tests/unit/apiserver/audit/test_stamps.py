"""Times are written as others are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pybernetes.api import times
from pybernetes.apiserver.audit import stamps
from pybernetes.kits.clock import VirtualClock


@given(st.lists(st.integers(0, 3_000_000), min_size=1))
def test_any_moments(moments: list[int]) -> None:
    clock = VirtualClock()
    given = stamps.Stamps(clock)
    for micro in moments:
        # A clock may be set back, too; half a microsecond is what no float is exact to.
        clock._now = 1_700_000_000 + micro / 1e6 + 5e-7
        assert given.now().decode() == times.to_micro_time(1_700_000_000 + micro / 1e6)
