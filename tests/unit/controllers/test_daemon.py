from __future__ import annotations

from pybernetes.api.types import apps_v1, core_v1, meta_v1
from pybernetes.controllers.daemon import fit
from tests.fakes.cluster import FakeCluster


def node(name: str, *taints: tuple[str, str], **labels: str) -> core_v1.Node:
    return core_v1.Node(
        metadata=meta_v1.ObjectMeta(name=name, labels=labels),
        spec=core_v1.NodeSpec(taints=[core_v1.Taint(key=key, effect=effect) for key, effect in taints]),
    )


def daemon_set(image: str = "app:1", **spec: object) -> apps_v1.DaemonSet:
    labels = {"app": "agent"}
    return apps_v1.DaemonSet(
        metadata=meta_v1.ObjectMeta(name="agent", namespace="default"),
        spec=apps_v1.DaemonSetSpec(
            selector=meta_v1.LabelSelector(matchLabels=labels),
            template=core_v1.PodTemplateSpec(
                metadata=meta_v1.ObjectMeta(labels=labels),
                spec=core_v1.PodSpec(
                    containers=[core_v1.Container(name="c", image=image)],
                    **spec,  # type: ignore[arg-type]
                ),
            ),
            updateStrategy=apps_v1.DaemonSetUpdateStrategy(
                type="RollingUpdate", rollingUpdate=apps_v1.RollingUpdateDaemonSet(maxSurge=0, maxUnavailable=1)
            ),
        ),
    )


def test_fits() -> None:
    picky = daemon_set(nodeSelector={"disk": "ssd"})
    assert fit.fits(picky, node("a", disk="ssd")) == (True, True)
    assert fit.fits(picky, node("a", disk="hdd")) == (False, False)
    plain = daemon_set()
    assert fit.fits(plain, node("a", ("node.kubernetes.io/unschedulable", "NoSchedule"))) == (True, True)
    assert fit.fits(plain, node("a", ("mine", "NoSchedule"))) == (False, True)
    assert fit.fits(plain, node("a", ("mine", "NoExecute"))) == (False, False)


def places(cluster: FakeCluster) -> dict[str, str]:
    return {fit.node_of(pod): pod.spec.containers[0].image for pod in cluster.api.all(core_v1.Pod)}


async def test_one_pod_on_every_node_and_none_elsewhere() -> None:
    async with FakeCluster(only="daemonset-controller", kubelet=False) as cluster:
        cluster.api.seed(node("a"), node("b"), node("c", ("mine", "NoSchedule")))
        await cluster.client.create(daemon_set())
        await cluster.settled()
        assert set(places(cluster)) == {"a", "b"}
        for pod in cluster.api.all(core_v1.Pod):
            cluster.api.change(pod, lambda copy: setattr(copy.spec, "nodeName", fit.node_of(copy)))
            cluster.run_pod(cluster.api.find(core_v1.Pod, pod.metadata.name, "default"))
        cluster.api.seed(node("d"))
        await cluster.settled()
        status = cluster.api.find(apps_v1.DaemonSet, "agent", "default").status
        assert (status.desiredNumberScheduled, status.currentNumberScheduled, status.numberReady) == (3, 3, 2)
        assert (status.numberAvailable, status.numberUnavailable, status.numberMisscheduled) == (2, 1, 0)


async def test_a_new_template_rolls_from_node_to_node() -> None:
    async with FakeCluster(only="daemonset-controller", kubelet=False) as cluster:
        cluster.api.seed(node("a"), node("b"), node("c"))
        await cluster.client.create(daemon_set())
        lowest = 3
        for turn in range(12):
            await cluster.settled()
            waiting = [pod for pod in cluster.api.all(core_v1.Pod) if pod.status.phase != "Running"]
            if turn > 1:
                lowest = min(lowest, 3 - len(waiting))
            for pod in waiting:
                cluster.api.change(pod, lambda copy: setattr(copy.spec, "nodeName", fit.node_of(copy)))
                cluster.run_pod(cluster.api.find(core_v1.Pod, pod.metadata.name, "default"))
            for pod in cluster.api.all(core_v1.Pod):
                if pod.metadata.deletionTimestamp is not None:
                    cluster.api.remove(pod)
            if turn == 1:
                patch = {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "app:2"}]}}}}
                await cluster.client.patch(apps_v1.DaemonSet, "agent", "default", patch)
        assert places(cluster) == dict.fromkeys("abc", "app:2")
        assert lowest >= 2
        revisions = cluster.api.all(apps_v1.ControllerRevision)
        assert sorted(one.revision for one in revisions) == [1, 2]
        status = cluster.api.find(apps_v1.DaemonSet, "agent", "default").status
        assert status.updatedNumberScheduled == 3


async def test_a_pod_that_keeps_failing_is_replaced_ever_more_slowly() -> None:
    async with FakeCluster(only="daemonset-controller") as cluster:
        cluster.api.seed(node("n1"))
        await cluster.client.create(daemon_set())
        await cluster.settled()
        replaced = []
        for _ in range(4):
            [pod] = cluster.api.all(core_v1.Pod)
            cluster.finish_pod(pod, "Failed")
            await cluster.settled()
            start = cluster.clock.monotonic()
            while cluster.api.all(core_v1.Pod)[0].metadata.uid == pod.metadata.uid:
                await cluster.clock.advance(0.5)
                await cluster.settled()
            replaced.append(cluster.clock.monotonic() - start)
        assert replaced == [0.0, 1.0, 2.0, 4.0]
        assert len(cluster.events("FailedDaemonPod")) == 4


async def test_a_pod_that_lost_its_owner_is_adopted_again() -> None:
    async with FakeCluster(only="daemonset-controller") as cluster:
        cluster.api.seed(node("n1"))
        await cluster.client.create(daemon_set())
        await cluster.settled()
        [pod] = cluster.api.all(core_v1.Pod)
        cluster.api.change(pod, lambda copy: copy.metadata.ownerReferences.clear())
        await cluster.settled()
        [pod] = cluster.api.all(core_v1.Pod)
        assert [reference.name for reference in pod.metadata.ownerReferences] == ["agent"]
