"""What a plugin remembers from the first round of admission for the second, in which only some are asked again."""

from __future__ import annotations

from typing import Any

import msgspec

from pybernetes.api import codecs


class Rounds(msgspec.Struct):
    """Who has been asked in the first round and wants to be asked again, and who is to be."""

    invoked: set[str] = msgspec.field(default_factory=set)
    due: set[str] = msgspec.field(default_factory=set)
    # The object as it was left, encoded.
    left: bytes = b""

    def require(self) -> None:
        """The object has changed since those were asked."""
        self.due |= self.invoked
        self.invoked = set()


def encoded(obj: Any) -> bytes:
    """To see whether an object has changed."""
    return b"" if obj is None else codecs.encode(obj)
