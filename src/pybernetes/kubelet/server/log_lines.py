"""The CRI log format, and what of a log a reader asked for. Pure.

A line is `2026-01-02T03:04:05.678901234Z stdout F text`; `P` instead of `F` marks a part of a longer line.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

from pybernetes.api import times

BLOCK = 64 * 1024


class Line(NamedTuple):
    time: str
    stream: str
    partial: bool
    text: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """`since` is in epoch seconds; `tail` and `limit_bytes` are None for all; `stream` is empty for both."""

    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    since: float = 0.0
    tail: int | None = None
    limit_bytes: int | None = None
    stream: str = ""


def parse(raw: bytes) -> Line | None:
    """A line without its newline; None where it is not in the format."""
    parts = raw.split(b" ", 3)
    if len(parts) < 3 or parts[1] not in (b"stdout", b"stderr"):
        return None
    tags = parts[2].split(b":")
    return Line(parts[0].decode(), parts[1].decode(), tags[0] == b"P", parts[3] if len(parts) > 3 else b"")


def _epoch(text: str) -> float:
    """Nanoseconds are more than Python's parser reads."""
    head, dot, tail = text.partition(".")
    digits = tail.rstrip("Z0123456789+-:") if dot else ""
    fraction = "".join(char for char in tail[:9] if char.isdigit()) if dot else ""
    zone = tail[len(fraction) :] if dot else ""
    try:
        return times.parse(f"{head}.{fraction[:6].ljust(6, '0')}{zone or 'Z'}" if dot and not digits else text)
    except ValueError:
        return 0.0


class Selector:
    """Turns raw lines into what the reader sees, keeping count of the bytes given out."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._left = options.limit_bytes
        self._within = not options.since
        self._mid_line = False

    @property
    def exhausted(self) -> bool:
        return self._left is not None and self._left <= 0

    def show(self, raws: Iterable[bytes]) -> bytes:
        """The bytes for these lines (without newlines)."""
        shown = bytearray()
        for raw in raws:
            line = parse(raw)
            if line is None or (self._options.stream and line.stream != self._options.stream):
                continue
            if not self._within:
                self._within = _epoch(line.time) >= self._options.since
                if not self._within:
                    continue
            if self._options.timestamps and not self._mid_line:
                shown += line.time.encode() + b" "
            shown += line.text
            if not line.partial:
                shown += b"\n"
            self._mid_line = line.partial
        if self._left is not None:
            del shown[self._left :]
            self._left -= len(shown)
        return bytes(shown)


def tail_offset(file: BinaryIO, lines: int) -> int:
    """Where the last so many lines begin."""
    end = file.seek(0, os.SEEK_END)
    if lines <= 0:
        return end
    # The newline that ends the last line is not one that begins another.
    wanted, at = lines + 1, end
    while at > 0:
        start = max(0, at - BLOCK)
        file.seek(start)
        block = file.read(at - start)
        found = block.count(b"\n")
        if found >= wanted:
            position = len(block)
            for _ in range(wanted):
                position = block.rindex(b"\n", 0, position)
            return start + position + 1
        wanted -= found
        at = start
    return 0


def split(buffer: bytearray) -> Iterator[bytes]:
    """Take the complete lines out of a buffer."""
    *complete, rest = bytes(buffer).split(b"\n")
    buffer[:] = rest
    yield from complete
