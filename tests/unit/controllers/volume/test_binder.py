"""Claims and volumes that find each other, wait for each other and lose each other."""

from __future__ import annotations

from typing import Any

from pybernetes.api import codecs
from pybernetes.api.types import core_v1, storage_v1
from pybernetes.controllers.volume import binder, matching
from tests.fakes.cluster import FakeCluster


def volume(
    name: str, size: str = "1Gi", *, meta: dict[str, Any] | None = None, **spec: Any
) -> core_v1.PersistentVolume:
    tree = {
        "metadata": {"name": name} | (meta or {}),
        "spec": {
            "capacity": {"storage": size},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
        }
        | spec,
    }
    return codecs.from_tree(core_v1.PersistentVolume, tree)


def claim(
    name: str = "c", size: str = "1Gi", *, meta: dict[str, Any] | None = None, **spec: Any
) -> core_v1.PersistentVolumeClaim:
    tree = {
        "metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}"} | (meta or {}),
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": size}},
            "storageClassName": "",
        }
        | spec,
        "status": {"phase": "Pending"},
    }
    return codecs.from_tree(core_v1.PersistentVolumeClaim, tree)


def storage_class(name: str, provisioner: str, **fields: Any) -> storage_v1.StorageClass:
    return codecs.from_tree(storage_v1.StorageClass, {"metadata": {"name": name}, "provisioner": provisioner} | fields)


def available(name: str, size: str = "1Gi", **spec: Any) -> core_v1.PersistentVolume:
    made = volume(name, size, **spec)
    made.status.phase = "Available"
    return made


def chosen(wanted: core_v1.PersistentVolumeClaim, *volumes: core_v1.PersistentVolume, delayed: bool = False) -> str:
    found = matching.best(wanted, volumes, delayed=delayed)
    return found.metadata.name if found is not None else ""


def test_the_smallest_that_does() -> None:
    volumes = [
        available("large", "10Gi"),
        available("fits", "2Gi"),
        available("small", "1Mi"),
        available("classy", storageClassName="gold"),
        available("block", volumeMode="Block"),
        available("taken", claimRef={"namespace": "default", "name": "other"}),
        volume("new"),
        available("shared", accessModes=["ReadWriteOnce", "ReadOnlyMany"]),
    ]
    assert chosen(claim(), *volumes) == "fits"
    assert chosen(claim(size="3Gi"), *volumes) == "large"
    assert chosen(claim(accessModes=["ReadOnlyMany"]), *volumes) == "shared"
    assert chosen(claim(storageClassName="gold"), *volumes) == "classy"
    assert chosen(claim(volumeMode="Block"), *volumes) == "block"
    assert chosen(claim(size="20Gi"), *volumes) == ""
    assert chosen(claim(), *volumes, delayed=True) == ""


def test_one_kept_for_the_claim_comes_first() -> None:
    kept = volume("kept", "10Gi", claimRef={"namespace": "default", "name": "c"})
    assert chosen(claim(), available("fits"), kept) == "kept"
    assert chosen(claim(), kept, delayed=True) == "kept"
    another = volume("kept", "10Gi", claimRef={"namespace": "default", "name": "c", "uid": "before"})
    assert chosen(claim(), another) == ""


def test_selectors_choose_by_label() -> None:
    one, other = available("one", meta={"labels": {"disk": "ssd"}}), available("other")
    assert chosen(claim(selector={"matchLabels": {"disk": "ssd"}}), other, one) == "one"


def test_the_newest_default_class() -> None:
    mark = {"storageclass.kubernetes.io/is-default-class": "true"}
    old, new, plain = (storage_class(name, "p") for name in ("old", "new", "plain"))
    old.metadata.annotations = new.metadata.annotations = mark
    old.metadata.creationTimestamp, new.metadata.creationTimestamp = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
    found = matching.default_class([new, plain, old])
    assert found is not None
    assert found.metadata.name == "new"


def states(cluster: FakeCluster) -> dict[str, str]:
    volumes = {one.metadata.name: one.status.phase for one in cluster.api.all(core_v1.PersistentVolume)}
    return volumes | {one.metadata.name: one.status.phase for one in cluster.api.all(core_v1.PersistentVolumeClaim)}


async def test_bound_to_each_other_then_released() -> None:
    async with FakeCluster(only=binder.NAME) as cluster:
        cluster.api.seed(volume("v"))
        await cluster.settled()
        assert states(cluster) == {"v": "Available"}
        cluster.api.seed(claim())
        await cluster.settled()
        assert states(cluster) == {"v": "Bound", "c": "Bound"}
        bound = cluster.api.find(core_v1.PersistentVolumeClaim, "c", "default")
        kept = cluster.api.find(core_v1.PersistentVolume, "v")
        assert (bound.spec.volumeName, bound.status.capacity) == ("v", {"storage": "1Gi"})
        assert (kept.spec.claimRef.name, kept.spec.claimRef.uid) == ("c", "uid-c")
        assert bound.metadata.annotations == {
            "pv.kubernetes.io/bind-completed": "yes",
            "pv.kubernetes.io/bound-by-controller": "yes",
        }
        cluster.api.remove(bound)
        await cluster.settled()
        assert states(cluster) == {"v": "Released"}


