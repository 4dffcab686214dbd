"""Chance, injected: the only module that draws random numbers, so that a seeded run repeats itself."""

from __future__ import annotations

import os
import random
import struct
from collections.abc import MutableSequence, Sequence
from typing import Any, TypeVar

T = TypeVar("T")

# Without vowels and look-alikes, so that no name spells a word; upstream's alphabet for generated names.
NAME_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
# Of a version 4 UUID's 128 bits, those that are not free, and what they are.
_FIXED, _VERSION = (0xF << 76) | (0x3 << 62), (0x4 << 76) | (0x2 << 62)
_UUID_BITS = 128
_GROUPS = struct.Struct("8s4s4s4s12s")


class Chance:
    """A source of randomness: the operating system's, or a repeatable one when given a seed."""

    def __init__(self, seed: int | None = None) -> None:
        # Seeded from the system's entropy once: names and uids must differ, not withstand an attacker, and asking the
        # system for each costs as much as the rest of a write's bookkeeping. Secrets ask it (`token`).
        self._seeded = seed is not None
        self._random = random.Random(int.from_bytes(os.urandom(32), "big") if seed is None else seed)

    def uuid(self) -> str:
        """A version 4 UUID in its usual text form."""
        text = f"{self._random.getrandbits(_UUID_BITS) & ~_FIXED | _VERSION:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def uuids(self, count: int) -> list[bytes]:
        """Many at a time, which is a third of the work. They are what `uuid` would give, the last of them first."""
        ones = ((1 << _UUID_BITS * count) - 1) // ((1 << _UUID_BITS) - 1)
        bits = self._random.getrandbits(_UUID_BITS * count)
        bits = (bits & ~(_FIXED * ones)) | (_VERSION * ones)
        digits = bits.to_bytes(_UUID_BITS // 8 * count, "big").hex().encode()
        return list(map(b"-".join, _GROUPS.iter_unpack(digits)))

    def suffix(self, length: int = 5) -> str:
        """Random characters as upstream appends them to `generateName`."""
        return "".join(self._random.choices(NAME_ALPHABET, k=length))

    def uniform(self, low: float, high: float) -> float:
        return self._random.uniform(low, high)

    def below(self, limit: int) -> int:
        """A whole number from 0 up to, not including, the limit."""
        return self._random.randrange(limit)

    def choice(self, items: Sequence[T]) -> T:
        return self._random.choice(items)

    def shuffle(self, items: MutableSequence[Any]) -> None:
        self._random.shuffle(items)

    def token(self, size: int) -> bytes:
        """Random bytes, fit for secrets unless the source is a repeatable one."""
        if not self._seeded:
            return os.urandom(size)
        return self._random.getrandbits(size * 8).to_bytes(size, "big")

    def jitter(self, seconds: float, factor: float) -> float:
        """The duration, lengthened by up to `factor` times itself."""
        return seconds * (1.0 + self._random.random() * factor)
