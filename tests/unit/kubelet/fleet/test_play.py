"""What a scripted pod looks like over time."""

from __future__ import annotations

from typing import Any

import pytest

from pybernetes.api import codecs
from pybernetes.api.types import core_v1
from pybernetes.kits.chance import Chance
from pybernetes.kits.clock import VirtualClock
from pybernetes.kubelet import backoffs
from pybernetes.kubelet.fleet import play
from pybernetes.runtime.simulated import scripts

START = 1_700_000_000.0


class Theatre:
    """Plays one pod against a clock, and notes how it looks whenever that changes."""

    def __init__(self, pod: core_v1.Pod) -> None:
        self.clock = VirtualClock(START)
        self.events: list[str] = []
        self.looks: list[tuple[float, str]] = []
        stage = play.Stage(
            images=scripts.NO_IMAGES,
            chance=Chance(1),
            restarts=backoffs.Backoffs(first=10, cap=300, clock=self.clock),
            pulls=backoffs.Backoffs(first=10, cap=300, clock=self.clock),
            say=lambda about, severity, reason, message: self.events.append(f"{severity} {reason}"),
            take_address=lambda node: "10.0.0.7",
        )
        self.play = play.Play(pod, stage, host_ip="127.0.0.1", now=START)
        self.scene: play.Scene | None = None

    async def until(self, seconds: float) -> Theatre:
        while True:
            now = self.clock.time()
            scene = self.scene = self.play.act(now)
            look = describe(scene.status)
            if not self.looks or self.looks[-1][1] != look:
                self.looks.append((now - START, look))
            wait = seconds - (now - START) if scene.wake is None else scene.wake - now
            if scene.over or scene.wake is None or now + wait > START + seconds:
                await self.clock.advance(START + seconds - now)
                return self
            await self.clock.advance(wait)


def describe(status: core_v1.PodStatus) -> str:
    parts = [status.phase]
    for found in [*status.initContainerStatuses, *status.containerStatuses]:
        where = found.state
        word = "ready" if found.ready else "running"
        if where.waiting is not None:
            word = where.waiting.reason
        elif where.terminated is not None:
            word = f"{where.terminated.reason}({where.terminated.exitCode})"
        parts.append(f"{found.name}={word}" + (f"+{found.restartCount}" if found.restartCount else ""))
    return " ".join(parts)


def pod(annotations: dict[str, str] | None = None, **spec: Any) -> core_v1.Pod:
    spec.setdefault("containers", [{"name": "c", "image": "nginx"}])
    return codecs.from_tree(
        core_v1.Pod,
        {
            "metadata": {
                "name": "web",
                "namespace": "default",
                "uid": "u1",
                "annotations": {scripts.PREFIX + name: value for name, value in (annotations or {}).items()},
            },
            "spec": {"nodeName": "n1", **spec},
        },
    )


