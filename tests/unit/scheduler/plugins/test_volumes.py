"""Pods with volumes: where they may go, what is kept for them, and what is said where they may go nowhere."""

from __future__ import annotations

from typing import Any

import pytest

from pybernetes.api.types import core_v1, meta_v1, storage_v1
from pybernetes.informers import cache, keys
from pybernetes.scheduler import volumes, worlds
from pybernetes.scheduler.plugins import plugin, volume_binding
from tests.unit.scheduler.board import Board, Q, node, pod

ZONE = "topology.kubernetes.io/zone"


class Store(Board):
    """A board whose world has storage in it."""

    def __init__(self, *members: core_v1.Node) -> None:
        self.caches: dict[type[Any], cache.Writable[Any]] = {}
        kinds = (
            core_v1.PersistentVolume,
            core_v1.PersistentVolumeClaim,
            storage_v1.StorageClass,
            storage_v1.CSINode,
            storage_v1.CSIDriver,
            storage_v1.CSIStorageCapacity,
            storage_v1.VolumeAttachment,
        )
        for kind in kinds:
            self.caches[kind] = cache.Writable()
        super().__init__(*members, world=worlds.World(self.caches))

    def put(self, *objects: Any) -> None:
        for obj in objects:
            self.caches[type(obj)].put(keys.key_of(obj), obj)


def claim(
    name: str = "c", *, volume: str = "", bound: bool = True, size: str = "1Gi", class_name: str = "late", **meta: Any
) -> core_v1.PersistentVolumeClaim:
    annotations = {volumes.BOUND: "yes"} if volume and bound else {}
    return core_v1.PersistentVolumeClaim(
        metadata=meta_v1.ObjectMeta(
            name=name,
            namespace="default",
            uid=f"uid-{name}",
            annotations=annotations | meta.pop("annotations", {}),
            **meta,
        ),
        spec=core_v1.PersistentVolumeClaimSpec(
            volumeName=volume,
            storageClassName=class_name,
            accessModes=["ReadWriteOnce"],
            resources=core_v1.VolumeResourceRequirements(requests={"storage": Q(size)}),
        ),
        status=core_v1.PersistentVolumeClaimStatus(phase="Bound" if volume else "Pending"),
    )


def volume(
    name: str, *nodes: str, size: str = "1Gi", class_name: str = "late", labels: dict[str, str] | None = None
) -> core_v1.PersistentVolume:
    affinity = None
    if nodes:
        requirement = core_v1.NodeSelectorRequirement(key="kubernetes.io/hostname", operator="In", values=list(nodes))
        term = core_v1.NodeSelectorTerm(matchExpressions=[requirement])
        affinity = core_v1.VolumeNodeAffinity(required=core_v1.NodeSelector(nodeSelectorTerms=[term]))
    return core_v1.PersistentVolume(
        metadata=meta_v1.ObjectMeta(name=name, labels=labels or {}),
        spec=core_v1.PersistentVolumeSpec(
            capacity={"storage": Q(size)},
            accessModes=["ReadWriteOnce"],
            storageClassName=class_name,
            nodeAffinity=affinity,
        ),
        status=core_v1.PersistentVolumeStatus(phase="Available"),
    )


def kind(name: str = "late", *, provisioner: str = "kubernetes.io/no-provisioner", mode: str = volumes.WAIT) -> Any:
    return storage_v1.StorageClass(
        metadata=meta_v1.ObjectMeta(name=name), provisioner=provisioner, volumeBindingMode=mode
    )


def using(*claims: str, name: str = "p") -> core_v1.Pod:
    return pod(
        name=name,
        volumes=[
            core_v1.Volume(
                name=f"v{at}", persistentVolumeClaim=core_v1.PersistentVolumeClaimVolumeSource(claimName=one)
            )
            for at, one in enumerate(claims)
        ],
    )


@pytest.fixture
def store() -> Store:
    made = Store(node("n1"), node("n2"), node("n3"))
    made.put(kind())
    return made


def test_claims_that_are_missing_or_unbound_say_so(store: Store) -> None:
    says = "0/3 nodes are available: "
    assert store.message(using("c")) == f'{says}persistentvolumeclaim "c" not found. 0 left'
    store.put(kind("now", mode="Immediate"), claim(class_name="now"))
    assert store.message(using("c")) == f"{says}pod has unbound immediate PersistentVolumeClaims. 0 left"
    store.put(claim(deletionTimestamp="2026-01-01T00:00:00Z"))
    assert store.message(using("c")) == f'{says}persistentvolumeclaim "c" is being deleted. 0 left'
    lost = claim(volume="gone")
    lost.status.phase = "Lost"
    store.put(lost)
    assert "bound to non-existent persistentvolume" in store.message(using("c"))


def test_a_pod_follows_its_bound_volume(store: Store) -> None:
    store.put(claim(volume="v"), volume("v", "n2"))
    assert store.fits(using("c")) == {"n2"}
    store.caches[core_v1.PersistentVolume].remove("v")
    assert '0/3 nodes are available: persistentvolume "v" not found' in store.message(using("c"))


def test_unbound_claims_go_where_a_volume_is_or_can_be_made(store: Store) -> None:
    store.put(claim(), volume("small", "n1", size="500Mi"), volume("big", "n2", size="9Gi"), volume("fit", "n2"))
    assert store.fits(using("c")) == {"n2"}
    decision = store.decide(using("c"))
    [kept] = decision.reserve("n2")
    assert [(v.metadata.name, c.metadata.name) for v, c in kept.plan.bindings] == [("fit", "c")]
    # Kept for the first pod, it is not there for another's claim.
    store.put(claim("other", size="2Gi"), claim("third"))
    assert store.fits(using("other")) == {"n2"}
    [second] = store.decide(using("third")).reserve("n2")
    assert [v.metadata.name for v, _ in second.plan.bindings] == ["big"]
    assert "3 node(s) didn't find available persistent volumes to bind" in store.message(using("other"))
    kept.plugin.unreserve(kept.plan, store.nodes)
    assert store.nodes.world.volumes_taken == {"big": "default/third"}


