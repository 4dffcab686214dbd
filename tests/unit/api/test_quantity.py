from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.api import codecs, quantity
from pybernetes.api.types import core_v1


@pytest.mark.parametrize(
    ("given_text", "canonical"),
    [
        ("1", "1"),
        ("0", "0"),
        ("0Gi", "0"),
        ("-0", "0"),
        ("0.5", "500m"),
        (".5", "500m"),
        ("1.", "1"),
        ("1000m", "1"),
        ("1500M", "1500M"),
        ("1024Ki", "1Mi"),
        ("1.5Gi", "1536Mi"),
        ("1000Ki", "1000Ki"),
        ("1025Ki", "1025Ki"),
        ("0.1Ki", "102400m"),
        ("100000000", "100M"),
        ("12e6", "12e6"),
        ("12000e3", "12e6"),
        ("1E", "1E"),
        ("1Ei", "1Ei"),
        ("0.1n", "1n"),
        ("+5", "5"),
        ("-5m", "-5m"),
        (" 2Gi ", "2Gi"),
    ],
)
def test_canonical_text(given_text: str, canonical: str) -> None:
    assert quantity.Quantity.parse(given_text) == canonical


@pytest.mark.parametrize("text", ["", "abc", "1x", "1Zi", "1.2.3", "1 Gi", "1Gib", "0.1am"])
def test_wrong_shape(text: str) -> None:
    with pytest.raises(ValueError, match="quantities must match the regular expression"):
        quantity.Quantity.parse(text)


@pytest.mark.parametrize("text", ["1e", "1mm", "--1", "1i", "1kk"])
def test_wrong_suffix(text: str) -> None:
    with pytest.raises(ValueError, match="unable to parse quantity's suffix"):
        quantity.Quantity.parse(text)


def test_rounding_is_away_from_zero() -> None:
    assert quantity.Quantity.parse("1500m").as_int() == 2
    assert quantity.Quantity.parse("-1500m").as_int() == -2
    assert quantity.Quantity.parse("100u").milli() == 1


def test_numbers_decode_to_canonical_text() -> None:
    pod = codecs.decode(
        core_v1.Pod,
        b'{"spec":{"containers":[{"name":"a","resources":{"limits":{"cpu":0.5,"memory":"1024Mi","x/y":2}}}]}}',
    )
    assert pod.spec.containers[0].resources.limits == {"cpu": "500m", "memory": "1Gi", "x/y": "2"}


def test_text_comparison_is_refused() -> None:
    with pytest.raises(TypeError):
        _ = quantity.Quantity("9") < quantity.Quantity("10")
    with pytest.raises(TypeError):
        _ = quantity.Quantity("9") + quantity.Quantity("10")
    assert quantity.compare("9", "10") == -1
    assert quantity.compare("1Gi", "1024Mi") == 0


def test_sum_keeps_the_left_form() -> None:
    assert quantity.add("1Gi", "1M") == "1074741824"
    assert quantity.add("1Gi", "512Mi") == "1536Mi"
    assert quantity.add("0", "512Mi") == "512Mi"
    assert quantity.sub("1", "250m") == "750m"
    assert quantity.total(["100m", "900m"]) == "1"
    q = quantity.Quantity
    assert quantity.add_all({"cpu": q("1")}, {"cpu": q("1"), "memory": q("1Ki")}) == {"cpu": "2", "memory": "1Ki"}
    assert quantity.max_all({"cpu": q("1")}, {"cpu": q("500m"), "memory": q("1Ki")}) == {"cpu": "1", "memory": "1Ki"}


amounts = st.builds(
    lambda number, power, suffix: (number, power, suffix),
    st.integers(-(10**12), 10**12),
    st.integers(0, 6),
    st.sampled_from(["", "m", "u", "n", "k", "M", "G", "Ki", "Mi", "Gi", "e3", "e-3", "E2"]),
).map(lambda t: f"{'-' if t[0] < 0 else ''}{abs(t[0]) / 1:.0f}.{'5' * t[1]}{t[2]}")


@given(amounts)
def test_parsing_is_idempotent_and_keeps_the_amount(text: str) -> None:
    once = quantity.Quantity.parse(text)
    assert quantity.Quantity.parse(once) == once
    exact = quantity._read(text)[0]
    assert once.value() == exact
    assert once.as_int() == (math.ceil(exact) if exact > 0 else math.floor(exact))


@given(amounts, amounts)
def test_addition_is_exact(left: str, right: str) -> None:
    a, b = quantity.Quantity.parse(left), quantity.Quantity.parse(right)
    assert quantity.add(a, b).value() == a.value() + b.value()
    assert quantity.sub(quantity.add(a, b), b).value() == a.value()
    assert quantity.compare(a, b) == -quantity.compare(b, a)


@given(st.integers(-(10**15), 10**15), st.integers(1, 10**9))
def test_of_rounds_below_a_nano_up(number: int, parts: int) -> None:
    made = quantity.Quantity.of(Fraction(number, parts))
    assert abs(made.value()) - abs(Fraction(number, parts)) < Fraction(1, 10**9)
