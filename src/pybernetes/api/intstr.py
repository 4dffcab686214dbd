"""`int | str` fields: a port by number or name, an amount by count or percentage."""

from __future__ import annotations

import re

_percent = re.compile(r"([+-]?[0-9]+)%").fullmatch


def scaled(value: int | str, *, total: int, round_up: bool) -> int:
    """A count, with `25%` taken of the total. Raises ValueError with upstream's text."""
    if isinstance(value, int):
        return value
    match = _percent(value)
    if match is None:
        if value.endswith("%"):
            raise ValueError(f'invalid value for IntOrString: invalid value "{value}": invalid syntax')
        raise ValueError("invalid value for IntOrString: invalid type: string is not a percentage")
    product = int(match[1]) * total
    return -(-product // 100) if round_up else product // 100


def percent(value: int | str) -> int | None:
    """The number before a `%`; None where the value is none."""
    match = _percent(value) if isinstance(value, str) else None
    return int(match[1]) if match else None
