from __future__ import annotations

from typing import Any

import pytest

from pybernetes.api import codecs
from pybernetes.api.types import flowcontrol_v1
from pybernetes.apiserver.resources.flowcontrol import prioritylevelconfigurations as levels


def level(name: str = "p", **spec: Any) -> flowcontrol_v1.PriorityLevelConfiguration:
    made = codecs.from_tree(
        flowcontrol_v1.PriorityLevelConfiguration, {"metadata": {"name": name}, "spec": {"type": "Limited"} | spec}
    )
    levels.default(made)
    return made


QUEUE = {"limitResponse": {"type": "Queue", "queuing": {}}}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"limited": QUEUE}, []),
        ({}, ["spec.limited: Required value: must not be empty when type is Limited"]),
        (
            {"type": "Exempt"},
            ["spec.type: Invalid value: \"Exempt\": must be 'Exempt' if and only if `name` is 'exempt'"],
        ),
        (
            {"limited": {"limitResponse": {"type": "Queue", "queuing": {"queues": 1000, "handSize": 8}}}},
            [
                (
                    "spec.limited.limitResponse.queuing.handSize: Invalid value: 8: required "
                    "entropy bits of deckSize 1000 "
                    "and handSize 8 should not be greater than 60"
                )
            ],
        ),
        (
            {"limited": QUEUE | {"lendablePercent": 101}},
            ["spec.limited.lendablePercent: Invalid value: 101: must be between 0 and 100, inclusive"],
        ),
    ],
)
def test_validation(spec: dict[str, Any], expected: list[str]) -> None:
    assert [str(problem) for problem in levels.validate(level(**spec))] == expected


def test_defaults() -> None:
    limited = level(limited=QUEUE).spec.limited
    assert limited is not None
    assert limited.limitResponse.queuing is not None
    queuing = limited.limitResponse.queuing
    assert (limited.nominalConcurrencyShares, limited.lendablePercent) == (30, 0)
    assert (queuing.queues, queuing.handSize, queuing.queueLengthLimit) == (64, 8, 50)
