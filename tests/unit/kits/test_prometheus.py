"""The text of metrics, read back by a strict reader."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.kits import prometheus
from tests.fakes import scrape


def test_buckets_add_up() -> None:
    timed = prometheus.Histogram((0.1, 1.0))
    for value in (0.05, 0.1, 0.5, 7.0):
        timed.observe(value)
    family = prometheus.Family("h", prometheus.HISTOGRAM, "Some.", [({"a": "b"}, timed)])
    assert prometheus.text([family]).splitlines() == [
        "# HELP h Some.",
        "# TYPE h histogram",
        'h_bucket{a="b",le="0.1"} 2',
        'h_bucket{a="b",le="1"} 3',
        'h_bucket{a="b",le="+Inf"} 4',
        'h_sum{a="b"} 7.65',
        'h_count{a="b"} 4',
    ]


def test_families_of_one_name_become_one() -> None:
    parts = [prometheus.Family("n_total", prometheus.COUNTER, "Some.", [({"of": of}, 1)]) for of in "ab"]
    assert prometheus.text(parts).count("# TYPE") == 1
    assert len(scrape.parse(prometheus.text(parts))) == 2


@given(st.text(), st.floats(allow_nan=False, allow_infinity=False) | st.integers())
def test_any_label_and_any_value(label: str, value: float) -> None:
    text = prometheus.text([prometheus.Family("g", prometheus.GAUGE, "Some\nlines.", [({"a": label}, value)])])
    ((_, labels), read), *rest = scrape.parse(text).items()
    assert not rest
    assert re.sub(r"\\(.)", lambda escape: "\n" if escape[1] == "n" else escape[1], labels[0][1]) == label
    assert read == pytest.approx(float(value))


def test_a_process_tells_of_itself() -> None:
    found = scrape.parse(prometheus.text(prometheus.process(5.0)))
    assert found["process_start_time_seconds", ()] == 5.0
    assert found["process_resident_memory_bytes", ()] > 1 << 20
    assert 0 < found["process_open_fds", ()] < found["process_max_fds", ()]
