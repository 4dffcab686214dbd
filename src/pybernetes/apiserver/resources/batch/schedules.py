"""The grammar of a CronJob's schedule: five fields, or a descriptor such as `@hourly`."""

from __future__ import annotations

import re

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_BOUNDS: tuple[tuple[int, int, tuple[str, ...], int], ...] = (
    (0, 59, (), 0),
    (0, 23, (), 0),
    (1, 31, (), 0),
    (1, 12, _MONTHS, 1),
    (0, 6, _DAYS, 0),
)
_DESCRIPTORS = frozenset(
    ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"),
)
_duration = re.compile(r"([0-9]+(\.[0-9]*)?(ns|us|µs|ms|s|m|h))+").fullmatch
_number = re.compile(r"[+-]?[0-9]+").fullmatch


class ScheduleError(ValueError):
    """A schedule that cannot be read."""


def check(text: str) -> None:
    """Raise ScheduleError with upstream's words where the schedule is none."""
    spec = text
    if spec.startswith(("TZ=", "CRON_TZ=")):
        _zone, _, spec = spec.partition(" ")
        spec = spec.strip()
    if not spec:
        raise ScheduleError("empty spec string")
    if spec.startswith("@"):
        _descriptor(spec)
        return
    parts = spec.split()
    if len(parts) != len(_BOUNDS):
        raise ScheduleError(f"expected exactly 5 fields, found {len(parts)}: [{' '.join(parts)}]")
    for part, (low, high, words, first) in zip(parts, _BOUNDS, strict=True):
        for expression in part.split(","):
            _range(expression, low, high, words, first)


def _descriptor(spec: str) -> None:
    if spec in _DESCRIPTORS:
        return
    if spec.startswith("@every "):
        value = spec.removeprefix("@every ")
        if not _duration(value):
            raise ScheduleError(f'failed to parse duration {spec}: time: invalid duration "{value}"')
        return
    raise ScheduleError(f"unrecognized descriptor: {spec}")


def _value(text: str, words: tuple[str, ...], first: int) -> int:
    if text.lower() in words:
        return words.index(text.lower()) + first
    if not _number(text):
        raise ScheduleError(f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": invalid syntax')
    number = int(text)
    if number < 0:
        raise ScheduleError(f"negative number ({number}) not allowed: {text}")
    return number


def _range(expression: str, low: int, high: int, words: tuple[str, ...], first: int) -> None:
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
