"""How values are read from text."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.cluster.hyperkube import values


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("300ms", 0.3), ("1h30m", 5400), ("1.5s", 1.5), ("-2m", -120), ("1h0m0s", 3600), ("10us", 1e-5)],
)
def test_durations(text: str, seconds: float) -> None:
    assert values.seconds(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "5", "1d", "m", "1h 2m", "h1", "1.2.3s"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="must be a duration"):
        values.seconds(text)


@pytest.mark.parametrize(("text", "number"), [("0.1", 0.1), ("1", 1.0), (".5", 0.5), ("-2e-3", -0.002), ("3.", 3.0)])
def test_decimals(text: str, number: float) -> None:
    assert values.decimal(text) == number


@pytest.mark.parametrize("text", ["", "nan", "inf", "1_0", "e5", "0x1", "."])
def test_what_is_no_decimal(text: str) -> None:
    with pytest.raises(ValueError, match="must be a number"):
        values.decimal(text)


def test_networks_and_addresses() -> None:
    assert values.network("10.1.2.3/16") == "10.1.0.0/16"
    assert values.address("::1") == "::1"
    for bad in ("10.0.0.0/33", "here"):
        with pytest.raises(ValueError, match="must be a range"):
            values.network(bad)
    with pytest.raises(ValueError, match="one range only"):
        values.network("10.0.0.0/24,fd00::/108")
    with pytest.raises(ValueError, match="must be an IP address"):
        values.address("localhost")


def test_ports() -> None:
    assert values.ports("30000-32767") == (30000, 32767)
    assert values.ports("30000+100") == (30000, 30100)
    assert values.ports("80") == (80, 80)
    for bad in ("", "80-", "a-b", "1-2-3", "0-10", "20-10", "1-70000"):
        with pytest.raises(ValueError, match="port"):
            values.ports(bad)


def test_switches_numbers_and_lists() -> None:
    assert values.boolean("T")
    assert not values.boolean("0")
    assert values.listed("a, b,,c") == ["a", "b", "c"]
    with pytest.raises(ValueError, match="true or false"):
        values.boolean("yes")
    with pytest.raises(ValueError, match="whole number"):
        values.integer("1_000")


@given(st.text(max_size=20))
def test_any_text_is_read_or_refused(text: str) -> None:
    kinds = (values.BOOL, values.INT, values.FLOAT, values.DURATION, values.ADDRESS, values.NETWORKS, values.PORTS)
    for kind in kinds:
        with contextlib.suppress(ValueError):
            kind.read(text)
