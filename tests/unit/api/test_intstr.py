from __future__ import annotations

import pytest

from pybernetes.api import intstr


def test_scaled() -> None:
    assert intstr.scaled(3, total=10, round_up=True) == 3
    assert intstr.scaled("25%", total=10, round_up=True) == 3
    assert intstr.scaled("25%", total=10, round_up=False) == 2
    assert intstr.percent("25%") == 25
    assert intstr.percent(25) is None
    assert intstr.percent("http") is None


def test_neither_count_nor_percentage() -> None:
    with pytest.raises(ValueError, match="string is not a percentage"):
        intstr.scaled("many", total=1, round_up=True)
    with pytest.raises(ValueError, match='invalid value "x%"'):
        intstr.scaled("x%", total=1, round_up=True)
