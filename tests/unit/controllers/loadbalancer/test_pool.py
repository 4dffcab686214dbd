"""Which address a load balancer gets; none is ever given twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.controllers.loadbalancer import pool


@pytest.mark.parametrize(
    ("text", "first", "inside", "outside"),
    [
        ("10.0.0.0/30", "10.0.0.1", "10.0.0.2", "10.0.0.3"),
        ("10.0.0.5", "10.0.0.5", "10.0.0.5", "10.0.0.6"),
        ("10.0.0.5 - 10.0.0.7", "10.0.0.5", "10.0.0.7", "10.0.0.8"),
        ("10.0.0.6/31", "10.0.0.6", "10.0.0.7", "10.0.0.8"),
        ("fd00::10-fd00::11", "fd00::10", "fd00::11", "10.0.0.1"),
    ],
)
def test_ranges(text: str, first: str, inside: str, outside: str) -> None:
    made = pool.Pool([text])
    assert made.free("IPv6" if ":" in first else "IPv4", ()) == first
    assert inside in made
    assert outside not in made
    assert "no address" not in made


@pytest.mark.parametrize("text", ["", "10.0.0.9-10.0.0.1", "10.0.0.1-fd00::1", "ten", "10.0.0.0/33"])
def test_what_is_no_range(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        pool.Pool([text])


@pytest.mark.parametrize(
    ("families", "asked", "taken", "answer"),
    [
        (["IPv4"], "", (), ["10.0.0.1"]),
        (["IPv4"], "", ("10.0.0.1",), ["10.0.0.2"]),
        (["IPv4"], "10.0.0.2", (), ["10.0.0.2"]),
        (["IPv4", "IPv6"], "", (), ["10.0.0.1", "fd00::1"]),
        (["IPv6", "IPv4"], "10.0.0.2", (), ["fd00::1", "10.0.0.2"]),
        (["IPv4"], "10.0.0.9", (), "requested address 10.0.0.9 is not in the pool"),
        (["IPv4"], "10.0.0.1", ("10.0.0.1",), "requested address 10.0.0.1 is already in use"),
        (["IPv4"], "fd00::1", (), "requested address fd00::1 is of no family of the service"),
        (["IPv4"], "", ("10.0.0.1", "10.0.0.2"), "no IPv4 address of the pool is free"),
    ],
)
def test_choice(families: list[str], asked: str, taken: tuple[str, ...], answer: list[str] | str) -> None:
    made = pool.Pool(["10.0.0.1-10.0.0.2", "fd00::1"])
    if isinstance(answer, str):
        with pytest.raises(ValueError, match=answer):
            pool.choose(made, families, asked, taken)
    else:
        assert pool.choose(made, families, asked, taken) == answer


def test_a_family_that_the_pool_has_not() -> None:
    with pytest.raises(ValueError, match="the pool has no IPv6 addresses"):
        pool.choose(pool.Pool(["10.0.0.1"]), ["IPv6"], "", ())


@given(st.lists(st.sampled_from(["", "10.0.0.1", "10.0.0.3", "10.0.0.77"]), max_size=12))
def test_no_address_is_given_twice(wishes: list[str]) -> None:
    made, taken = pool.Pool(["10.0.0.1-10.0.0.6"]), set[str]()
    for asked in wishes:
        try:
            (found,) = pool.choose(made, ["IPv4"], asked, taken)
        except ValueError:
            assert asked or len(taken) == 6
            continue
        assert found in made
        assert found not in taken
        taken.add(found)
