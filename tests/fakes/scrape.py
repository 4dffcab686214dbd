"""Reads metrics as strictly as Prometheus' own linter: whoever scrapes must be able to make sense of every line."""

from __future__ import annotations

import re
from typing import NamedTuple

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"')
_SAMPLE = re.compile(rf"({_NAME})(?:\{{(.*)\}})? (\S+)")
_SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("",), "gauge": ("",)}
# Upstream's counters that are not called so.
_IRREGULAR = (
    "authentication_attempts",
    "apiserver_admission_webhook_fail_open_count",
    "apiserver_admission_webhook_rejection_count",
)


class Sample(NamedTuple):
    name: str
    labels: tuple[tuple[str, str], ...]
    value: float


def parse(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample by name and sorted labels. Raises AssertionError for what the format does not allow."""
    assert text.endswith("\n")
    found: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
    kinds: dict[str, str] = {}
    described: set[str] = set()
    current = ""
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            current = line.split(" ", 3)[2]
            assert current not in described, f"{current} is described twice"
            assert line.split(" ", 3)[3], f"{current} has no help"
            described.add(current)
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name == current, f"the type of {name} does not follow its help"
            kinds[name] = kind
        else:
            sample = _sample(line)
            assert sample.name in [current + end for end in _SUFFIXES[kinds[current]]], f"{line} is none of {current}"
            key = (sample.name, tuple(sorted(sample.labels)))
            assert key not in found, f"{line} comes twice"
            found[key] = sample.value
    for name, kind in kinds.items():
        assert (kind == "counter") == name.endswith("_total") or name in _IRREGULAR, name
        if kind == "histogram":
            _check_buckets(name, found)
    return found


def _sample(line: str) -> Sample:
    matched = _SAMPLE.fullmatch(line)
    assert matched is not None, f"not a sample: {line!r}"
    name, inner, value = matched.groups()
    labels = []
    while inner:
        label = _LABEL.match(inner)
        assert label is not None, f"not labels: {line!r}"
        labels.append((label[1], label[2]))
        inner = inner[label.end() :]
        assert not inner or inner.startswith(","), line
        inner = inner[1:]
    assert len({label for label, _ in labels}) == len(labels), line
    return Sample(name, tuple(labels), float(value))


def _check_buckets(name: str, found: dict[tuple[str, tuple[tuple[str, str], ...]], float]) -> None:
    """Cumulative, complete, and as many as are counted."""
    series: dict[tuple[tuple[str, str], ...], dict[float, float]] = {}
    for (sample, labels), value in found.items():
        if sample == f"{name}_bucket":
            rest = tuple(label for label in labels if label[0] != "le")
            series.setdefault(rest, {})[float(dict(labels)["le"])] = value
    for labels, buckets in series.items():
        counts = [buckets[bound] for bound in sorted(buckets)]
        assert counts == sorted(counts), f"{name} {labels} is not cumulative"
        assert counts[-1] == buckets[float("inf")] == found[f"{name}_count", labels]
        assert (f"{name}_sum", labels) in found
