"""Which number to give next: of a range of addresses or ports, a free one at random.

The upper part of a range is given out first, so that the lower is left to those who ask for a number by name. A look
for a free one costs the logarithm of how many are used, however full the range is.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pybernetes.kits import chance as chances


class Span(NamedTuple):
    """First and last number; from `boundary` on they are given to who asks for any. Empty where `last` is before."""

    first: int
    boundary: int
    last: int


def divided(first: int, last: int, *, size: int, step: int, most: int) -> Span:
    """Upstream's division: a `step`-th of `size` is the lower part, but 16 at least and `most` at most."""
    lower = 0 if size <= 16 else min(max(16, size // step), most)
    return Span(first, first + lower, last)


class Used:
    """Numbers in use."""

    def __init__(self, numbers: Iterable[int] = ()) -> None:
        self._sorted = sorted(set(numbers))

    def __contains__(self, number: int) -> bool:
        index = bisect.bisect_left(self._sorted, number)
        return index < len(self._sorted) and self._sorted[index] == number

    def __len__(self) -> int:
        return len(self._sorted)

    def add(self, number: int) -> None:
        if number not in self:
            bisect.insort(self._sorted, number)

    def discard(self, number: int) -> None:
        if number in self:
            del self._sorted[bisect.bisect_left(self._sorted, number)]

    def next_free(self, number: int) -> int:
        """The first number from this one on that nobody has."""
        found = self._sorted
        index = bisect.bisect_left(found, number)
        if index == len(found) or found[index] != number:
            return number
        # In a run of numbers without a gap, the difference to the index stays; it grows with each gap.
        shift = number - index
        length = bisect.bisect_right(range(index, len(found)), shift, key=lambda at: found[at] - at)
        return number + length


def candidates(span: Span, used: Used, chance: chances.Chance) -> Iterator[int]:
    """All free numbers of the span, each once; those that have come to be used meanwhile are left out."""
    for first, last in ((span.boundary, span.last), (span.first, min(span.boundary - 1, span.last))):
        if first <= last:
            start = first + chance.below(last - first + 1)
            yield from _free(used, start, last)
            yield from _free(used, first, start - 1)


def _free(used: Used, at: int, last: int) -> Iterator[int]:
    while (number := used.next_free(at)) <= last:
        yield number
        at = number + 1
