"""Whatever pods do and whichever writes fail, a Job runs no more pods than it may and counts each one once."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pybernetes.api import errors
from pybernetes.api.types import batch_v1, core_v1, meta_v1
from pybernetes.client import Call
from pybernetes.controllers import Controllers
from tests.fakes.cluster import FakeCluster

FINALIZER = "batch.kubernetes.io/job-tracking"
# (what happens, to which of the pods, how many of the next writes fail)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["succeed", "fail", "delete", "vanish", "wait", "suspend", "resume", "resize", "cut", "restart"]
        ),
        st.integers(0, 9),
        st.integers(0, 3),
    ),
    max_size=25,
)
SHAPES = st.fixed_dictionaries(
    {
        "completionMode": st.sampled_from(["NonIndexed", "Indexed"]),
        "parallelism": st.integers(1, 3),
        "completions": st.integers(1, 5),
        "backoffLimit": st.integers(0, 6),
        "podReplacementPolicy": st.sampled_from(["TerminatingOrFailed", "Failed"]),
        "per_index": st.none() | st.integers(0, 2),
    }
)


def job_of(shape: dict[str, Any]) -> batch_v1.Job:
    labels = {"job": "chaos"}
    template = core_v1.PodTemplateSpec(
        metadata=meta_v1.ObjectMeta(labels=labels),
        spec=core_v1.PodSpec(containers=[core_v1.Container(name="c")], restartPolicy="Never"),
    )
    limit = shape["per_index"] if shape["completionMode"] == "Indexed" else None
    spec = {name: value for name, value in shape.items() if name != "per_index"}
    return batch_v1.Job(
        metadata=meta_v1.ObjectMeta(name="chaos", namespace="default"),
        spec=batch_v1.JobSpec(
            selector=meta_v1.LabelSelector(matchLabels=labels), template=template, backoffLimitPerIndex=limit, **spec
        ),
    )


class Chaos:
    """One run. Remembers of every pod how it ended, for as long as somebody might have counted it."""

    def __init__(self, cluster: FakeCluster) -> None:
        self.cluster, self.failing = cluster, 0
        self.ended: dict[str, str] = {}
        # Successes that must be counted: of pods that the Job had not given up before.
        self.certain = 0
        # The highest parallelism so far, and by how much it was exceeded at some creation.
        self.allowed, self.excess = 0, 0
        cluster.api.fail(self._refuse)

    def _refuse(self, call: Call) -> Exception | None:
        if call.method == "POST" and call.path.endswith("/pods"):
            self.excess = max(self.excess, len(self.running()) + 1 - self.allowed)
        if call.method == "GET" or "/events" in call.path or not self.failing:
            return None
        self.failing -= 1
        return errors.error(500, "InternalError", "bad luck")

    @property
    def job(self) -> batch_v1.Job:
        found: batch_v1.Job = self.cluster.api.find(batch_v1.Job, "chaos", "default")
        return found

    def pods(self) -> list[core_v1.Pod]:
        return self.cluster.api.all(core_v1.Pod)

    def running(self) -> list[core_v1.Pod]:
        """The pods that use up parallelism."""
        job = self.cluster.api.find(batch_v1.Job, "chaos", "default")
        going_count = job is not None and job.spec.podReplacementPolicy == "Failed"
        return [
            pod
            for pod in self.pods()
            if pod.status.phase not in ("Succeeded", "Failed")
            and (going_count or pod.metadata.deletionTimestamp is None)
        ]

    def resize(self, parallelism: int) -> None:
        self.allowed = max(self.allowed, parallelism)
        self.cluster.api.change(self.job, lambda copy: setattr(copy.spec, "parallelism", parallelism))

    def finish(self, pod: core_v1.Pod, phase: str) -> None:
        self.ended[pod.metadata.uid] = phase
        if phase == "Succeeded" and FINALIZER in pod.metadata.finalizers and pod.metadata.deletionTimestamp is None:
            self.certain += 1
        self.cluster.finish_pod(pod, phase)

    def suspend(self, suspend: bool) -> None:
        self.cluster.api.change(self.job, lambda copy: setattr(copy.spec, "suspend", suspend))

    async def restart(self) -> None:
        """Another process takes over, which remembers nothing."""
        cluster = self.cluster
        cluster.running.cancel()
        await asyncio.wait([cluster.running])
        cluster.controllers = Controllers(cluster.context, only="job-controller")
        cluster.running = asyncio.ensure_future(cluster.controllers.run())

    async def do(self, what: str, which: int, failures: int) -> None:
        self.failing = failures
        unfinished = [pod for pod in self.pods() if pod.status.phase in ("", "Pending", "Running")]
        pod = unfinished[which % len(unfinished)] if unfinished else None
        if what == "wait":
            await self.cluster.clock.advance(which * 20.0)
        elif what == "cut":
            self.cluster.api.break_watches()
        elif what == "restart":
            await self.restart()
        elif what in ("suspend", "resume"):
            self.suspend(what == "suspend")
        elif what == "resize":
            self.resize(which % 4)
        elif pod is not None and what in ("succeed", "fail"):
            self.finish(pod, "Succeeded" if what == "succeed" else "Failed")
        elif pod is not None and what == "delete":
            now = "2023-11-14T22:13:20Z"
            self.cluster.api.change(pod, lambda copy: setattr(copy.metadata, "deletionTimestamp", now))
        elif pod is not None and what == "vanish" and FINALIZER not in pod.metadata.finalizers:
            self.cluster.api.remove(pod)
        await self.cluster.settled()
        self.check()

    def check(self) -> None:
        job = self.job
        assert self.excess <= 0
        status, noted = job.status, job.status.uncountedTerminatedPods or batch_v1.UncountedTerminatedPods()
        assert len(set(noted.succeeded)) == len(noted.succeeded)
        assert not set(noted.succeeded) & set(noted.failed)
        successes = sum(phase == "Succeeded" for phase in self.ended.values())
        assert status.succeeded + len(noted.succeeded) <= successes
        # Every failure belongs to another pod than every success.
        assert status.failed + len(noted.failed) + status.succeeded <= self.created()

    def created(self) -> int:
        return len({event[2].object.metadata.uid for event in self.cluster.api.history if event[1] == ("", "pods")})

    async def come_to_an_end(self) -> None:
        """From here on nothing goes wrong, and every pod succeeds."""
        self.suspend(False)
        self.resize(2)
        for _ in range(40):
            await self.cluster.clock.advance(700)
            for pod in self.pods():
                if pod.status.phase in ("", "Pending", "Running"):
                    self.finish(pod, "Succeeded")
            await self.cluster.settled()
            self.check()
            if any(c.type in ("Complete", "Failed") for c in self.job.status.conditions):
                break
        await self.cluster.clock.advance(2000)
        job, status = self.job, self.job.status
        assert any(c.type in ("Complete", "Failed") for c in status.conditions)
        if job.spec.completionMode == "NonIndexed":
            assert status.succeeded >= self.certain
        assert (status.active, status.terminating or 0) == (0, 0)
        assert status.uncountedTerminatedPods in (None, batch_v1.UncountedTerminatedPods())
        assert not any(FINALIZER in pod.metadata.finalizers for pod in self.pods())


@settings(max_examples=60, deadline=None)
@given(SHAPES, STEPS)
def test_no_pod_too_many_and_none_counted_twice(shape: dict[str, Any], steps: list[tuple[str, int, int]]) -> None:
    async def play() -> None:
        async with FakeCluster(only="job-controller") as cluster:
            chaos = Chaos(cluster)
            chaos.allowed = shape["parallelism"]
            await cluster.client.create(job_of(shape))
            await cluster.settled()
            for step in steps:
                await chaos.do(*step)
            chaos.failing = 0
            await chaos.come_to_an_end()

    asyncio.run(play())
