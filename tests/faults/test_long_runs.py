"""Whatever happens for hours, a cluster keeps its promises, and is as it should be once it is left in peace.

`LONG_RUNS=100 .venv/bin/pytest tests/faults/test_long_runs.py` leads that many further lives, longer ones;
`LONG_RUNS_FROM=500` has their seeds begin there.
"""

from __future__ import annotations

import os

import pytest

from tests.faults import long_runs

MORE = int(os.environ.get("LONG_RUNS", "0"))
FIRST = int(os.environ.get("LONG_RUNS_FROM", "100"))
# Seed and steps.
LIVES = [(1, 12), (2, 12), (3, 12), (4, 12), *((FIRST + number, 60) for number in range(MORE))]


@pytest.mark.parametrize(("seed", "steps"), LIVES)
async def test_a_life(seed: int, steps: int) -> None:
    outcome = await long_runs.run(seed, steps=steps)
    assert outcome.problems == [], outcome.steps


async def test_a_seed_leads_the_same_life_again() -> None:
    one, other = [await long_runs.run(7, steps=8) for _ in range(2)]
    assert one.steps == other.steps
    assert one.log == other.log
