"""One bisection, several metrics."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pybernetes.apiserver import durations
from pybernetes.kits import prometheus


@given(st.lists(st.floats(0, 100) | st.sampled_from(durations.ALL)), st.sampled_from(["REQUEST", "SERVICE", "FLOW"]))
def test_each_metric_is_as_if_it_had_been_counted_alone(seconds: list[float], name: str) -> None:
    bounds = getattr(durations, name)
    together, alone = durations.histogram(), prometheus.Histogram(bounds)
    for one in seconds:
        together.observe(one)
        alone.observe(one)
    shown = together.by(bounds)
    assert (shown.counts, shown.sum) == (alone.counts, alone.sum)
