from __future__ import annotations

import pathlib

import pytest

from pybernetes.api.types import core_v1, meta_v1
from pybernetes.kubelet import images
from pybernetes.runtime.simulated import scripts
from tests.fakes import node as nodes


def waiting(pod: core_v1.Pod | None) -> str:
    assert pod is not None
    state = pod.status.containerStatuses[0].state if pod.status.containerStatuses else core_v1.ContainerState()
    return state.waiting.reason if state.waiting else ""


async def test_a_pod_runs_and_says_so(tmp_path: pathlib.Path) -> None:
    async with nodes.running(tmp_path) as node:
        await node.client.create(nodes.pod())
        await node.until(lambda: node.phase("web") == "Running")
        status = node.pod("web").status  # type: ignore[union-attr]
        assert {c.type: c.status for c in status.conditions} == {
            "PodReadyToStartContainers": "True",
            "Initialized": "True",
            "Ready": "True",
            "ContainersReady": "True",
            "PodScheduled": "True",
        }
        assert status.podIP == "10.244.0.2"
        assert status.hostIP == "192.0.2.7"
        assert status.qosClass == "BestEffort"
        found = status.containerStatuses[0]
        assert found.ready
        assert found.started
        assert found.containerID.startswith("simulated://")
        await node.until(lambda: len(node.events("web")) == 3)
        assert node.events("web") == [
            ("Pulled", 'Container image "nginx:1" already present on machine and can be accessed by the pod'),
            ("Created", "Container created"),
            ("Started", "Container started"),
        ]


async def test_a_deleted_pod_leaves_nothing(tmp_path: pathlib.Path) -> None:
    async with nodes.running(tmp_path) as node:
        await node.client.create(nodes.pod(terminationGracePeriodSeconds=30))
        await node.until(lambda: node.phase("web") == "Running")
        await node.client.delete(core_v1.Pod, "web", "default")
        await node.until(lambda: node.pod("web") is None)
        await node.until(lambda: not node.kubelet.all_workers())
        assert not await node.runtime.list_sandboxes()
        assert not list((tmp_path / "kubelet" / "pods").iterdir())
        assert not list((tmp_path / "logs").iterdir())
        assert ("Killing", "Stopping container c") in node.events("web")


async def test_a_crashing_container_backs_off(tmp_path: pathlib.Path) -> None:
    async with nodes.running(tmp_path) as node:
        await node.client.create(nodes.pod("web", nodes.container("c", "false")))
        await node.until(lambda: waiting(node.pod("web")) == "CrashLoopBackOff", seconds=0.1)
        status = node.pod("web").status.containerStatuses[0]  # type: ignore[union-attr]
        assert status.restartCount == 1
        assert status.state.waiting.message.startswith("back-off 10s restarting failed container=c pod=web_default(")  # type: ignore[union-attr]
        assert status.lastState.terminated.exitCode == 1  # type: ignore[union-attr]
        assert node.phase("web") == "Running"
        count = lambda: node.pod("web").status.containerStatuses[0].restartCount  # type: ignore[union-attr]  # noqa: E731
        await node.until(lambda: count() == 2, seconds=10.5)


async def test_a_job_like_pod_succeeds(tmp_path: pathlib.Path) -> None:
    async with nodes.running(tmp_path) as node:
        pod = nodes.pod("job", nodes.container("c", "sleep", "5"), restartPolicy="Never")
        await node.client.create(pod)
        await node.until(lambda: node.phase("job") == "Running")
        await node.until(lambda: node.phase("job") == "Succeeded", seconds=6)
        ready = next(c for c in node.pod("job").status.conditions if c.type == "Ready")  # type: ignore[union-attr]
        assert (ready.status, ready.reason) == ("False", "PodCompleted")


async def test_a_failing_pod_that_never_restarts_fails(tmp_path: pathlib.Path) -> None:
    async with nodes.running(tmp_path) as node:
        await node.client.create(nodes.pod("job", nodes.container("c", "sh", "-c", "exit 3"), restartPolicy="Never"))
        await node.until(lambda: node.phase("job") == "Failed", seconds=0.1)
        assert node.pod("job").status.containerStatuses[0].state.terminated.exitCode == 3  # type: ignore[union-attr]


async def test_init_containers_run_one_after_the_other(tmp_path: pathlib.Path) -> None:
    async with nodes.running(tmp_path) as node:
        init = [nodes.container("one", "sleep", "1"), nodes.container("two", "true")]
        await node.client.create(nodes.pod(initContainers=init))
        init_statuses = lambda: node.pod("web").status.initContainerStatuses  # type: ignore[union-attr]  # noqa: E731
        await node.until(lambda: bool(init_statuses()) and init_statuses()[0].state.running is not None)
        assert node.phase("web") == "Pending"
        assert waiting(node.pod("web")) == "PodInitializing"
        await node.until(lambda: node.phase("web") == "Running", seconds=1.5)
        started = [message for reason, message in node.events("web") if reason == "Started"]
        assert started
        first, second = init_statuses()
        assert first.ready
        assert second.ready


