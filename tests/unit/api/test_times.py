from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.api import codecs, times, wording
from pybernetes.api.types import core_v1


def test_forms() -> None:
    assert times.to_time(1_700_000_000.9) == "2023-11-14T22:13:20Z"
    assert times.to_micro_time(1_700_000_000.25) == "2023-11-14T22:13:20.250000Z"
    assert times.parse("2023-11-14T23:13:20+01:00") == 1_700_000_000.0


def test_early_years_have_four_digits() -> None:
    assert times.to_time(-62_135_596_770) == "0001-01-01T00:00:30Z"
    assert times.to_micro_time(-62_135_596_770) == "0001-01-01T00:00:30.000000Z"


@given(st.integers(0, 4_000_000_000))
def test_what_is_written_is_read_back(seconds: int) -> None:
    assert times.parse(times.to_time(seconds)) == seconds
    assert times.parse(times.to_micro_time(seconds + 0.5)) == seconds + 0.5


@pytest.mark.parametrize("text", ["", "yesterday", "2023-13-01T00:00:00Z"])
def test_what_is_no_time_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        times.parse(text)


def _event(time: str) -> core_v1.Event:
    return codecs.from_tree(core_v1.Event, {"lastTimestamp": time})


@pytest.mark.parametrize(
    "text",
    ["2024-02-29T00:00:00Z", "2000-02-29T00:00:00.123456789+02:00", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"],
)
def test_objects_hold_times(text: str) -> None:
    times.parse(_event(text).lastTimestamp or "")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "garbage",
        "2023-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2023-01-01",
        "2023-01-01T24:00:00Z",
        "0000-01-01T00:00:00Z",
    ],
)
def test_and_nothing_else(text: str) -> None:
    with pytest.raises(codecs.DecodeError) as caught:
        _event(text)
    assert wording.unmarshal(core_v1.Event, str(caught.value)).startswith("lastTimestamp: parsing time: cannot parse")


@given(st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?Z", fullmatch=True))
def test_what_is_held_can_be_parsed(text: str) -> None:
    try:
        event = _event(text)
    except codecs.DecodeError:
        return
    times.parse(event.lastTimestamp or "")


@pytest.mark.parametrize(
    ("text", "seconds"), [("", 0), ("5s", 5), ("1m30s", 90), ("1.5s", 1.5), ("100ms", 0.1), ("-5s", -5), ("0", 0)]
)
def test_durations_as_go_writes_them(text: str, seconds: float) -> None:
    assert times.duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "why"), [("5", "missing unit in duration"), ("5 seconds", "invalid duration"), ("s", "invalid duration")]
)
def test_what_is_no_duration(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=f'^time: {why} "{text}"$'):
        times.duration(text)
