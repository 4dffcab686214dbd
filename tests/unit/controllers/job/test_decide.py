"""Single steps of a Job: the Job and its pods in, intents out."""

from __future__ import annotations

from typing import Any

import pytest

from pybernetes.api import codecs, times
from pybernetes.api.types import batch_v1, core_v1, meta_v1
from pybernetes.controllers.job import backoff, counting, decide, indexes

NOW = times.parse("2026-01-01T12:00:00Z")
EARLIER = "2026-01-01T11:00:00Z"
NEVER: frozenset[str] = frozenset()


def job(status: dict[str, Any] | None = None, **spec: Any) -> batch_v1.Job:
    defaults = {"parallelism": 2, "completions": 4, "backoffLimit": 6}
    tree = {
        "metadata": {"name": "pi", "namespace": "ns", "uid": "j"},
        "spec": defaults | spec,
        "status": {"startTime": EARLIER} | (status or {}),
    }
    return codecs.from_tree(batch_v1.Job, tree)


def pod(
    name: str,
    phase: str = "Running",
    *,
    index: int | None = None,
    going: bool = False,
    held: bool = True,
    failures: int | None = None,
) -> core_v1.Pod:
    notes = {} if index is None else {indexes.ANNOTATION: str(index)}
    if failures is not None:
        notes[indexes.FAILURES] = str(failures)
    meta = meta_v1.ObjectMeta(
        name=name,
        namespace="ns",
        uid=name,
        annotations=notes,
        creationTimestamp=EARLIER,
        deletionTimestamp="2026-01-01T11:30:00Z" if going else None,
        finalizers=[counting.FINALIZER] if held else [],
    )
    return core_v1.Pod(metadata=meta, status=core_v1.PodStatus(phase=phase))


def step(of: batch_v1.Job, *pods: core_v1.Pod, freed: frozenset[str] = NEVER) -> decide.Decision:
    return decide.decide(of, list(pods), freed, backoff.Backoff(), NOW)


def names(pods: list[core_v1.Pod]) -> list[str]:
    return sorted(one.metadata.name for one in pods)


def told(decision: decide.Decision) -> dict[str, str]:
    return {condition.type: condition.reason for condition in decision.status.conditions}


def noted(decision: decide.Decision) -> tuple[list[str], list[str]]:
    uncounted = decision.status.uncountedTerminatedPods
    assert uncounted is not None
    return uncounted.succeeded, uncounted.failed


def test_a_finished_pod_is_noted_then_freed_then_counted() -> None:
    first = step(job(), pod("a", "Succeeded"), pod("b", "Failed"), pod("c"))
    assert (noted(first), names(first.free)) == ((["a"], ["b"]), ["a", "b"])
    assert (first.status.succeeded, first.status.failed, first.create) == (0, 0, 1)
    noted_before = {"uncountedTerminatedPods": {"succeeded": ["a"], "failed": ["b"]}}
    again = step(job(noted_before), pod("a", "Succeeded"), pod("b", "Failed"), pod("c"))
    assert (noted(again), names(again.free)) == ((["a"], ["b"]), ["a", "b"])
    freed = step(job(noted_before), pod("a", "Succeeded", held=False), pod("c"))
    assert (noted(freed), freed.status.succeeded, freed.status.failed) == (([], []), 1, 1)


def test_a_pod_that_is_known_to_be_free_counts_whatever_the_cache_shows() -> None:
    noted_before = {"uncountedTerminatedPods": {"succeeded": ["a"]}}
    decision = step(job(noted_before), pod("a", "Succeeded"), pod("c"), freed=frozenset({"a"}))
    assert (noted(decision), decision.status.succeeded, decision.free) == (([], []), 1, [])


def test_only_so_many_are_noted_at_a_time() -> None:
    decision = step(job(completions=2000), *(pod(f"p{number}", "Succeeded") for number in range(700)))
    assert (len(noted(decision)[0]), len(decision.free)) == (500, 500)
    assert decision.status.conditions == []


def test_only_so_many_are_created_or_dropped_at_a_time() -> None:
    assert step(job(parallelism=2000, completions=2000)).create == 500
    many = [pod(f"p{number}") for number in range(700)]
    assert len(step(job(parallelism=1, completions=2000), *many).drop) == 500


def test_what_is_too_much_is_dropped_before_anything_is_created() -> None:
    of = job(completionMode="Indexed", parallelism=3, completions=3)
    decision = step(of, pod("a", index=0), pod("b", index=0), pod("c", index=7), pod("d"))
    assert (len(decision.drop), decision.create) == (3, 0)
    assert {"c", "d"} < set(names(decision.drop))


@pytest.mark.parametrize(("policy", "create", "marks"), [("TerminatingOrFailed", 1, [1]), ("Failed", 0, [])])
def test_when_a_pod_that_is_going_is_replaced(policy: str, create: int, marks: list[int]) -> None:
    of = job(completionMode="Indexed", parallelism=2, completions=2, podReplacementPolicy=policy)
    decision = decide.decide(
        of, [pod("a", index=0), pod("b", index=1, going=True)], NEVER, backoff.Backoff(), NOW + 7200
    )
    assert (decision.create, [mark.index for mark in decision.marks]) == (create, marks)
    assert decision.status.terminating == 1