async def test_an_image_that_cannot_be_had(tmp_path: pathlib.Path) -> None:
    async with nodes.running(tmp_path) as node:
        pod = nodes.pod("web", core_v1.Container(name="c", image="example.com/unpullable:1"))
        await node.client.create(pod)
        await node.until(lambda: waiting(node.pod("web")) in ("ErrImagePull", "ImagePullBackOff"))
        await node.until(lambda: ("Failed", "Error: ErrImagePull") in node.events("web"))
        assert node.phase("web") == "Pending"


async def test_an_image_that_is_brought_in_is_seen_before_the_back_off_ends(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with nodes.running(tmp_path) as node:
        pod = nodes.pod("web", core_v1.Container(name="c", image="example.com/unpullable:1"))
        await node.client.create(pod)
        # By now it is pulled every five minutes.
        await node.clock.advance(1000.0)
        assert waiting(node.pod("web")) == "ImagePullBackOff"
        pulls = [message for reason, message in node.events("web") if reason == "Pulling"]
        monkeypatch.setattr(scripts.Images, "unpullable", lambda self, image: False)
        await node.clock.advance(images.LOOK_SECONDS)
        await node.until(lambda: node.phase("web") == "Running")
        assert [message for reason, message in node.events("web") if reason == "Pulling"] == pulls


async def test_a_missing_config_map_holds_the_pod_until_it_appears(tmp_path: pathlib.Path) -> None:
    async with nodes.running(tmp_path) as node:
        volume = core_v1.Volume(name="v", configMap=core_v1.ConfigMapVolumeSource(name="settings"))
        await node.client.create(nodes.pod(volumes=[volume]))
        message = 'MountVolume.SetUp failed for volume "v" : configmap "settings" not found'
        await node.until(lambda: ("FailedMount", message) in node.events("web"))
        assert waiting(node.pod("web")) == "ContainerCreating"
        settings = core_v1.ConfigMap(metadata=meta_v1.ObjectMeta(name="settings", namespace="default"), data={"a": "1"})
        await node.client.create(settings)
        await node.until(lambda: node.phase("web") == "Running")
        [written] = (tmp_path / "kubelet" / "pods").glob("*/volumes/kubernetes.io~configmap/v/a")
        assert written.read_text() == "1"


async def test_the_deadline_ends_a_pod(tmp_path: pathlib.Path) -> None:
    async with nodes.running(tmp_path) as node:
        await node.client.create(nodes.pod(activeDeadlineSeconds=20, restartPolicy="Never"))
        await node.until(lambda: node.phase("web") == "Running")
        await node.until(lambda: node.phase("web") == "Failed", seconds=21)
        assert node.pod("web").status.reason == "DeadlineExceeded"  # type: ignore[union-attr]


async def test_a_restarted_kubelet_adopts_what_runs_and_ends_what_is_gone(tmp_path: pathlib.Path) -> None:
    async with nodes.running(tmp_path) as node:
        await node.client.create(nodes.pod("stays"))
        await node.client.create(nodes.pod("goes"))
        await node.until(lambda: node.phase("stays") == node.phase("goes") == "Running")
        before = {box.name: box.id for box in await node.runtime.list_sandboxes()}
        await node.stop()
        node.api.remove(node.pod("goes"))
        await node.start()
        await node.until(lambda: len(node.kubelet.all_workers()) == 1)
        await node.until(lambda: bool(node.kubelet.all_workers()[0].seen.sandboxes))
        after = {box.name: box.id for box in await node.runtime.list_sandboxes()}
        assert after == {"stays": before["stays"]}
        assert node.pod("stays").status.containerStatuses[0].restartCount == 0  # type: ignore[union-attr]


async def test_a_failed_liveness_probe_restarts_the_container(tmp_path: pathlib.Path) -> None:
    async with nodes.running(tmp_path) as node:
        probe = core_v1.Probe(
            exec=core_v1.ExecAction(command=["false"]), periodSeconds=1, failureThreshold=2, timeoutSeconds=1
        )
        await node.client.create(nodes.pod("web", nodes.container("c", "serve", livenessProbe=probe)))
        await node.until(lambda: node.phase("web") == "Running")
        count = lambda: node.pod("web").status.containerStatuses[0].restartCount  # type: ignore[union-attr]  # noqa: E731
        await node.until(lambda: count() == 1, seconds=3)
        assert ("Killing", "Container c failed liveness probe, will be restarted") in node.events("web")
        assert ("Unhealthy", "Liveness probe failed: ") in node.events("web")
