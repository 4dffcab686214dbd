"""What a starting cluster tells whoever waits for it: lines of JSON from child to parent."""

from __future__ import annotations

import sys
from typing import IO, Any

import msgspec


class Step(msgspec.Struct):
    """`step` is "ready" when a process has done all it does at its start."""

    step: str
    text: str = ""
    failed: bool = False


def tell(step: str, text: str = "", *, failed: bool = False, to: IO[Any] | None = None) -> None:
    """Write a step; nobody need be listening any more."""
    out = to if to is not None else sys.stdout
    try:
        out.write(msgspec.json.encode(Step(step, text, failed)).decode() + "\n")
        out.flush()
    except (BrokenPipeError, ValueError):
        return


def read(line: bytes | str) -> Step | None:
    """A step from a line, None for any other output."""
    try:
        return msgspec.json.decode(line, type=Step)
    except msgspec.DecodeError:
        return None
