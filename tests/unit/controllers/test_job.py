from __future__ import annotations

from typing import Any

import pytest

from pybernetes.api.types import batch_v1, core_v1, meta_v1
from pybernetes.controllers.job import decide, indexes
from tests.fakes.cluster import FakeCluster

ONLY = "job-controller,ttl-after-finished-controller"


def job(**spec: Any) -> batch_v1.Job:
    labels = {"batch.kubernetes.io/controller-uid": "j1"}
    container = core_v1.Container(name="c", image="app")
    template = core_v1.PodTemplateSpec(
        metadata=meta_v1.ObjectMeta(labels=labels),
        spec=core_v1.PodSpec(containers=[container], restartPolicy="Never"),
    )
    defaults = {
        "parallelism": 1,
        "completions": 1,
        "backoffLimit": 6,
        "selector": meta_v1.LabelSelector(matchLabels=labels),
        "template": template,
    }
    meta = meta_v1.ObjectMeta(name="pi", namespace="default")
    return batch_v1.Job(metadata=meta, spec=batch_v1.JobSpec(**(defaults | spec)))  # type: ignore[arg-type]


def state(cluster: FakeCluster) -> batch_v1.Job:
    found: batch_v1.Job = cluster.api.find(batch_v1.Job, "pi", "default")
    return found


def running(cluster: FakeCluster) -> list[core_v1.Pod]:
    return [pod for pod in cluster.api.all(core_v1.Pod) if pod.status.phase == "Running"]


def told(cluster: FakeCluster) -> dict[str, tuple[str, str]]:
    return {c.type: (c.status, c.reason) for c in state(cluster).status.conditions}


async def test_completes_and_counts_each_pod_once() -> None:
    async with FakeCluster(only=ONLY) as cluster:
        await cluster.client.create(job(parallelism=2, completions=5))
        await cluster.settled()
        while pods := running(cluster):
            assert len(pods) <= 2
            assert all(pod.metadata.finalizers == ["batch.kubernetes.io/job-tracking"] for pod in pods)
            cluster.finish_pod(pods[0])
            await cluster.settled()
        status = state(cluster).status
        assert (status.succeeded, status.failed, status.active) == (5, 0, 0)
        assert told(cluster) == {
            "SuccessCriteriaMet": ("True", "CompletionsReached"),
            "Complete": ("True", "CompletionsReached"),
        }
        assert status.completionTime is not None
        assert status.uncountedTerminatedPods in (None, batch_v1.UncountedTerminatedPods())
        assert len(cluster.api.all(core_v1.Pod)) == 5
        assert not any(pod.metadata.finalizers for pod in cluster.api.all(core_v1.Pod))
        assert cluster.events("Completed") == ["Job completed"]


async def test_failures_back_off_and_end_at_the_limit() -> None:
    async with FakeCluster(only=ONLY) as cluster:
        await cluster.client.create(job(backoffLimit=2))
        await cluster.settled()
        cluster.finish_pod(running(cluster)[0], "Failed")
        await cluster.settled()
        assert not running(cluster)
        await cluster.clock.advance(11)
        cluster.finish_pod(running(cluster)[0], "Failed")
        await cluster.clock.advance(11)
        assert not running(cluster)
        await cluster.clock.advance(11)
        cluster.finish_pod(running(cluster)[0], "Failed")
        await cluster.settled()
        assert told(cluster)["Failed"] == ("True", "BackoffLimitExceeded")
        assert state(cluster).status.failed == 3
        assert "Job has reached the specified backoff limit" in cluster.events("BackoffLimitExceeded")


async def test_the_deadline_ends_it() -> None:
    async with FakeCluster(only=ONLY) as cluster:
        await cluster.client.create(job(activeDeadlineSeconds=30))
        await cluster.settled()
        await cluster.clock.advance(31)
        await cluster.settled()
        assert told(cluster)["Failed"] == ("True", "DeadlineExceeded")
        assert not running(cluster)


