from __future__ import annotations

from typing import Any

import pytest

from pybernetes.api import codecs, errors, times
from pybernetes.api.types import batch_v1, core_v1, meta_v1
from pybernetes.client import Call
from pybernetes.controllers.job import indexes
from pybernetes.testing import Cluster
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
        prefix = "job_controller_"
        assert cluster.counted(f"{prefix}jobs_finished_total") == {"NonIndexed CompletionsReached succeeded": 1}
        assert cluster.counted(f"{prefix}job_pods_finished_total")["NonIndexed succeeded"] == 5
        assert cluster.counted(f"{prefix}job_pods_creation_total") == {"new succeeded": 5}
        assert cluster.counted(f"{prefix}terminated_pods_tracking_finalizer_total") == {"add": 5, "delete": 5}
        synced = cluster.counted(f"{prefix}job_syncs_total")
        assert synced["pods_created NonIndexed success"] == 4
        assert synced == cluster.counted(f"{prefix}job_sync_duration_seconds_count")


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


async def test_finished_jobs_go_after_their_time() -> None:
    async with FakeCluster(only=ONLY) as cluster:
        await cluster.client.create(job(ttlSecondsAfterFinished=60))
        await cluster.settled()
        cluster.finish_pod(running(cluster)[0])
        await cluster.settled()
        assert state(cluster).metadata.deletionTimestamp is None
        await cluster.clock.advance(62)
        assert state(cluster).metadata.deletionTimestamp is not None


def fail(cluster: FakeCluster, pod: core_v1.Pod, code: int = 1, **condition: str) -> None:
    """Have the pod's container end with that code now."""
    ended = core_v1.ContainerStateTerminated(exitCode=code, finishedAt=times.to_time(cluster.clock.time()))
    status = core_v1.ContainerStatus(name="c", state=core_v1.ContainerState(terminated=ended))

    def edit(copy: core_v1.Pod) -> None:
        copy.status.phase, copy.status.containerStatuses = "Failed", [status]
        copy.status.conditions = [core_v1.PodCondition(**condition)] if condition else []

    cluster.api.change(pod, edit)


def by_index(cluster: FakeCluster) -> dict[int, core_v1.Pod]:
    return {int(pod.metadata.labels[indexes.ANNOTATION]): pod for pod in running(cluster)}


def failure_policy(*rules: dict[str, Any]) -> batch_v1.PodFailurePolicy:
    return codecs.from_tree(batch_v1.PodFailurePolicy, {"rules": list(rules)})


