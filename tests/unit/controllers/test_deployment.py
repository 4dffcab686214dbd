"""Deployments from the first pod to rollouts, scaling, pausing and failure, over the fake API."""

from __future__ import annotations

from typing import Any

from pybernetes.api.types import apps_v1, core_v1, meta_v1
from tests.fakes.cluster import FakeCluster

ONLY = "deployment-controller,replicaset-controller"


def deployment(replicas: int = 3, image: str = "app:1", **spec: Any) -> apps_v1.Deployment:
    labels = {"app": "web"}
    spec.setdefault(
        "strategy",
        apps_v1.DeploymentStrategy(
            type="RollingUpdate",
            rollingUpdate=apps_v1.RollingUpdateDeployment(maxSurge="25%", maxUnavailable="25%"),
        ),
    )
    return apps_v1.Deployment(
        metadata=meta_v1.ObjectMeta(name="web", namespace="default", labels=labels),
        spec=apps_v1.DeploymentSpec(
            replicas=replicas,
            selector=meta_v1.LabelSelector(matchLabels=labels),
            template=core_v1.PodTemplateSpec(
                metadata=meta_v1.ObjectMeta(labels=labels),
                spec=core_v1.PodSpec(containers=[core_v1.Container(name="c", image=image)]),
            ),
            progressDeadlineSeconds=600,
            revisionHistoryLimit=10,
            **spec,
        ),
    )


def state(cluster: FakeCluster) -> apps_v1.Deployment:
    found: apps_v1.Deployment = cluster.api.find(apps_v1.Deployment, "web", "default")
    return found


def sizes(cluster: FakeCluster) -> dict[str, int | None]:
    return {
        one.spec.template.spec.containers[0].image: one.spec.replicas for one in cluster.api.all(apps_v1.ReplicaSet)
    }


async def set_image(cluster: FakeCluster, image: str) -> None:
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": image}]}}}}
    await cluster.client.patch(apps_v1.Deployment, "web", "default", patch)


async def test_a_new_deployment_comes_up_and_says_so() -> None:
    async with FakeCluster(only=ONLY) as cluster:
        await cluster.client.create(deployment())
        await cluster.settled()
        web = state(cluster)
        (one,) = cluster.api.all(apps_v1.ReplicaSet)
        assert one.metadata.name == f"web-{one.metadata.labels['pod-template-hash']}"
        assert one.metadata.annotations == {
            "deployment.kubernetes.io/desired-replicas": "3",
            "deployment.kubernetes.io/max-replicas": "4",
            "deployment.kubernetes.io/revision": "1",
        }
        assert len(cluster.api.all(core_v1.Pod)) == 3
        assert web.metadata.annotations["deployment.kubernetes.io/revision"] == "1"
        status = web.status
        assert (status.replicas, status.updatedReplicas, status.readyReplicas, status.availableReplicas) == (3, 3, 3, 3)
        assert [(c.type, c.status, c.reason, c.message) for c in status.conditions] == [
            ("Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability."),
            (
                "Progressing",
                "True",
                "NewReplicaSetAvailable",
                f'ReplicaSet "{one.metadata.name}" has successfully progressed.',
            ),
        ]
        assert cluster.events("ScalingReplicaSet") == [f"Scaled up replica set {one.metadata.name} from 0 to 3"]
        assert sorted(cluster.events("SuccessfulCreate")) == sorted(
            f"Created pod: {pod.metadata.name}" for pod in cluster.api.all(core_v1.Pod)
        )


async def test_a_new_image_rolls_out_and_back_again() -> None:
    async with FakeCluster(only=ONLY) as cluster:
        await cluster.client.create(deployment())
        await cluster.settled()
        await set_image(cluster, "app:2")
        await cluster.settled()
        assert sizes(cluster) == {"app:1": 0, "app:2": 3}
        assert state(cluster).metadata.annotations["deployment.kubernetes.io/revision"] == "2"
        assert {pod.spec.containers[0].image for pod in cluster.api.all(core_v1.Pod)} == {"app:2"}
        await set_image(cluster, "app:1")
        await cluster.settled()
        assert sizes(cluster) == {"app:1": 3, "app:2": 0}
        first = next(r for r in cluster.api.all(apps_v1.ReplicaSet) if r.spec.replicas)
        assert first.metadata.annotations["deployment.kubernetes.io/revision"] == "3"
        assert first.metadata.annotations["deployment.kubernetes.io/revision-history"] == "1"


async def test_a_broken_image_stops_at_max_unavailable_and_misses_its_deadline() -> None:
    async with FakeCluster(only=ONLY) as cluster:
        await cluster.client.create(deployment(4))
        await cluster.settled()
        cluster.runs = lambda pod: pod.spec.containers[0].image != "bad"
        await set_image(cluster, "bad")
        await cluster.settled()
        assert sizes(cluster) == {"app:1": 3, "bad": 2}
        await cluster.clock.advance(700)
        progressing = next(c for c in state(cluster).status.conditions if c.type == "Progressing")
        assert (progressing.status, progressing.reason) == ("False", "ProgressDeadlineExceeded")
        assert progressing.message.endswith("has timed out progressing.")


