"""Shuffle sharding: each flow is dealt a hand of queues, so that hardly any two flows share all of theirs."""

from __future__ import annotations

import hashlib


def flow_hash(schema: str, distinguisher: str) -> int:
    """64 bits that stand for a flow."""
    digest = hashlib.sha256(f"{schema}\0{distinguisher}".encode()).digest()
    return int.from_bytes(digest[:8], "little")


def hand(value: int, *, deck: int, size: int) -> list[int]:
    """`size` different queues out of `deck`, as the hash says."""
    dealt: list[int] = []
    for remaining in range(deck, deck - size, -1):
        value, card = divmod(value, remaining)
        # Count over the cards that have been dealt already.
        for taken in sorted(dealt):
            card += taken <= card
        dealt.append(card)
    return dealt
