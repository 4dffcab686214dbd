"""Sets of completion indexes as Jobs write them: `0,3-5`, in increasing order and below the completions."""

from __future__ import annotations

import re

Interval = tuple[int, int]

_NUMBER = re.compile(r"[-+]?[0-9]+")


def count(text: str, completions: int) -> int:
    """How many indexes the text names. Raises ValueError with upstream's words."""
    total = 0
    last: int | None = None
    for part in text.split(",") if text else ():
        first, end = _interval(part, completions)
        if last is not None and last >= first:
            raise ValueError(f"non-increasing order, previous: {last}, current: {first}")
        total += end - first + 1
        last = end
    return total


def overlap(one: str, other: str, completions: int) -> int | None:
    """The first index that is in both; intervals that are none are passed over."""
    left, right = _valid(one, completions), _valid(other, completions)
    while left and right:
        if left[0][0] <= right[0][1] and right[0][0] <= left[0][1]:
            return max(left[0][0], right[0][0])
        (left if left[0][0] <= right[0][0] else right).pop(0)
    return None


def _valid(text: str, completions: int) -> list[Interval]:
    found = []
    for part in text.split(",") if text else ():
        try:
            found.append(_interval(part, completions))
        except ValueError:
            continue
    return found


def _interval(part: str, completions: int) -> Interval:
    ends = part.split("-")
    if len(ends) > 2:
        raise ValueError(
            f'the fragment "{part}" violates the requirement that an index interval can have at most two parts '
            "separated by '-'"
        )
    first = _index(ends[0], completions)
    if len(ends) == 1:
        return first, first
    last = _index(ends[1], completions)
    if first >= last:
        raise ValueError(f"non-increasing order, previous: {first}, current: {last}")
    return first, last


def _index(text: str, completions: int) -> int:
    if not _NUMBER.fullmatch(text):
        raise ValueError(f'cannot convert string to integer for index: "{text}"')
    if int(text) >= completions:
        raise ValueError(f'too large index: "{text}"')
    return int(text)