async def test_scaling_keeps_the_replica_set() -> None:
    async with FakeCluster(only=ONLY) as cluster:
        await cluster.client.create(deployment())
        await cluster.settled()
        for replicas in (5, 1, 0):
            await cluster.client.patch(apps_v1.Deployment, "web", "default", {"spec": {"replicas": replicas}})
            await cluster.settled()
            assert sizes(cluster) == {"app:1": replicas}
            assert len(cluster.api.all(core_v1.Pod)) == replicas
        (one,) = cluster.api.all(apps_v1.ReplicaSet)
        assert one.metadata.annotations["deployment.kubernetes.io/desired-replicas"] == "0"


async def test_paused_changes_wait_for_resume() -> None:
    async with FakeCluster(only=ONLY) as cluster:
        await cluster.client.create(deployment())
        await cluster.settled()
        await cluster.client.patch(apps_v1.Deployment, "web", "default", {"spec": {"paused": True}})
        await set_image(cluster, "app:2")
        await cluster.settled()
        assert sizes(cluster) == {"app:1": 3}
        progressing = next(c for c in state(cluster).status.conditions if c.type == "Progressing")
        assert (progressing.status, progressing.reason) == ("Unknown", "DeploymentPaused")
        await cluster.client.patch(apps_v1.Deployment, "web", "default", {"spec": {"paused": None}})
        await cluster.settled()
        assert sizes(cluster) == {"app:1": 0, "app:2": 3}


async def test_recreate_waits_until_old_pods_are_gone() -> None:
    async with FakeCluster(only=ONLY) as cluster:
        await cluster.client.create(deployment(strategy=apps_v1.DeploymentStrategy(type="Recreate")))
        await cluster.settled()
        held = cluster.api.all(core_v1.Pod)[0]
        cluster.api.change(held, lambda pod: pod.metadata.finalizers.append("test/hold"))
        await set_image(cluster, "app:2")
        await cluster.settled()
        assert sizes(cluster) == {"app:1": 0}
        cluster.api.remove(cluster.api.find(core_v1.Pod, held.metadata.name, "default"))
        await cluster.settled()
        assert sizes(cluster) == {"app:1": 0, "app:2": 3}


async def test_old_revisions_beyond_the_limit_are_removed() -> None:
    async with FakeCluster(only=ONLY) as cluster:
        fresh = deployment()
        fresh.spec.revisionHistoryLimit = 1
        await cluster.client.create(fresh)
        await cluster.settled()
        for number in (2, 3, 4):
            await set_image(cluster, f"app:{number}")
            await cluster.clock.advance(1)
            await cluster.settled()
        assert sizes(cluster) == {"app:3": 0, "app:4": 3}


async def test_a_deleted_pod_is_replaced() -> None:
    async with FakeCluster(only=ONLY) as cluster:
        await cluster.client.create(deployment())
        await cluster.settled()
        await cluster.client.delete(core_v1.Pod, cluster.api.all(core_v1.Pod)[0].metadata.name, "default")
        await cluster.settled()
        assert len(cluster.api.all(core_v1.Pod)) == 3


async def test_a_controller_adopts_matching_orphans_and_releases_what_no_longer_matches() -> None:
    async with FakeCluster(only=ONLY) as cluster:
        await cluster.client.create(deployment(1))
        await cluster.settled()
        (pod,) = cluster.api.all(core_v1.Pod)
        cluster.api.change(pod, lambda copy: copy.metadata.labels.update(app="debug"))
        await cluster.settled()
        assert len(cluster.api.all(core_v1.Pod)) == 2
        assert cluster.api.find(core_v1.Pod, pod.metadata.name, "default").metadata.ownerReferences == []


async def test_the_status_tells_why_pods_cannot_be_made() -> None:
    from pybernetes.api import errors

    async with FakeCluster(only=ONLY) as cluster:
        cluster.api.fail(
            lambda call: (
                errors.forbidden("", "pods", "", "exceeded quota")
                if call.method == "POST" and call.path.endswith("/pods")
                else None
            )
        )
        await cluster.client.create(deployment())
        await cluster.settled()
        failure = next(c for c in state(cluster).status.conditions if c.type == "ReplicaFailure")
        assert (failure.reason, failure.message) == ("FailedCreate", "pods is forbidden: exceeded quota")
        assert "Error creating: pods is forbidden: exceeded quota" in cluster.events("FailedCreate")
        cluster.api.refuse.clear()
        await cluster.clock.advance(30)
        assert len(cluster.api.all(core_v1.Pod)) == 3
        assert not any(c.type == "ReplicaFailure" for c in state(cluster).status.conditions)
