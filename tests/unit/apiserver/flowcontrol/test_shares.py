"""Seats: who is entitled to how many, and who lends to whom."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.apiserver.flowcontrol import sharding, shares, widths
from pybernetes.apiserver.resources.flowcontrol import mandatory

LEVELS = {level.metadata.name: level for level in mandatory.priority_levels()}


def test_what_the_suggested_levels_come_to() -> None:
    found = shares.limits(LEVELS, 600)
    assert found["workload-low"] == shares.Limits(245, 24, 600)
    assert found["system"] == shares.Limits(74, 50, 600)
    assert found["catch-all"] == shares.Limits(13, 13, 600)
    assert found["exempt"] == shares.Limits(0, 0, 600)


def test_seats_go_where_they_are_wanted() -> None:
    bounds = shares.limits(LEVELS, 600)
    idle = {name: (0, 0.0) for name in bounds if name != "exempt"}
    wanted = shares.adjusted(bounds, {"exempt": 2}, idle | {"workload-low": (600, 600.0)})
    assert wanted["workload-low"] > bounds["workload-low"].nominal
    assert all(wanted[name] >= bounds[name].least for name in wanted)
    assert wanted["global-default"] < bounds["global-default"].nominal
    # What superusers use is taken from everybody, but from no one more than it lends.
    pressed = shares.adjusted(bounds, {"exempt": 10_000}, idle)
    assert pressed == {name: bounds[name].least for name in pressed}


_CLAIMS = st.lists(
    st.tuples(st.integers(0, 50), st.integers(0, 200), st.floats(0, 300)).map(
        lambda drawn: shares.Claim(drawn[0], drawn[0] + drawn[1], max(drawn[2], drawn[0]))
    ),
    min_size=1,
    max_size=8,
)


@given(claims=_CLAIMS, total=st.integers(1, 1000))
def test_nobody_leaves_its_bounds_and_all_is_given(claims: list[shares.Claim], total: int) -> None:
    given_ = shares.divide(total, claims)
    assert all(claim.least <= seats <= claim.most for claim, seats in zip(claims, given_, strict=True))
    least, most = sum(claim.least for claim in claims), sum(claim.most for claim in claims)
    assert sum(given_) == pytest.approx(min(max(total, least), most), abs=0.01)


@given(value=st.integers(0, 2**64 - 1), deck=st.integers(1, 128), share=st.floats(0, 1))
def test_a_hand_is_of_different_cards(value: int, deck: int, share: float) -> None:
    size = max(1, min(int(deck * share), 8, deck))
    dealt = sharding.hand(value, deck=deck, size=size)
    assert len(set(dealt)) == size
    assert all(0 <= card < deck for card in dealt)


def test_flows_have_hands_of_their_own() -> None:
    hands = {tuple(sharding.hand(sharding.flow_hash("s", str(number)), deck=64, size=6)) for number in range(200)}
    assert len(hands) == 200


@pytest.mark.parametrize(
    ("width", "seats"),
    [
        (widths.of_list(0, 0, limit=0, single=False, level=245), 1),
        (widths.of_list(100, 2500, limit=0, single=False, level=245), 3),
        (widths.of_list(5000, 2500, limit=0, single=False, level=245), 10),
        (widths.of_list(5000, 2500, limit=100, single=False, level=245), 3),
        (widths.of_list(5000, 2500, limit=0, single=True, level=245), 1),
        (widths.of_list(5000, 2500, limit=0, single=False, level=13), 2),
    ],
)
def test_lists_are_as_wide_as_what_they_bring(width: widths.Width, seats: int) -> None:
    assert width == widths.Width(seats)


def test_writes_linger_for_their_watchers() -> None:
    assert widths.of_write(9, level=245) == widths.ONE
    assert widths.of_write(25, level=245) == widths.Width(1, 3, 0.005)
    assert widths.of_write(1000, level=245) == widths.Width(1, 10, 0.05)
