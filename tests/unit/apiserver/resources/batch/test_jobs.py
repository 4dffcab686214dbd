from __future__ import annotations

from typing import Any

import pytest

from pybernetes.api import codecs, schedules
from pybernetes.api.types import batch_v1
from pybernetes.apiserver.resources.batch import cronjobs, jobs

NOW = 1_767_225_660.0
START = "2026-01-01T00:00:00Z"
TEMPLATE = {"spec": {"containers": [{"name": "c", "image": "i"}], "restartPolicy": "Never"}}


def job(status: Any = None, **spec: Any) -> batch_v1.Job:
    meta = {"name": "j", "namespace": "d", "uid": "u-1", "creationTimestamp": START}
    tree = {"metadata": meta, "spec": {"template": TEMPLATE, **spec}, "status": status or {}}
    made = codecs.from_tree(batch_v1.Job, tree)
    jobs.default(made)
    jobs.prepare_create(made)
    return made


def problems(**spec: Any) -> list[str]:
    return [str(problem) for problem in jobs.validate(job(**spec))]


def test_defaults_and_generated_selector() -> None:
    made = job()
    spec = codecs.to_tree(made.spec)
    template = spec.pop("template")
    assert spec == {
        "parallelism": 1,
        "completions": 1,
        "backoffLimit": 6,
        "completionMode": "NonIndexed",
        "suspend": False,
        "podReplacementPolicy": "TerminatingOrFailed",
        "manualSelector": False,
        "selector": {"matchLabels": {"batch.kubernetes.io/controller-uid": "u-1"}},
    }
    assert template["metadata"]["labels"] == {
        "batch.kubernetes.io/controller-uid": "u-1",
        "controller-uid": "u-1",
        "batch.kubernetes.io/job-name": "j",
        "job-name": "j",
    }
    assert jobs.validate(made) == []


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (
            {"template": {"spec": {"containers": [{"name": "c", "image": "i"}]}}},
            ['spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"'],
        ),
        (
            {"completionMode": "Indexed", "parallelism": 1},
            ["spec.completions: Required value: when completion mode is Indexed"],
        ),
        (
            {"maxFailedIndexes": 1},
            [
                "spec.backoffLimitPerIndex: Required value: when maxFailedIndexes is specified",
                "spec.maxFailedIndexes: Invalid value: 1: requires indexed completion mode",
            ],
        ),
        (
            {"selector": {"matchLabels": {"a": "b"}}, "manualSelector": True},
            [
                "spec.template.metadata.labels: Invalid value: null: `selector` does not match template `labels`",
            ],
        ),
        (
            {"podFailurePolicy": {"rules": [{"action": "FailJob", "onExitCodes": {"operator": "In", "values": [0]}}]}},
            [
                (
                    "spec.podFailurePolicy.rules[0].onExitCodes.values[0]: Invalid value: 0: must not be 0 for the In "
                    "operator"
                )
            ],
        ),
    ],
)
def test_validation(spec: dict[str, Any], expected: list[str]) -> None:
    assert problems(**spec) == expected


def test_templates_are_immutable_unless_the_job_never_started() -> None:
    old, new = job(), job()
    new.spec.template.spec.nodeSelector = {"a": "b"}
    assert [p.field for p in jobs.validate_update(new, old)] == ["spec.template"]
    old.spec.suspend = True
    assert jobs.validate_update(new, old) == []
    new.spec.completions = 5
    assert [p.field for p in jobs.validate_update(new, old)] == ["spec.completions"]


def test_row() -> None:
    done = {
        "succeeded": 1,
        "startTime": START,
        "completionTime": "2026-01-01T00:00:07Z",
        "conditions": [{"type": "Complete", "status": "True"}],
    }
    assert list(jobs.row(job(done), NOW))[:5] == ["j", "Complete", "1/1", "7s", "60s"]
    assert list(jobs.row(job({"startTime": START}, parallelism=3), NOW))[1:4] == ["Running", "0/1 of 3", "60s"]


@pytest.mark.parametrize("text", ["* * * * *", "*/5 0-6,20 1 jan-mar MON", "@hourly", "@every 1h30m", "0 0 ? * 0"])
def test_schedules(text: str) -> None:
    schedules.parse(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty spec string"),
        ("* * *", r"expected exactly 5 fields, found 3: \[\* \* \*\]"),
        ("60 * * * *", r"end of range \(60\) above maximum \(59\): 60"),
        ("* * 0 * *", r"beginning of range \(0\) below minimum \(1\): 0"),
        ("5-1 * * * *", r"beginning of range \(5\) beyond end of range \(1\): 5-1"),
        ("*/0 * * * *", "step of range should be a positive number"),
        ("a * * * *", "failed to parse int from a"),
        ("@often", "unrecognized descriptor: @often"),
    ],
)
def test_wrong_schedules(text: str, words: str) -> None:
    with pytest.raises(schedules.ScheduleError, match=words):
        schedules.parse(text)


def test_cron_jobs() -> None:
    tree = {
        "metadata": {"name": "c", "namespace": "d", "creationTimestamp": START},
        "spec": {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": TEMPLATE}}},
    }
    made = codecs.from_tree(batch_v1.CronJob, tree)
    cronjobs.default(made)
    assert cronjobs.validate(made) == []
    assert list(cronjobs.row(made, NOW))[:7] == ["c", "* * * * *", "<none>", "False", 0, "<none>", "60s"]
    made.spec.timeZone = "Nowhere/Land"
    made.spec.schedule = "x"
    assert [p.field for p in cronjobs.validate(made)] == ["spec.schedule", "spec.timeZone"]