ON_42 = {"onExitCodes": {"operator": "In", "values": [42]}}
DISRUPTED = {"onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}


async def test_an_exit_code_fails_the_job_early() -> None:
    async with FakeCluster(only=ONLY) as cluster:
        await cluster.client.create(
            job(parallelism=2, completions=4, podFailurePolicy=failure_policy({"action": "FailJob"} | ON_42))
        )
        await cluster.settled()
        first = running(cluster)[0]
        fail(cluster, first, 42)
        await cluster.settled()
        what = f"Container c for pod default/{first.metadata.name} failed with exit code 42"
        why = f"{what} matching FailJob rule at index 0"
        assert told(cluster) == {"FailureTarget": ("True", "PodFailurePolicy"), "Failed": ("True", "PodFailurePolicy")}
        assert {condition.message for condition in state(cluster).status.conditions} == {why}
        assert why in cluster.events("PodFailurePolicy")
        status = state(cluster).status
        assert (status.failed, status.active, status.ready, status.terminating) == (2, 0, 0, 0)
        assert not running(cluster)


async def test_disruptions_are_ignored_and_waited_for() -> None:
    async with FakeCluster(only=ONLY) as cluster:
        policy = failure_policy({"action": "Ignore"} | DISRUPTED, {"action": "FailJob"} | ON_42)
        await cluster.client.create(job(backoffLimit=0, podFailurePolicy=policy))
        await cluster.settled()
        [pod] = running(cluster)
        cluster.api.change(pod, lambda copy: setattr(copy.metadata, "deletionTimestamp", "2023-11-14T22:13:20Z"))
        await cluster.settled()
        assert (state(cluster).status.terminating, state(cluster).status.active) == (1, 0)
        fail(cluster, pod, 42, type="DisruptionTarget", status="True")
        await cluster.settled()
        assert told(cluster) == {}
        assert state(cluster).status.failed == 0
        await cluster.clock.advance(11)
        cluster.finish_pod(running(cluster)[0])
        await cluster.settled()
        assert told(cluster)["Complete"] == ("True", "CompletionsReached")


async def test_all_indexes_run_though_some_fail() -> None:
    async with FakeCluster(only=ONLY) as cluster:
        spec = {"completionMode": "Indexed", "parallelism": 2, "completions": 4, "backoffLimitPerIndex": 1}
        await cluster.client.create(job(backoffLimit=2**31 - 1, **spec))
        await cluster.settled()
        assert sorted(by_index(cluster)) == [0, 1]
        assert by_index(cluster)[0].metadata.annotations[indexes.FAILURES] == "0"
        fail(cluster, by_index(cluster)[0])
        cluster.finish_pod(by_index(cluster)[1])
        await cluster.settled()
        assert state(cluster).status.completedIndexes == "1"
        await cluster.clock.advance(11)
        assert by_index(cluster)[0].metadata.annotations[indexes.FAILURES] == "1"
        fail(cluster, by_index(cluster)[0])
        await cluster.settled()
        assert (state(cluster).status.failedIndexes, state(cluster).status.failed) == ("0", 2)
        assert sorted(by_index(cluster)) == [2, 3]
        for pod in running(cluster):
            cluster.finish_pod(pod)
        await cluster.settled()
        status = state(cluster).status
        assert (status.completedIndexes, status.failedIndexes, status.succeeded, status.failed) == ("1-3", "0", 3, 2)
        assert told(cluster)["Failed"] == ("True", "FailedIndexes")
        assert "Job has failed indexes" in cluster.events("FailedIndexes")


async def test_a_policy_fails_single_indexes_and_ignored_failures_are_carried_on() -> None:
    async with FakeCluster(only=ONLY) as cluster:
        policy = failure_policy({"action": "FailIndex"} | ON_42, {"action": "Ignore"} | DISRUPTED)
        spec = {"completionMode": "Indexed", "parallelism": 2, "completions": 2, "backoffLimitPerIndex": 1}
        await cluster.client.create(job(backoffLimit=2**31 - 1, podFailurePolicy=policy, **spec))
        await cluster.settled()
        fail(cluster, by_index(cluster)[0], 42)
        fail(cluster, by_index(cluster)[1], 1, type="DisruptionTarget", status="True")
        await cluster.settled()
        assert (state(cluster).status.failedIndexes, state(cluster).status.failed) == ("0", 1)
        await cluster.clock.advance(11)
        notes = by_index(cluster)[1].metadata.annotations
        assert (notes[indexes.FAILURES], notes[indexes.IGNORED_FAILURES]) == ("0", "1")
        cluster.finish_pod(by_index(cluster)[1])
        await cluster.settled()
        assert told(cluster)["Failed"] == ("True", "FailedIndexes")


async def test_too_many_failed_indexes_end_it() -> None:
    async with FakeCluster(only=ONLY) as cluster:
        spec = {"completionMode": "Indexed", "parallelism": 5, "completions": 5, "backoffLimitPerIndex": 0}
        await cluster.client.create(job(backoffLimit=2**31 - 1, maxFailedIndexes=1, **spec))
        await cluster.settled()
        for index in (1, 3):
            fail(cluster, by_index(cluster)[index])
        await cluster.settled()
        assert state(cluster).status.failedIndexes == "1,3"
        assert told(cluster)["Failed"] == ("True", "MaxFailedIndexesExceeded")
        assert not running(cluster)
        assert state(cluster).status.failed == 5


@pytest.mark.parametrize(
    ("rule", "finish"), [({"succeededIndexes": "0"}, [0]), ({"succeededCount": 2, "succeededIndexes": "1-3"}, [1, 3])]
)
async def test_a_success_policy_ends_it_while_other_indexes_run(rule: dict[str, Any], finish: list[int]) -> None:
    async with FakeCluster(only=ONLY) as cluster:
        spec = {"completionMode": "Indexed", "parallelism": 5, "completions": 5}
        policy = codecs.from_tree(batch_v1.SuccessPolicy, {"rules": [rule]})
        await cluster.client.create(job(successPolicy=policy, **spec))
        await cluster.settled()
        for index in finish:
            assert told(cluster) == {}
            cluster.finish_pod(by_index(cluster)[index])
            await cluster.settled()
        assert told(cluster) == {"SuccessCriteriaMet": ("True", "SuccessPolicy"), "Complete": ("True", "SuccessPolicy")}
        assert {c.message for c in state(cluster).status.conditions} == {"Matched rules at index 0"}
        status = state(cluster).status
        assert status.completedIndexes == ",".join(map(str, finish))
        assert (status.failed, status.active, status.ready, status.terminating) == (0, 0, 0, 0)


async def test_indexed_jobs_grow_and_shrink() -> None:
    async with FakeCluster(only=ONLY) as cluster:
        await cluster.client.create(job(completionMode="Indexed", parallelism=3, completions=3))
        await cluster.settled()
        cluster.finish_pod(by_index(cluster)[2])
        await cluster.settled()
        await cluster.client.patch(batch_v1.Job, "pi", "default", {"spec": {"parallelism": 2, "completions": 2}})
        await cluster.settled()
        assert (sorted(by_index(cluster)), state(cluster).status.succeeded) == ([0, 1], 0)
        assert state(cluster).status.completedIndexes == ""
        await cluster.client.patch(batch_v1.Job, "pi", "default", {"spec": {"parallelism": 4, "completions": 4}})
        await cluster.settled()
        assert sorted(by_index(cluster)) == [0, 1, 2, 3]


async def test_what_a_smaller_job_drops_is_no_failure() -> None:
    async with FakeCluster(only=ONLY) as cluster:
        await cluster.client.create(job(parallelism=3, completions=3))
        await cluster.settled()
        await cluster.client.patch(batch_v1.Job, "pi", "default", {"spec": {"parallelism": 1}})
        await cluster.settled()
        assert (len(running(cluster)), state(cluster).status.failed) == (1, 0)


async def test_an_old_view_of_a_job_makes_no_pod_too_many() -> None:
    async with FakeCluster(only=ONLY) as cluster:
        await cluster.client.create(job(parallelism=1, completions=1))
        await cluster.settled()
        [stream] = [stream for stream in cluster.api.streams if stream.resource.name == "jobs"]
        push, held = stream.push, []
        stream.push = held.append  # type: ignore[method-assign]
        cluster.finish_pod(running(cluster)[0])
        await cluster.settled()
        assert len(cluster.api.all(core_v1.Pod)) == 1
        assert not cluster.api.all(core_v1.Pod)[0].metadata.finalizers
        stream.push = push  # type: ignore[method-assign]
        for event in held:
            push(event)
        await cluster.settled()
        assert (told(cluster)["Complete"][0], len(cluster.api.all(core_v1.Pod))) == ("True", 1)


async def test_jobs_of_others_are_left_alone() -> None:
    async with FakeCluster(only=ONLY) as cluster:
        await cluster.client.create(job(managedBy="example.com/queue"))
        await cluster.settled()
        assert not cluster.api.all(core_v1.Pod)
        assert state(cluster).status == batch_v1.JobStatus()


async def test_the_real_api_accepts_every_step() -> None:
    images = {"*/flaky:*": {"exit-code": "3", "run-seconds": "2"}, "*/fine:*": {"exit-code": "0", "run-seconds": "5"}}
    on_3 = {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [3]}}
    by_index = {"completionMode": "Indexed", "parallelism": 2, "completions": 3}
    async with Cluster(nodes=1, virtual=True, seed=1, images=images) as c:
        for name, image, spec in (
            ("rules", "app/flaky:1", {"podFailurePolicy": {"rules": [on_3]}}),
            ("limits", "app/flaky:1", by_index | {"backoffLimitPerIndex": 1}),
            ("early", "app/fine:1", by_index | {"successPolicy": {"rules": [{"succeededCount": 2}]}}),
        ):
            template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": image}]}}
            meta = {"name": name, "namespace": "default"}
            tree = {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": {"template": template} | spec}
            await c.apply(tree)
        await c.advance("2m")
        found = {one.metadata.name: one.status for one in (await c.client().list(batch_v1.Job, "default")).items}
        ends = {name: [(e.type, e.reason) for e in status.conditions][-1] for name, status in found.items()}
        assert ends == {
            "rules": ("Failed", "PodFailurePolicy"),
            "limits": ("Failed", "FailedIndexes"),
            "early": ("Complete", "SuccessPolicy"),
        }
        assert (found["limits"].failedIndexes, found["limits"].failed) == ("0-2", 6)
        assert (found["early"].completedIndexes, found["early"].succeeded) == ("0,1", 2)
        assert not [call for call in c.calls if call.resource == "jobs" and call.code == 422]


async def test_a_failure_is_backed_off_from_once_though_its_finalizer_is_hard_to_take_off() -> None:
    async with FakeCluster(only=ONLY) as cluster:
        rule = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
        await cluster.client.create(job(podFailurePolicy={"rules": [rule]}))
        await cluster.settled()
        refused: list[Call] = []

        def refuse(call: Call) -> Exception | None:
            if call.method == "PATCH" and "/pods/" in call.path and len(refused) < 4:
                refused.append(call)
                return errors.conflict("", "pods", "p", "somebody was faster")
            return None

        cluster.api.fail(refuse)
        (pod,) = running(cluster)
        disrupted = core_v1.PodCondition(type="DisruptionTarget", status="True")
        failed = core_v1.PodStatus(phase="Failed", conditions=[disrupted])
        cluster.api.change(pod, lambda copy: setattr(copy, "status", failed))
        await cluster.clock.advance(12)
        assert len(refused) == 4
        assert len(running(cluster)) == 1