CASES: list[tuple[str, core_v1.Pod, float, list[tuple[float, str]]]] = [
    ("at once", pod(), 100, [(0, "Running c=ready")]),
    (
        "an image that takes its time",
        pod({"start-seconds": "3"}),
        100,
        [(0, "Pending c=ContainerCreating"), (3, "Running c=ready")],
    ),
    (
        "a job",
        pod({"run-seconds": "5"}, restartPolicy="Never"),
        100,
        [(0, "Running c=ready"), (5, "Succeeded c=Completed(0)")],
    ),
    (
        "a job that fails",
        pod({"exit-code": "3"}, restartPolicy="Never"),
        100,
        [(0, "Failed c=Error(3)")],
    ),
    (
        "back-off between failures, until it works",
        pod({"run-seconds": "1", "exit-code": "1,1,1,0"}, restartPolicy="OnFailure"),
        100,
        [
            (0, "Running c=ready"),
            (1, "Running c=ready+1"),
            (2, "Running c=CrashLoopBackOff+1"),
            (12, "Running c=ready+2"),
            (13, "Running c=CrashLoopBackOff+2"),
            (33, "Running c=ready+3"),
            (34, "Succeeded c=Completed(0)+3"),
        ],
    ),
    (
        "readiness that flips",
        pod({"ready": "2,5,8"}),
        100,
        [(0, "Running c=running"), (2, "Running c=ready"), (5, "Running c=running"), (8, "Running c=ready")],
    ),
    (
        "a readiness probe's first look",
        pod(containers=[{"name": "c", "image": "x", "readinessProbe": {"initialDelaySeconds": 4, "exec": {}}}]),
        100,
        [(0, "Running c=running"), (4, "Running c=ready")],
    ),
    (
        "a readiness probe that is known to fail",
        pod(containers=[{"name": "c", "image": "x", "readinessProbe": {"exec": {"command": ["false"]}}}]),
        100,
        [(0, "Running c=running")],
    ),
    (
        "a startup probe that never passes",
        pod(
            {"startup-seconds": "1000"},
            restartPolicy="Never",
            containers=[
                {"name": "c", "image": "x", "startupProbe": {"periodSeconds": 5, "failureThreshold": 3, "exec": {}}}
            ],
        ),
        100,
        [(0, "Running c=running"), (10, "Failed c=Error(143)")],
    ),
    (
        "a liveness probe that begins to fail",
        pod(
            {"liveness-fails": "20"},
            containers=[
                {"name": "c", "image": "x", "livenessProbe": {"periodSeconds": 1, "failureThreshold": 2, "exec": {}}}
            ],
        ),
        45,
        [(0, "Running c=ready"), (21, "Running c=ready+1"), (42, "Running c=CrashLoopBackOff+1")],
    ),
    (
        "init containers one after the other, and a sidecar",
        pod(
            {"run-seconds.i1": "2", "run-seconds.i2": "3"},
            initContainers=[
                {"name": "i1", "image": "x"},
                {"name": "side", "image": "x", "restartPolicy": "Always"},
                {"name": "i2", "image": "x"},
            ],
        ),
        100,
        [
            (0, "Pending i1=running side=PodInitializing i2=PodInitializing c=PodInitializing"),
            (2, "Pending i1=Completed(0) side=ready i2=running c=PodInitializing"),
            (5, "Running i1=Completed(0) side=ready i2=Completed(0) c=ready"),
        ],
    ),
    (
        "no image",
        pod(containers=[{"name": "c", "image": "example.com/unpullable:1"}]),
        11,
        [(0, "Pending c=ErrImagePull"), (1, "Pending c=ImagePullBackOff"), (10, "Pending c=ErrImagePull"),
         (11, "Pending c=ImagePullBackOff")],
    ),
    (
        "a deadline",
        pod(activeDeadlineSeconds=7),
        100,
        [(0, "Running c=ready"), (7, "Failed c=Error(143)")],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("title", "given", "seconds", "looks"), CASES, ids=[case[0] for case in CASES])
async def test_a_pod_plays_its_script(
    title: str, given: core_v1.Pod, seconds: float, looks: list[tuple[float, str]]
) -> None:
    theatre = await Theatre(given).until(seconds)
    assert theatre.looks == looks


async def test_conditions_and_addresses_are_those_of_a_kubelet() -> None:
    theatre = await Theatre(pod()).until(1)
    assert theatre.scene is not None
    status = theatre.scene.status
    assert (status.podIP, status.hostIP, status.qosClass) == ("10.0.0.7", "127.0.0.1", "BestEffort")
    assert {found.type: found.status for found in status.conditions} == {
        "PodReadyToStartContainers": "True",
        "Initialized": "True",
        "Ready": "True",
        "ContainersReady": "True",
        "PodScheduled": "True",
    }


async def test_a_deleted_pod_takes_its_time_but_not_more_than_its_grace() -> None:
    for stop, grace, took, code in (("5", 30, 5.0, 143), ("60", 30, 30.0, 137), ("", 30, 0.0, 143)):
        given = pod({"stop-seconds": stop} if stop else {})
        theatre = await Theatre(given).until(1)
        ending = codecs.copy(given)
        ending.metadata.deletionTimestamp = "2023-11-14T22:13:30Z"
        ending.metadata.deletionGracePeriodSeconds = grace
        theatre.play.changed(ending)
        began = theatre.clock.time()
        scene = theatre.play.act(began)
        while not scene.over:
            assert scene.wake is not None
            await theatre.clock.advance(scene.wake - theatre.clock.time())
            scene = theatre.play.act(theatre.clock.time())
        assert theatre.clock.time() - began == took
        ended = scene.status.containerStatuses[0].state.terminated
        assert ended is not None
        assert ended.exitCode == code


async def test_a_pod_goes_on_where_its_status_left_it() -> None:
    given = pod({"run-seconds": "50"}, restartPolicy="Never")
    first = await Theatre(given).until(20)
    assert first.scene is not None
    restored = codecs.copy(given)
    restored.status = first.scene.status
    second = Theatre(restored)
    await second.clock.advance(20)
    await second.until(100)
    assert [look for _, look in second.looks] == ["Running c=ready", "Succeeded c=Completed(0)"]
    assert second.looks[1][0] == 50
    assert second.play.seen.containers[0].id == first.play.seen.containers[0].id
