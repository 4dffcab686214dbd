"""Chance, injected: the only module that draws random numbers, so that a seeded run repeats itself."""

from __future__ import annotations

import os
import random
from collections.abc import MutableSequence, Sequence
from typing import Any, TypeVar

T = TypeVar("T")

# Without vowels and look-alikes, so that no name spells a word; upstream's alphabet for generated names.
NAME_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


class Chance:
    """A source of randomness: the operating system's, or a repeatable one when given a seed."""

    def __init__(self, seed: int | None = None) -> None:
        # Seeded from the system's entropy once: names and uids must differ, not withstand an attacker, and asking the
        # system for each costs as much as the rest of a write's bookkeeping. Secrets ask it (`token`).
        self._seeded = seed is not None
        self._random = random.Random(int.from_bytes(os.urandom(32), "big") if seed is None else seed)

    def uuid(self) -> str:
        """A version 4 UUID in its usual text form."""
        bits = self._random.getrandbits(128)
        bits = (bits & ~(0xF << 76)) | (4 << 76)
        bits = (bits & ~(0x3 << 62)) | (2 << 62)
        text = f"{bits:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

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
