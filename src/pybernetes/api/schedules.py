"""A CronJob's schedule: five fields, or a descriptor such as `@hourly`; what it says, and when it is due next. Pure.

The rules are those of the library that upstream uses (robfig/cron): a day matches by day of month and of week where
one of them is `*`, by either where neither is; times that a clock change skips are skipped, those it repeats are due
twice.
"""

from __future__ import annotations

import datetime
import functools
import re
import zoneinfo
from dataclasses import dataclass

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_BOUNDS: tuple[tuple[int, int, tuple[str, ...], int], ...] = (
    (0, 59, (), 0),
    (0, 23, (), 0),
    (1, 31, (), 0),
    (1, 12, _MONTHS, 1),
    (0, 6, _DAYS, 0),
)
_DESCRIPTORS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?)(ns|us|µs|ms|s|m|h)")
_duration = re.compile(rf"(?:{_PART.pattern})+").fullmatch
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
# A schedule that is not due within so many years never is.
YEARS = 5
MINUTE, HOUR = 60, 3600
_number = re.compile(r"[+-]?[0-9]+").fullmatch


class ScheduleError(ValueError):
    """A schedule that cannot be read."""


@dataclass(frozen=True, slots=True)
class Field:
    """The values that one of the five fields allows; `star` where it was `*`."""

    values: frozenset[int]
    star: bool


@dataclass(frozen=True, slots=True)
class Schedule:
    """Either `every` so many seconds, or when all five fields match in the zone."""

    every: int = 0
    fields: tuple[Field, ...] = ()
    zone: datetime.tzinfo = datetime.UTC

    def next(self, after: float) -> float | None:
        """The first time after that one (epoch seconds); None if there is none."""
        if self.every:
            return float(int(after) + self.every)
        minutes, hours, _, months, _ = self.fields
        at = int(after // MINUTE) * MINUTE + MINUTE
        last = after + YEARS * 366 * 24 * HOUR
        while at <= last:
            local = datetime.datetime.fromtimestamp(at, self.zone)
            if local.month not in months.values:
                year, month = divmod(local.year * 12 + local.month, 12)
                following = datetime.datetime(year, month + 1, 1, tzinfo=self.zone)
            elif not self._is_day(local):
                midnight = datetime.datetime(local.year, local.month, local.day, tzinfo=self.zone)
                following = midnight + datetime.timedelta(days=1)
            elif local.hour not in hours.values:
                at += HOUR - local.minute * MINUTE
                continue
            elif local.minute not in minutes.values:
                later = min((minute for minute in minutes.values if minute > local.minute), default=60)
                at += (later - local.minute) * MINUTE
                continue
            else:
                return float(at)
            # Where a clock change takes midnight away, the way leads on in any case.
            at = max(int(following.timestamp()), at + MINUTE)
        return None

    def _is_day(self, local: datetime.datetime) -> bool:
        _, _, of_month, _, of_week = self.fields
        by_month = local.day in of_month.values
        by_week = (local.weekday() + 1) % 7 in of_week.values
        return (by_month and by_week) if of_month.star or of_week.star else (by_month or by_week)


@functools.lru_cache(maxsize=256)
def parse(text: str, zone: str = "") -> Schedule:
    """The schedule, in the zone that its text names or else in that one (UTC). Raises ScheduleError, in upstream's
    words."""
    spec = text
    if spec.startswith(("TZ=", "CRON_TZ=")):
        word, _, spec = spec.partition(" ")
        zone = word.partition("=")[2]
        spec = spec.strip()
    if not spec:
        raise ScheduleError("empty spec string")
    where = zone_of(zone)
    if spec.startswith("@every "):
        return Schedule(every=_every(spec))
    if spec.startswith("@"):
        if spec not in _DESCRIPTORS:
            raise ScheduleError(f"unrecognized descriptor: {spec}")
        spec = _DESCRIPTORS[spec]
    parts = spec.split()
    if len(parts) != len(_BOUNDS):
        raise ScheduleError(f"expected exactly 5 fields, found {len(parts)}: [{' '.join(parts)}]")
    read = []
    for part, (low, high, words, first) in zip(parts, _BOUNDS, strict=True):
        ranges = [_range(expression, low, high, words, first) for expression in part.split(",")]
        values = frozenset(value for found in ranges for value in found.values)
        read.append(Field(values, any(found.star for found in ranges)))
    return Schedule(fields=tuple(read), zone=where)


def zone_of(name: str) -> datetime.tzinfo:
    """Raises ScheduleError for a zone that nobody knows."""
    if name in ("", "UTC", "Local"):
        return datetime.UTC
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ScheduleError(f"provided bad location {name}: unknown time zone {name}") from None


def _every(spec: str) -> int:
    value = spec.removeprefix("@every ")
    if not _duration(value):
        raise ScheduleError(f'failed to parse duration {spec}: time: invalid duration "{value}"')
    return max(int(sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(value))), 1)


def _value(text: str, words: tuple[str, ...], first: int) -> int:
    if text.lower() in words:
        return words.index(text.lower()) + first
    if not _number(text):
        raise ScheduleError(f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": invalid syntax')
    number = int(text)
    if number < 0:
        raise ScheduleError(f"negative number ({number}) not allowed: {text}")
    return number


def _range(expression: str, low: int, high: int, words: tuple[str, ...], first: int) -> Field:
    span, *steps = expression.split("/")
    ends = span.split("-")
    if ends[0] in ("*", "?"):
        start, end = low, high
    else:
        start = _value(ends[0], words, first)
        if len(ends) == 1:
            end = high if steps else start
        elif len(ends) == 2:
            end = _value(ends[1], words, first)
        else:
            raise ScheduleError(f"too many hyphens: {expression}")
    if len(steps) > 1:
        raise ScheduleError(f"too many slashes: {expression}")
    step = _value(steps[0], (), 0) if steps else 1
    if start < low:
        raise ScheduleError(f"beginning of range ({start}) below minimum ({low}): {expression}")
    if end > high:
        raise ScheduleError(f"end of range ({end}) above maximum ({high}): {expression}")
    if start > end:
        raise ScheduleError(f"beginning of range ({start}) beyond end of range ({end}): {expression}")
    if step == 0:
        raise ScheduleError(f"step of range should be a positive number: {expression}")
    return Field(frozenset(range(start, end + 1, step)), ends[0] in ("*", "?") and step == 1)