def test_two_claims_need_two_volumes(store: Store) -> None:
    store.put(claim("a"), claim("b"), volume("one", "n1"), volume("two", "n2"), volume("three", "n2"))
    assert store.fits(using("a", "b")) == {"n2"}


def test_provisioning_needs_space_where_the_driver_tells_of_it(store: Store) -> None:
    store.put(kind("made", provisioner="csi.example.com"), claim(class_name="made"))
    assert store.fits(using("c")) == {"n1", "n2", "n3"}
    capacity = storage_v1.CSIStorageCapacity(
        metadata=meta_v1.ObjectMeta(name="x", namespace="default"),
        storageClassName="made",
        capacity=Q("5Gi"),
        nodeTopology=meta_v1.LabelSelector(matchLabels={"kubernetes.io/hostname": "n3"}),
    )
    driver = storage_v1.CSIDriver(
        metadata=meta_v1.ObjectMeta(name="csi.example.com"), spec=storage_v1.CSIDriverSpec(storageCapacity=True)
    )
    store.put(driver, capacity)
    assert store.fits(using("c")) == {"n3"}
    store.put(claim("big", class_name="made", size="6Gi"))
    assert "3 node(s) did not have enough free storage" in store.message(using("big"))
    store.put(claim("chosen", class_name="made", annotations={volumes.SELECTED_NODE: "n3"}))
    assert store.fits(using("chosen")) == {"n3"}


def test_zones_of_volumes() -> None:
    store = Store(node("n1"), node("n2"), node("n3"))
    for member, zone in (("n1", "a"), ("n2", "b")):
        found = node(member)
        found.metadata.labels[ZONE] = zone
        store.nodes.put(found)
    store.put(claim(volume="v"), volume("v", labels={ZONE: "a__c"}))
    # A node without any zone has nothing to do with zones.
    assert store.fits(using("c")) == {"n1", "n3"}


def test_a_claim_for_one_pod_is_for_one_pod(store: Store) -> None:
    alone = claim(volume="v")
    alone.spec.accessModes = ["ReadWriteOncePod"]
    store.put(alone, volume("v"))
    uid = store.add(using("c"), "n1")
    message = store.message(using("c", name="second"))
    assert message == (
        "0/3 nodes are available: 3 node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access "
        "mode already in-use by another pod. 3 left"
    )
    store.nodes.remove_pod(uid)
    assert store.fits(using("c", name="second")) == {"n1", "n2", "n3"}


def test_disks_that_one_node_can_have_once(store: Store) -> None:
    def disk(name: str, *, read_only: bool) -> core_v1.Pod:
        source = core_v1.GCEPersistentDiskVolumeSource(pdName="d", readOnly=read_only)
        return pod(name=name, volumes=[core_v1.Volume(name="v", gcePersistentDisk=source)])

    store.add(disk("a", read_only=True), "n1")
    assert store.fits(disk("b", read_only=True)) == {"n1", "n2", "n3"}
    assert store.fits(disk("b", read_only=False)) == {"n2", "n3"}


def test_drivers_attach_so_many(store: Store) -> None:
    def csi(name: str) -> core_v1.PersistentVolume:
        made = volume(name)
        made.spec.csi = core_v1.CSIPersistentVolumeSource(driver="csi.example.com", volumeHandle=name)
        return made

    driver = storage_v1.CSINodeDriver(
        name="csi.example.com", nodeID="n1", allocatable=storage_v1.VolumeNodeResources(count=2)
    )
    store.put(storage_v1.CSINode(metadata=meta_v1.ObjectMeta(name="n1"), spec=storage_v1.CSINodeSpec(drivers=[driver])))
    for number in range(4):
        store.put(claim(f"c{number}", volume=f"v{number}"), csi(f"v{number}"))
    store.add(using("c0"), "n1")
    assert store.fits(using("c1")) == {"n1", "n2", "n3"}
    store.add(using("c1"), "n1")
    assert store.fits(using("c2")) == {"n2", "n3"}
    # What is there already takes no more room.
    assert store.fits(using("c0", "c1")) == {"n1", "n2", "n3"}
    assert store.decide(using("c2")).feasible().sum() == 2


def test_waits_for_the_binder_and_gives_up_where_it_cannot(store: Store) -> None:
    store.put(claim(), volume("v", "n1"))
    plan = store.decide(using("c")).reserve("n1")[0].plan
    assert not volume_binding._done(plan, store.nodes)
    store.put(claim(volume="v"))
    assert volume_binding._done(plan, store.nodes)
    store.put(volume("v", "n2"))
    with pytest.raises(plugin.BindingFailed, match='pv "v" node affinity doesn\'t match node "n1"'):
        volume_binding._done(plan, store.nodes)
    store.put(kind("made", provisioner="csi.example.com"), claim("p", class_name="made"))
    plan = store.decide(using("p")).reserve("n1")[0].plan
    store.put(claim("p", class_name="made", resourceVersion="7"))
    with pytest.raises(plugin.BindingFailed, match='provisioning failed for PVC "p"'):
        volume_binding._done(plan, store.nodes)
