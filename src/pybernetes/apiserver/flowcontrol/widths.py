"""How many seats a request takes, and for how long after its answer: upstream's estimates."""

from __future__ import annotations

import math
from typing import NamedTuple

# A seat stands for so many bytes of a list; what is sent piece by piece counts as a megabyte at most.
BYTES_PER_SEAT = 100_000
STREAMED_AT_MOST = 1_000_000
MOST_OF_A_LIST, MOST_OF_A_WRITE = 100, 10
WATCHES_PER_SEAT = 10
EVENT_SECONDS = 0.005
# No request takes more than this share of its level.
LARGEST_SHARE = 0.15


class Width(NamedTuple):
    """`seats` while it runs; of a write, as many as `lingering` for `seconds` after it, for its watchers."""

    seats: int = 1
    lingering: int = 0
    seconds: float = 0.0

    @property
    def most(self) -> int:
        return max(self.seats, self.lingering)


ONE = Width()


def of_list(count: int, size: int, *, limit: int, single: bool, level: int) -> Width:
    """Of `count` objects of some `size` bytes, of which `limit` are wanted (0: all); `level` is the level's limit."""
    objects = 1 if single else min(count, limit) if limit else count
    seats = math.ceil(min(objects * size, STREAMED_AT_MOST) / BYTES_PER_SEAT)
    return Width(max(min(seats, MOST_OF_A_LIST, _share(level)), 1))


def of_write(watches: int, *, level: int) -> Width:
    """Of a change that so many watches are told of."""
    if watches < WATCHES_PER_SEAT:
        return ONE
    wanted = math.ceil(watches / WATCHES_PER_SEAT)
    lingering = max(min(wanted, MOST_OF_A_WRITE, _share(level)), 1)
    return Width(1, lingering, wanted * EVENT_SECONDS / lingering)


def _share(level: int) -> int:
    return math.ceil(level * LARGEST_SHARE)
