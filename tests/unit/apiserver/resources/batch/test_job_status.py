from __future__ import annotations

from typing import Any

import pytest

from pybernetes.api import codecs
from pybernetes.api.types import batch_v1
from pybernetes.apiserver.resources.batch import job_status

START, END = "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z"
MET = {"type": "SuccessCriteriaMet", "status": "True"}
COMPLETE = {"type": "Complete", "status": "True"}
FAILED = {"type": "Failed", "status": "True"}
TARGET = {"type": "FailureTarget", "status": "True"}
DONE = {"startTime": START, "completionTime": END, "conditions": [MET, COMPLETE], "succeeded": 1}


def job(spec: dict[str, Any], status: dict[str, Any]) -> batch_v1.Job:
    return codecs.from_tree(batch_v1.Job, {"metadata": {"name": "j"}, "spec": spec, "status": status})


INDEXED = {"completionMode": "Indexed", "completions": 5, "parallelism": 5, "backoffLimitPerIndex": 1}
OVERLAP = 'status.failedIndexes: Invalid value: "2": failedIndexes and completedIndexes overlap at index: 2'

WITHOUT_TARGET = (
    "status.conditions: Invalid value: cannot set Failed=True condition without the FailureTarget=true condition"
)
INCOMPLETE = (
    f'status.completionTime: Invalid value: "{END}": cannot set completionTime when there is no Complete=True condition'
)


@pytest.mark.parametrize(
    ("old", "new", "spec", "expected"),
    [
        ({"startTime": START}, DONE, {}, []),
        ({}, {"startTime": START, "conditions": [TARGET, FAILED], "failed": 1}, {}, []),
        (
            {"startTime": START},
            {"startTime": START, "conditions": [FAILED]},
            {},
            [
                WITHOUT_TARGET,
            ],
        ),
        (
            DONE,
            {**DONE, "conditions": [MET]},
            {},
            [
                "status.conditions: Invalid value: cannot disable the terminal Complete=True condition",
                INCOMPLETE,
            ],
        ),
        (
            {"startTime": START, "succeeded": 2, "failed": 2},
            {"startTime": START, "succeeded": 1, "failed": 1},
            {},
            [
                "status.failed: Invalid value: 1: cannot decrease the failed counter",
                "status.succeeded: Invalid value: 1: cannot decrease the succeeded counter",
            ],
        ),
        ({"succeeded": 2}, {"succeeded": 1}, INDEXED, []),
        ({}, {"completedIndexes": "0-2", "failedIndexes": "3"}, INDEXED, []),
        ({}, {"completedIndexes": "0-2", "failedIndexes": "2"}, INDEXED, [OVERLAP]),
        (
            {},
            {"completedIndexes": "0-9"},
            INDEXED,
            [
                'status.completedIndexes: Invalid value: "0-9": error parsing completedIndexes: too large index: "9"',
            ],
        ),
        (
            {},
            {"ready": 2, "active": 1},
            {},
            ["status.ready: Invalid value: 2: cannot set more ready pods than active"],
        ),
        (
            {"startTime": START},
            {"startTime": END},
            {},
            [f'status.startTime: Invalid value: "{END}": field is immutable for unsuspended job once set'],
        ),
        ({"startTime": START}, {}, {"suspend": True}, []),
        (
            {},
            {"uncountedTerminatedPods": {"succeeded": ["a", ""], "failed": ["a"]}},
            {},
            [
                'status.uncountedTerminatedPods.succeeded[1]: Invalid value: "": must not be empty',
                'status.uncountedTerminatedPods.failed[0]: Duplicate value: "a"',
            ],
        ),
    ],
)
def test_what_a_controller_may_claim(
    old: dict[str, Any], new: dict[str, Any], spec: dict[str, Any], expected: list[str]
) -> None:
    assert [str(problem) for problem in job_status.validate(job(spec, new), job(spec, old))] == expected
