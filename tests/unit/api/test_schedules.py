from __future__ import annotations

import datetime
import zoneinfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pybernetes.api import schedules


def at(text: str, zone: str = "UTC") -> float:
    return datetime.datetime.fromisoformat(text).replace(tzinfo=zoneinfo.ZoneInfo(zone)).timestamp()


@pytest.mark.parametrize(
    ("spec", "after", "expected"),
    [
        ("* * * * *", "2026-01-01T00:00:00", "2026-01-01T00:01:00"),
        ("* * * * *", "2026-01-01T00:00:59", "2026-01-01T00:01:00"),
        ("*/15 * * * *", "2026-01-01T00:15:00", "2026-01-01T00:30:00"),
        ("5-10/5 3 * * *", "2026-01-01T03:05:00", "2026-01-01T03:10:00"),
        ("0 0 1 jan *", "2026-01-01T00:00:00", "2027-01-01T00:00:00"),
        ("0 0 29 2 *", "2026-01-01T00:00:00", "2028-02-29T00:00:00"),
        ("0 12 * * mon-fri", "2026-01-02T12:00:00", "2026-01-05T12:00:00"),
        # Neither day is `*`: either will do.
        ("0 0 13 * 5", "2026-01-01T00:00:00", "2026-01-02T00:00:00"),
        ("0 0 13 * *", "2026-01-01T00:00:00", "2026-01-13T00:00:00"),
        # `*/2` is no `*`.
        ("0 0 */2 * 1", "2026-01-01T00:00:00", "2026-01-03T00:00:00"),
        ("@hourly", "2026-01-01T00:30:00", "2026-01-01T01:00:00"),
        ("@weekly", "2026-01-01T00:00:00", "2026-01-04T00:00:00"),
        ("@monthly", "2026-01-31T00:00:00", "2026-02-01T00:00:00"),
        ("@every 90s", "2026-01-01T00:00:00", "2026-01-01T00:01:30"),
    ],
)
def test_the_next_time(spec: str, after: str, expected: str) -> None:
    assert schedules.parse(spec).next(at(after)) == at(expected)


def test_a_day_that_never_comes() -> None:
    assert schedules.parse("0 0 31 2 *").next(at("2026-01-01T00:00:00")) is None


def test_zones_decide_what_the_hour_is() -> None:
    schedule = schedules.parse("0 9 * * *", "Europe/Berlin")
    assert schedule.next(at("2026-07-01T00:00:00")) == at("2026-07-01T07:00:00")
    assert schedules.parse("TZ=Asia/Tokyo 0 9 * * *").next(at("2026-07-01T00:00:00")) == at("2026-07-02T00:00:00")
    with pytest.raises(schedules.ScheduleError, match="provided bad location Mars/Base"):
        schedules.parse("0 9 * * *", "Mars/Base")


def test_clock_changes_skip_and_repeat() -> None:
    nightly = schedules.parse("30 2 * * *", "Europe/Berlin")
    # 2026-03-29 goes from 2:00 to 3:00.
    assert nightly.next(at("2026-03-28T12:00:00")) == at("2026-03-30T02:30:00", "Europe/Berlin")
    # 2026-10-25 has 2:30 twice.
    first = nightly.next(at("2026-10-24T12:00:00"))
    assert first == at("2026-10-25T00:30:00")
    assert nightly.next(first) == at("2026-10-25T01:30:00")


@settings(max_examples=150, deadline=None)
@given(
    minute=st.sets(st.integers(0, 59), min_size=1, max_size=4),
    hour=st.sets(st.integers(0, 23), min_size=1, max_size=4),
    weekday=st.sets(st.integers(0, 6), min_size=1, max_size=3),
    after=st.integers(1_600_000_000, 1_900_000_000),
)
def test_the_next_time_fits_and_none_before_does(
    minute: set[int], hour: set[int], weekday: set[int], after: int
) -> None:
    def fits(moment: datetime.datetime) -> bool:
        return moment.minute in minute and moment.hour in hour and (moment.weekday() + 1) % 7 in weekday

    def listed(values: set[int]) -> str:
        return ",".join(map(str, sorted(values)))

    found = schedules.parse(f"{listed(minute)} {listed(hour)} * * {listed(weekday)}").next(after)
    assert found is not None
    assert found > after
    assert fits(datetime.datetime.fromtimestamp(found, datetime.UTC))
    moment = after // 60 * 60 + 60
    while moment < found:
        assert not fits(datetime.datetime.fromtimestamp(moment, datetime.UTC))
        moment += 60
