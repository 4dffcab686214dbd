from __future__ import annotations

import pytest

from pybernetes.api.types import meta_v1
from pybernetes.apiserver.resources import cells


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "<invalid>"),
        (-1, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (201, "3m21s"),
        (600, "10m"),
        (3 * 3600 - 1, "179m"),
        (3 * 3600, "3h"),
        (3 * 3600 + 60, "3h1m"),
        (8 * 3600, "8h"),
        (47 * 3600, "47h"),
        (48 * 3600, "2d"),
        (50 * 3600, "2d2h"),
        (8 * 86400, "8d"),
        (2 * 365 * 86400, "2y"),
        (2 * 365 * 86400 + 86400, "2y1d"),
        (8 * 365 * 86400, "8y"),
    ],
)
def test_duration(seconds: float, text: str) -> None:
    assert cells.duration(seconds) == text


def test_since() -> None:
    assert cells.since(None, 0) == "<unknown>"
    assert cells.since("1970-01-01T00:01:00Z", 90) == "30s"


def test_labels_and_selectors() -> None:
    assert cells.labels({}) == "<none>"
    assert cells.labels({"b": "2", "a": "1"}) == "a=1,b=2"
    assert cells.selector(meta_v1.LabelSelector()) == "<none>"
    bad = meta_v1.LabelSelector(matchExpressions=[meta_v1.LabelSelectorRequirement(key="a", operator="Like")])
    assert cells.selector(bad) == "<error>"
    assert cells.boolean(None) == "<unset>"
    assert cells.boolean(False) == "False"
