"""How much is logged, as the components' `-v` counts it; it may change while a process runs."""

from __future__ import annotations

import logging

# From here on everything is logged.
DEBUG_FROM = 4


def parse(text: str) -> int:
    """Raises ValueError, worded as Go words it."""
    if not (text.isascii() and text.isdecimal()):
        raise ValueError(f'strconv.ParseUint: parsing "{text}": invalid syntax')
    number = int(text)
    if number >= 1 << 32:
        raise ValueError(f'strconv.ParseUint: parsing "{text}": value out of range')
    return number


def level(verbosity: int) -> int:
    """What it is to Python's logging."""
    return logging.DEBUG if verbosity >= DEBUG_FROM else logging.INFO


def change(verbosity: int) -> None:
    logging.getLogger().setLevel(level(verbosity))


def current() -> int:
    """As near as Python's logging keeps it."""
    return DEBUG_FROM if logging.getLogger().getEffectiveLevel() <= logging.DEBUG else 0