async def test_each_index_runs_once() -> None:
    async with FakeCluster(only=ONLY) as cluster:
        await cluster.client.create(job(completionMode="Indexed", parallelism=3, completions=3))
        await cluster.settled()
        assert sorted(pod.spec.hostname for pod in running(cluster)) == ["pi-0", "pi-1", "pi-2"]
        variable = running(cluster)[0].spec.containers[0].env[0]
        assert variable.name == "JOB_COMPLETION_INDEX"
        for pod in running(cluster):
            if pod.spec.hostname != "pi-1":
                cluster.finish_pod(pod)
        await cluster.settled()
        assert state(cluster).status.completedIndexes == "0,2"
        cluster.finish_pod(running(cluster)[0])
        await cluster.settled()
        assert state(cluster).status.completedIndexes == "0-2"
        assert told(cluster)["Complete"][0] == "True"


async def test_suspended_jobs_have_no_pods() -> None:
    async with FakeCluster(only=ONLY) as cluster:
        await cluster.client.create(job(suspend=True))
        await cluster.settled()
        assert told(cluster) == {"Suspended": ("True", "JobSuspended")}
        assert not cluster.api.all(core_v1.Pod)
        await cluster.client.patch(batch_v1.Job, "pi", "default", {"spec": {"suspend": False}})
        await cluster.settled()
        assert told(cluster) == {"Suspended": ("False", "JobResumed")}
        assert len(running(cluster)) == 1
        await cluster.client.patch(batch_v1.Job, "pi", "default", {"spec": {"suspend": True}})
        await cluster.settled()
        assert not cluster.api.all(core_v1.Pod)


async def test_adopts_matching_pods_and_releases_others() -> None:
    async with FakeCluster(only=ONLY) as cluster:
        await cluster.client.create(job())
        await cluster.settled()
        [pod] = running(cluster)
        cluster.api.change(pod, lambda copy: copy.metadata.ownerReferences.clear())
        await cluster.settled()
        [pod] = running(cluster)
        assert [reference.name for reference in pod.metadata.ownerReferences] == ["pi"]
        cluster.api.change(pod, lambda copy: copy.metadata.labels.clear())
        await cluster.settled()
        released = cluster.api.find(core_v1.Pod, pod.metadata.name, "default")
        assert (released.metadata.ownerReferences, released.metadata.finalizers) == ([], [])
        assert len(running(cluster)) == 2


async def test_pods_of_a_job_deleted_without_them_can_go() -> None:
    async with FakeCluster(only=ONLY) as cluster:
        await cluster.client.create(job())
        await cluster.settled()
        [pod] = running(cluster)
        gone = state(cluster)
        cluster.api.change(gone, lambda copy: setattr(copy.metadata, "deletionTimestamp", "2026-01-01T00:00:00Z"))
        cluster.api.change(pod, lambda copy: copy.metadata.ownerReferences.clear())
        await cluster.settled()
        assert running(cluster)[0].metadata.finalizers == []


def test_back_off_has_a_highest_value() -> None:
    assert decide.Backoff(failures=5000, last=100.0).left(100.0) == 600.0


async def test_finished_jobs_go_after_their_time() -> None:
    async with FakeCluster(only=ONLY) as cluster:
        await cluster.client.create(job(ttlSecondsAfterFinished=60))
        await cluster.settled()
        cluster.finish_pod(running(cluster)[0])
        await cluster.settled()
        assert state(cluster).metadata.deletionTimestamp is None
        await cluster.clock.advance(62)
        assert state(cluster).metadata.deletionTimestamp is not None


@pytest.mark.parametrize(
    ("text", "found"), [("", set()), ("0", {0}), ("0,1", {0, 1}), ("0-2,5,7-9", {0, 1, 2, 5, 7, 8, 9})]
)
def test_index_lists(text: str, found: set[int]) -> None:
    assert indexes.parse(text, 10) == found
    assert indexes.text_of(found) == text