async def test_a_claim_that_waits_gets_what_comes() -> None:
    async with FakeCluster(only=binder.NAME) as cluster:
        cluster.api.seed(claim(), claim("named", "1Mi", volumeName="late"))
        await cluster.settled()
        assert states(cluster) == {"c": "Pending", "named": "Pending"}
        message = "no persistent volumes available for this claim and no storage class is set"
        assert cluster.events("FailedBinding") == [message]
        cluster.api.seed(volume("late", "1Mi"), volume("v"))
        await cluster.settled()
        assert states(cluster) == dict.fromkeys(("late", "v", "c", "named"), "Bound")
        assert cluster.api.find(core_v1.PersistentVolumeClaim, "c", "default").spec.volumeName == "v"


async def test_many_claims_share_no_volume() -> None:
    async with FakeCluster(only=binder.NAME) as cluster:
        cluster.api.seed(*(volume(f"v{n}", f"{n + 1}Gi") for n in range(20)), *(claim(f"c{n}") for n in range(25)))
        await cluster.settled()
        bound = [one.spec.volumeName for one in cluster.api.all(core_v1.PersistentVolumeClaim) if one.spec.volumeName]
        assert len(bound) == len(set(bound)) == 20


async def test_a_claim_without_its_volume_is_lost() -> None:
    async with FakeCluster(only=binder.NAME) as cluster:
        cluster.api.seed(volume("v"), claim())
        await cluster.settled()
        cluster.api.remove(cluster.api.find(core_v1.PersistentVolume, "v"))
        await cluster.settled()
        assert states(cluster) == {"c": "Lost"}
        lost = ["Bound claim has lost its PersistentVolume. Data on the volume is lost!"]
        assert cluster.events("ClaimLost") == lost


async def test_who_provisions_is_asked_once() -> None:
    async with FakeCluster(only=binder.NAME) as cluster:
        cluster.api.seed(storage_class("gold", "example.com/disks"), claim(storageClassName="gold"))
        await cluster.settled()
        asked = cluster.api.find(core_v1.PersistentVolumeClaim, "c", "default")
        assert asked.metadata.annotations == {
            "volume.beta.kubernetes.io/storage-provisioner": "example.com/disks",
            "volume.kubernetes.io/storage-provisioner": "example.com/disks",
        }
        (told,) = cluster.events("ExternalProvisioning")
        assert told.startswith("Waiting for a volume to be created either by the external provisioner 'example.com/d")
        cluster.api.seed(
            volume(
                "made",
                storageClassName="gold",
                persistentVolumeReclaimPolicy="Delete",
                claimRef={"namespace": "default", "name": "c", "uid": "uid-c"},
                meta={"annotations": {matching.PROVISIONED_BY: "example.com/disks"}},
            )
        )
        await cluster.settled()
        assert states(cluster) == {"c": "Bound", "made": "Bound"}


async def test_first_consumers_are_waited_for() -> None:
    async with FakeCluster(only=binder.NAME, kubelet=False) as cluster:
        waits = storage_class("local", "kubernetes.io/no-provisioner", volumeBindingMode="WaitForFirstConsumer")
        cluster.api.seed(waits, volume("v", storageClassName="local"), claim(storageClassName="local"))
        await cluster.settled()
        assert states(cluster) == {"c": "Pending", "v": "Available"}
        assert cluster.events("WaitForFirstConsumer") == ["waiting for first consumer to be created before binding"]
        user = {"name": "d", "persistentVolumeClaim": {"claimName": "c"}}
        tree = {"metadata": {"name": "p", "namespace": "default"}, "spec": {"volumes": [user]}}
        cluster.api.seed(codecs.from_tree(core_v1.Pod, tree))
        await cluster.settled()
        assert cluster.events("WaitForPodScheduled") == ["waiting for pod p to be scheduled"]


async def test_what_nobody_can_wipe_has_failed() -> None:
    async with FakeCluster(only=binder.NAME) as cluster:
        gone = {"namespace": "default", "name": "gone", "uid": "u"}
        for policy in ("Retain", "Recycle", "Delete"):
            cluster.api.seed(volume(policy.lower(), persistentVolumeReclaimPolicy=policy, claimRef=gone))
        cluster.api.seed(
            volume(
                "csi",
                persistentVolumeReclaimPolicy="Delete",
                claimRef=gone,
                csi={"driver": "example.com", "volumeHandle": "1"},
            )
        )
        await cluster.settled()
        assert states(cluster) == {"retain": "Released", "recycle": "Failed", "delete": "Failed", "csi": "Released"}
        assert cluster.events("VolumeFailedRecycle") == ["No recycler plugin found for the volume!"]


async def test_claims_without_a_class_get_the_default_once_there_is_one() -> None:
    async with FakeCluster(only=binder.NAME) as cluster:
        cluster.api.seed(claim(storageClassName=None))
        await cluster.settled()
        mark = {"storageclass.kubernetes.io/is-default-class": "true"}
        cluster.api.seed(storage_class("gold", "example.com/disks", metadata={"name": "gold", "annotations": mark}))
        await cluster.settled()
        assert cluster.api.find(core_v1.PersistentVolumeClaim, "c", "default").spec.storageClassName == "gold"
