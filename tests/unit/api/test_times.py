from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.api import times


def test_forms() -> None:
    assert times.to_time(1_700_000_000.9) == "2023-11-14T22:13:20Z"
    assert times.to_micro_time(1_700_000_000.25) == "2023-11-14T22:13:20.250000Z"
    assert times.parse("2023-11-14T23:13:20+01:00") == 1_700_000_000.0


@given(st.integers(0, 4_000_000_000))
def test_what_is_written_is_read_back(seconds: int) -> None:
    assert times.parse(times.to_time(seconds)) == seconds
    assert times.parse(times.to_micro_time(seconds + 0.5)) == seconds + 0.5


@pytest.mark.parametrize("text", ["", "yesterday", "2023-13-01T00:00:00Z"])
def test_what_is_no_time_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        times.parse(text)