def test_success_by_policy_waits_for_the_others_to_go() -> None:
    rules = {"rules": [{"succeededIndexes": "0"}]}
    of = job(completionMode="Indexed", parallelism=3, completions=3, successPolicy=rules)
    met = step(of, pod("a", "Succeeded", index=0), pod("b", index=1), pod("c", index=2))
    assert (told(met), names(met.delete), names(met.free)) == (
        {"SuccessCriteriaMet": "SuccessPolicy"},
        ["b", "c"],
        ["a"],
    )
    of.status = met.status
    going = step(of, pod("b", index=1, going=True), pod("c", index=2, going=True))
    assert (names(going.free), noted(going), going.status.failed) == (["b", "c"], ([], []), 0)
    of.status = going.status
    done = step(of)
    assert told(done) == {"SuccessCriteriaMet": "SuccessPolicy", "Complete": "SuccessPolicy"}
    assert done.status.completionTime == "2026-01-01T12:00:00Z"


def test_a_failure_that_was_decided_is_not_changed_by_later_success() -> None:
    target = {"type": "FailureTarget", "status": "True", "reason": "BackoffLimitExceeded", "message": "m"}
    decision = step(job({"conditions": [target], "succeeded": 4}))
    assert told(decision) == {"FailureTarget": "BackoffLimitExceeded", "Failed": "BackoffLimitExceeded"}
    assert decision.events == [("Warning", "BackoffLimitExceeded", "m")]


def test_a_policy_comes_before_the_limit_and_that_before_the_deadline() -> None:
    rule = {"action": "FailJob", "onPodConditions": [{"type": "Bad", "status": "True"}]}
    bad = pod("a", "Failed")
    bad.status.conditions = [core_v1.PodCondition(type="Bad", status="True")]
    every = {"podFailurePolicy": {"rules": [rule]}, "backoffLimit": 0, "activeDeadlineSeconds": 1}
    assert told(step(job(**every), bad)) == {"FailureTarget": "PodFailurePolicy"}
    assert told(step(job(**every), pod("a", "Failed"))) == {"FailureTarget": "BackoffLimitExceeded"}
    assert told(step(job(**every))) == {"FailureTarget": "DeadlineExceeded", "Failed": "DeadlineExceeded"}


def test_the_last_failed_pod_of_an_index_stays_until_it_is_replaced() -> None:
    of = job(completionMode="Indexed", parallelism=1, completions=1, backoffLimitPerIndex=3, backoffLimit=2**31 - 1)
    kept = step(of, pod("a", "Failed", index=0, failures=0), pod("b", "Failed", index=0, failures=1))
    assert (names(kept.free), kept.marks) == (["a"], [indexes.Mark(0, failures=2)])
    replaced = step(of, pod("b", "Failed", index=0, failures=1), pod("c", index=0, failures=2))
    assert (names(replaced.free), noted(replaced)) == (["b"], ([], ["b"]))


def test_indexes_back_off_on_their_own() -> None:
    of = job(completionMode="Indexed", parallelism=3, completions=3, backoffLimitPerIndex=9, backoffLimit=2**31 - 1)
    failed = pod("a", "Failed", index=1, failures=0)
    failed.metadata.creationTimestamp = times.to_time(NOW - 4)
    decision = step(of, failed)
    assert ([mark.index for mark in decision.marks], decision.again) == ([0, 2], 6.0)


def test_restarts_in_place_count_towards_the_limit() -> None:
    of = job(backoffLimit=2, template={"spec": {"restartPolicy": "OnFailure", "containers": []}})
    running = pod("a")
    running.status.containerStatuses = [core_v1.ContainerStatus(name="c", restartCount=1)]
    assert told(step(of, running)) == {}
    running.status.containerStatuses[0].restartCount = 2
    assert told(step(of, running)) == {"FailureTarget": "BackoffLimitExceeded"}


def test_without_completions_one_success_ends_it_when_the_others_have() -> None:
    of = job(completions=None)
    assert step(of, pod("a", "Succeeded"), pod("b")).create == 0
    assert told(step(of, pod("a", "Succeeded"), pod("b"))) == {}
    assert told(step(of, pod("a", "Succeeded"))) == {"SuccessCriteriaMet": "CompletionsReached"}


def test_more_successes_than_asked_for_are_told() -> None:
    decision = step(job({"succeeded": 5}))
    assert [event[1] for event in decision.events] == ["TooManySucceededPods", "Completed"]


def test_a_job_that_is_going_lets_its_pods_go() -> None:
    of = job()
    of.metadata.deletionTimestamp = "2026-01-01T11:59:00Z"
    decision = step(of, pod("a"), pod("b", "Failed"), pod("c", held=False))
    assert (names(decision.free), decision.create, decision.delete) == (["a", "b"], 0, [])
    assert noted(decision) == ([], ["b"])
