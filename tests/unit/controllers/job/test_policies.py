from __future__ import annotations

from typing import Any

import pytest

from pybernetes.api import codecs
from pybernetes.api.types import batch_v1, core_v1, meta_v1
from pybernetes.controllers.job import indexes, policies


def pod(*codes: int | None, init: int = 0, condition: str = "") -> core_v1.Pod:
    def ended(name: str, code: int | None) -> core_v1.ContainerStatus:
        state = core_v1.ContainerState()
        if code is not None:
            state.terminated = core_v1.ContainerStateTerminated(exitCode=code)
        return core_v1.ContainerStatus(name=name, state=state)

    status = core_v1.PodStatus(
        phase="Failed",
        containerStatuses=[ended(f"c{number}", code) for number, code in enumerate(codes)],
        initContainerStatuses=[ended("init", init)],
        conditions=[core_v1.PodCondition(type=condition, status="True")] if condition else [],
    )
    return core_v1.Pod(metadata=meta_v1.ObjectMeta(name="p", namespace="ns"), status=status)


def exits(action: str, operator: str, *values: int, container: str | None = None) -> dict[str, Any]:
    rule = {"operator": operator, "values": list(values)} | ({"containerName": container} if container else {})
    return {"action": action, "onExitCodes": rule}


def has(action: str, condition: str, status: str = "True") -> dict[str, Any]:
    return {"action": action, "onPodConditions": [{"type": condition, "status": status}]}


AT_1 = " matching FailJob rule at index 1"


def told(container: str, code: int) -> str:
    return f"Container {container} for pod ns/p failed with exit code {code} matching FailJob rule at index 0"


@pytest.mark.parametrize(
    ("rules", "failed", "action", "message"),
    [
        ([exits("FailJob", "In", 1, 2)], pod(2), "FailJob", told("c0", 2)),
        ([exits("FailJob", "In", 1)], pod(2), "", ""),
        ([exits("FailJob", "NotIn", 1)], pod(2), "FailJob", told("c0", 2)),
        ([exits("FailJob", "NotIn", 1)], pod(0), "", ""),
        ([exits("FailJob", "NotIn", 1)], pod(None), "", ""),
        ([exits("FailJob", "In", 5, container="c1")], pod(5, 1), "", ""),
        ([exits("FailJob", "In", 5, container="c1")], pod(1, 5), "FailJob", told("c1", 5)),
        ([exits("FailJob", "In", 7)], pod(1, init=7), "FailJob", told("init", 7)),
        ([exits("Count", "In", 3), exits("FailJob", "In", 3)], pod(3), "Count", ""),
        ([exits("FailIndex", "In", 3)], pod(3), "FailIndex", ""),
        ([has("Ignore", "DisruptionTarget")], pod(1, condition="DisruptionTarget"), "Ignore", ""),
        ([has("Ignore", "DisruptionTarget", "False")], pod(1, condition="DisruptionTarget"), "", ""),
        (
            [exits("Ignore", "In", 9), has("FailJob", "X")],
            pod(1, condition="X"),
            "FailJob",
            "Pod ns/p has condition X" + AT_1,
        ),
    ],
)
def test_the_first_rule_that_matches_decides(
    rules: list[dict[str, Any]], failed: core_v1.Pod, action: str, message: str
) -> None:
    policy = codecs.from_tree(batch_v1.PodFailurePolicy, {"rules": rules})
    assert policies.on_failure(policy, failed) == policies.Verdict(action, message)
    assert policies.on_failure(policy, failed).counts is (action != "Ignore")


def test_without_a_policy_every_failure_counts() -> None:
    assert policies.on_failure(None, pod(1)) == policies.Verdict()


@pytest.mark.parametrize(
    ("rules", "succeeded", "message"),
    [
        ([{"succeededCount": 2}], "0,5", "Matched rules at index 0"),
        ([{"succeededCount": 3}], "0,5", ""),
        ([{"succeededIndexes": "0,5"}], "0-5", "Matched rules at index 0"),
        ([{"succeededIndexes": "0-5"}], "0-4", ""),
        ([{"succeededIndexes": "0-5", "succeededCount": 2}], "4-9", "Matched rules at index 0"),
        ([{"succeededIndexes": "0-5", "succeededCount": 2}], "5-9", ""),
        ([{"succeededIndexes": "20-30"}], "0-9", ""),
        ([{"succeededIndexes": "oops"}], "0-9", ""),
        ([{"succeededCount": 9}, {"succeededIndexes": "1"}], "1", "Matched rules at index 1"),
        ([{"succeededCount": 0}], "", ""),
    ],
)
def test_success(rules: list[dict[str, Any]], succeeded: str, message: str) -> None:
    policy = codecs.from_tree(batch_v1.SuccessPolicy, {"rules": rules})
    assert policies.on_success(policy, indexes.parse(succeeded, 10), 10) == message
