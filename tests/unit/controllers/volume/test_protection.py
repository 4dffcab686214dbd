"""What is used stays, from its first moment until its last user is gone."""

from __future__ import annotations

from typing import Any

import pytest

from pybernetes.api import codecs, errors
from pybernetes.api.types import core_v1, storage_v1
from pybernetes.controllers.volume import ephemeral, protection
from pybernetes.testing import Cluster
from tests.fakes.cluster import FakeCluster
from tests.unit.controllers.volume.test_binder import claim, storage_class, volume

GOING = {"deletionTimestamp": "2026-01-01T00:00:00Z"}


def pod(name: str = "p", *, node: str = "n1", own: bool = False, **meta: Any) -> core_v1.Pod:
    template = {"volumeClaimTemplate": {"spec": {"accessModes": ["ReadWriteOnce"]}}}
    source = {"ephemeral": template} if own else {"persistentVolumeClaim": {"claimName": "c"}}
    tree = {
        "metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}"} | meta,
        "spec": {"nodeName": node, "volumes": [{"name": "data"} | source]},
    }
    return codecs.from_tree(core_v1.Pod, tree)


def test_who_uses_a_claim() -> None:
    assert protection.uses(pod(), claim())
    assert not protection.uses(pod(node=""), claim())
    assert not protection.uses(pod(), claim("other"))
    owner = {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "uid-p", "controller": True}
    own = claim("p-data", meta={"name": "p-data", "ownerReferences": [owner]})
    assert protection.uses(pod(own=True), own)
    assert not protection.uses(pod(own=True), claim("p-data"))
    assert not protection.uses(pod(own=True, deletionGracePeriodSeconds=0, **GOING), own)


async def test_a_claim_goes_with_its_last_pod() -> None:
    async with FakeCluster(only=protection.CLAIMS, kubelet=False) as cluster:
        cluster.api.seed(pod(), claim())
        await cluster.settled()
        kept = cluster.api.find(core_v1.PersistentVolumeClaim, "c", "default")
        assert kept.metadata.finalizers == ["kubernetes.io/pvc-protection"]
        await cluster.client.delete(core_v1.PersistentVolumeClaim, "c", "default")
        await cluster.settled()
        assert cluster.api.find(core_v1.PersistentVolumeClaim, "c", "default") is not None
        cluster.api.remove(cluster.api.find(core_v1.Pod, "p", "default"))
        await cluster.settled()
        assert cluster.api.find(core_v1.PersistentVolumeClaim, "c", "default") is None


async def test_a_volume_goes_when_it_is_not_bound() -> None:
    async with FakeCluster(only=protection.VOLUMES) as cluster:
        bound = volume("v")
        bound.status.phase = "Bound"
        cluster.api.seed(bound)
        await cluster.settled()
        await cluster.client.delete(core_v1.PersistentVolume, "v")
        await cluster.settled()
        found = cluster.api.find(core_v1.PersistentVolume, "v")
        assert found.metadata.finalizers == ["kubernetes.io/pv-protection"]
        cluster.api.change(found, lambda copy: setattr(copy.status, "phase", "Released"))
        await cluster.settled()
        assert cluster.api.find(core_v1.PersistentVolume, "v") is None


async def test_an_attributes_class_goes_when_nobody_has_it() -> None:
    async with FakeCluster(only=protection.ATTRIBUTES) as cluster:
        gold = {"metadata": {"name": "gold"}, "driverName": "d"}
        cluster.api.seed(codecs.from_tree(storage_v1.VolumeAttributesClass, gold))
        cluster.api.seed(claim(volumeAttributesClassName="gold"))
        await cluster.settled()
        await cluster.client.delete(storage_v1.VolumeAttributesClass, "gold")
        await cluster.settled()
        assert cluster.api.find(storage_v1.VolumeAttributesClass, "gold") is not None
        cluster.api.remove(cluster.api.find(core_v1.PersistentVolumeClaim, "c", "default"))
        await cluster.settled()
        assert cluster.api.find(storage_v1.VolumeAttributesClass, "gold") is None


async def test_ephemeral_volumes_get_claims_of_their_own() -> None:
    async with FakeCluster(only=ephemeral.NAME, kubelet=False) as cluster:
        cluster.api.seed(pod(own=True), pod("q", own=True), claim("q-data"))
        await cluster.settled()
        made = cluster.api.find(core_v1.PersistentVolumeClaim, "p-data", "default")
        assert (made.metadata.ownerReferences[0].uid, made.spec.accessModes) == ("uid-p", ["ReadWriteOnce"])
        assert cluster.events("FailedBinding") == [
            "ephemeral volume data: PVC default/q-data was not created for pod default/q (pod is not owner)"
        ]
        cluster.api.remove(cluster.api.find(core_v1.PersistentVolumeClaim, "q-data", "default"))
        await cluster.settled()
        made = cluster.api.find(core_v1.PersistentVolumeClaim, "q-data", "default")
        assert made.metadata.ownerReferences[0].uid == "uid-q"


async def test_claims_are_born_protected_and_grow_where_their_class_allows() -> None:
    async with Cluster(controllers="persistentvolume-binder-controller", scheduler=False) as cluster:
        client = cluster.client()
        for name, allowed in (("gold", True), ("lead", False)):
            await client.create(storage_class(name, "example.com/disks", allowVolumeExpansion=allowed))
            await client.create(volume(name, storageClassName=name, hostPath={"path": f"/{name}"}))
            await client.create(claim(name, meta={"name": name}, storageClassName=name))
        await client.create(claim("loose"))
        await cluster.settled()
        for name, why in (
            ("gold", ""),
            ("lead", "must support resize"),
            ("loose", "immutable after creation except resources.requests"),
        ):
            found = codecs.copy(await client.get(core_v1.PersistentVolumeClaim, name, "default"))
            assert found.metadata.finalizers == ["kubernetes.io/pvc-protection"]
            patch = {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}
            change = client.patch(core_v1.PersistentVolumeClaim, name, "default", patch)
            if why:
                with pytest.raises(errors.StatusError, match=why):
                    await change
            else:
                await change
