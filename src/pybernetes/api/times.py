"""Timestamps in the API's text forms. `metav1.Time` has whole seconds, `MicroTime` six digits; both are UTC."""

from __future__ import annotations

import functools
from datetime import UTC, datetime


@functools.lru_cache(maxsize=64)
def _whole(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def to_time(seconds: float) -> str:
    """Epoch seconds -> `2026-01-02T03:04:05Z`."""
    return _whole(int(seconds))


def to_micro_time(seconds: float) -> str:
    """Epoch seconds -> `2026-01-02T03:04:05.678901Z`."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def parse(text: str) -> float:
    """Either form, or any RFC 3339 time -> epoch seconds. Raises ValueError."""
    return datetime.fromisoformat(text).timestamp()
