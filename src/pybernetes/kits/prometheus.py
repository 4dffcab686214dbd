"""Metrics and their text: counts as plain numbers where things happen, families of them when somebody asks.

Whoever counts keeps ints, `Histogram`s or dicts of them; a family is put together from these at a scrape alone, so that
nothing but an addition is paid for beforehand. The text is Prometheus' format 0.0.4.
"""

from __future__ import annotations

import math
import os
import resource
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
COUNTER, GAUGE, HISTOGRAM = "counter", "gauge", "histogram"


class Histogram:
    """How often a value came up to each of the `bounds`, which ascend; `counts` has one more, for what is above."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def by(self, bounds: Sequence[float]) -> Histogram:
        """The same by some of its bounds alone."""
        shown = Histogram(bounds)
        for bound, count in zip((*self.bounds, math.inf), self.counts, strict=True):
            shown.counts[bisect_left(bounds, bound)] += count
        shown.sum = self.sum
        return shown

    def add(self, other: Histogram) -> None:
        """Count what another of the same bounds has."""
        self.counts = [mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True)]
        self.sum += other.sum


Labels = Mapping[str, str]


class Family(NamedTuple):
    """All samples of one metric. Those of a histogram are `Histogram`s."""

    name: str
    kind: str
    help: str
    samples: Iterable[tuple[Labels, float | Histogram]]


class Counts:
    """A counter for each combination of the values of its labels."""

    def __init__(self, name: str, help_: str, *labels: str) -> None:
        self._name, self._help, self._labels = name, help_, labels
        self._numbers: dict[tuple[str, ...], float] = {}

    def add(self, *values: str, by: float = 1) -> None:
        self._numbers[values] = self._numbers.get(values, 0) + by

    def families(self) -> Iterator[Family]:
        samples = [(dict(zip(self._labels, at, strict=True)), number) for at, number in self._numbers.items()]
        yield Family(self._name, COUNTER, self._help, samples)


class Timings:
    """A histogram for each combination of the values of its labels."""

    def __init__(self, name: str, help_: str, bounds: Sequence[float], *labels: str) -> None:
        self._name, self._help, self._bounds, self._labels = name, help_, bounds, labels
        self._timed: dict[tuple[str, ...], Histogram] = {}

    def observe(self, value: float, *values: str) -> None:
        timed = self._timed.get(values)
        if timed is None:
            timed = self._timed[values] = Histogram(self._bounds)
        timed.observe(value)

    def totals(self, name: str, help_: str) -> Family:
        """How many there were, as a counter of its own."""
        samples = [(dict(zip(self._labels, at, strict=True)), sum(timed.counts)) for at, timed in self._timed.items()]
        return Family(name, COUNTER, help_, samples)

    def families(self) -> Iterator[Family]:
        samples = [(dict(zip(self._labels, at, strict=True)), timed) for at, timed in self._timed.items()]
        yield Family(self._name, HISTOGRAM, self._help, samples)


def exponential(first: float, factor: float, count: int) -> tuple[float, ...]:
    """Bounds, each so many times the one before."""
    bounds = [first]
    while len(bounds) < count:
        bounds.append(bounds[-1] * factor)
    return tuple(bounds)


def text(families: Iterable[Family]) -> str:
    """Families of one name become one, under the first one's help."""
    merged: dict[str, list[Family]] = {}
    for family in families:
        merged.setdefault(family.name, []).append(family)
    lines: list[str] = []
    for name, parts in merged.items():
        lines.append(f"# HELP {name} {_help(parts[0].help)}")
        lines.append(f"# TYPE {name} {parts[0].kind}")
        for part in parts:
            for labels, value in part.samples:
                if isinstance(value, Histogram):
                    lines += _buckets(name, _pairs(labels), value)
                else:
                    lines.append(_line(name, _pairs(labels), value))
    return "\n".join(lines) + "\n"


def process(started: float) -> Iterator[Family]:
    """What the process costs; `started` is in seconds since the epoch."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    size, resident = _memory()
    for name, kind, help_, value in (
        (
            "process_cpu_seconds_total",
            COUNTER,
            "Total user and system CPU time spent in seconds.",
            round(usage.ru_utime + usage.ru_stime, 3),
        ),
        ("process_max_fds", GAUGE, "Maximum number of open file descriptors.", _most_files()),
        ("process_open_fds", GAUGE, "Number of open file descriptors.", len(os.listdir("/proc/self/fd"))),
        ("process_resident_memory_bytes", GAUGE, "Resident memory size in bytes.", resident),
        ("process_start_time_seconds", GAUGE, "Start time of the process since unix epoch in seconds.", started),
        ("process_virtual_memory_bytes", GAUGE, "Virtual memory size in bytes.", size),
    ):
        yield Family(name, kind, help_, [({}, value)])


def _most_files() -> int:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def _memory() -> tuple[int, int]:
    with open("/proc/self/statm", encoding="ascii") as file:
        pages = file.read().split()
    size = os.sysconf("SC_PAGE_SIZE")
    return int(pages[0]) * size, int(pages[1]) * size


def _buckets(name: str, pairs: list[str], histogram: Histogram) -> Iterator[str]:
    total = 0
    for bound, count in zip((*histogram.bounds, math.inf), histogram.counts, strict=True):
        total += count
        yield _line(f"{name}_bucket", [*pairs, f'le="{_number(bound)}"'], total)
    yield _line(f"{name}_sum", pairs, histogram.sum)
    yield _line(f"{name}_count", pairs, total)


def _pairs(labels: Labels) -> list[str]:
    return [f'{name}="{_escaped(value)}"' for name, value in labels.items()]


def _line(name: str, pairs: list[str], value: float) -> str:
    return f"{name}{{{','.join(pairs)}}} {_number(value)}" if pairs else f"{name} {_number(value)}"


def _number(value: float) -> str:
    if isinstance(value, int):
        return str(value)
    if math.isinf(value) or math.isnan(value):
        return {math.inf: "+Inf", -math.inf: "-Inf"}.get(value, "NaN")
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def _escaped(value: str) -> str:
    if "\\" not in value and '"' not in value and "\n" not in value:
        return value
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _help(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")
