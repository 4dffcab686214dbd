"""Timestamps in the API's text forms. `metav1.Time` has whole seconds, `MicroTime` six digits; both are UTC."""

from __future__ import annotations

import functools
import re
from datetime import UTC, datetime


@functools.lru_cache(maxsize=64)
def _whole(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def to_time(seconds: float) -> str:
    """Epoch seconds -> `2026-01-02T03:04:05Z`."""
    return _whole(int(seconds))


def to_micro_time(seconds: float) -> str:
    """Epoch seconds -> `2026-01-02T03:04:05.678901Z`."""
    whole = int(seconds // 1)
    micro = round((seconds - whole) * 1e6)
    if micro == 1_000_000:
        whole, micro = whole + 1, 0
    return f"{_whole(whole)[:-1]}.{micro:06d}Z"


@functools.lru_cache(maxsize=4096)
def parse(text: str) -> float:
    """Either form, or any RFC 3339 time -> epoch seconds. Raises ValueError."""
    return datetime.fromisoformat(text).timestamp()


_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ns": 1e-9}
_PART = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_WHOLE = re.compile(rf"[-+]?(?:0|(?:{_PART.pattern})+)")
_BARE = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)")


def duration(text: str) -> float:
    """Seconds of one of Go's durations, such as `1m30s`; 0 for none. Raises ValueError, worded as Go words it."""
    if not text:
        return 0.0
    if not _WHOLE.fullmatch(text):
        what = "missing unit in duration" if _BARE.fullmatch(text) else "invalid duration"
        raise ValueError(f'time: {what} "{text}"')
    total = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    return -total if text.startswith("-") else total


def go_duration(seconds: float) -> str:
    """As Go prints a duration: `10s`, `1m20s`, `5m0s`, `1.5s`, `250ms`."""
    if seconds < 1:
        return f"{seconds * 1000:.6g}ms" if seconds else "0s"
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    tail = f"{rest:.9g}s"
    if hours:
        return f"{int(hours)}h{int(minutes)}m{tail}"
    return f"{int(minutes)}m{tail}" if minutes else tail
