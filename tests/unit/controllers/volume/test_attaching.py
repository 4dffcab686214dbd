"""Volumes follow their pods, never on two nodes that cannot share them, never from under a node that still has them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.api import codecs
from pybernetes.api.types import core_v1, storage_v1
from pybernetes.controllers.volume import attachdetach, attaching
from tests.fakes.cluster import FakeCluster
from tests.unit.controllers.volume.test_binder import claim

NAME = "kubernetes.io/csi/disks.example.com^h1"


def volume(*modes: str) -> core_v1.PersistentVolume:
    tree = {
        "metadata": {"name": "v"},
        "spec": {
            "csi": {"driver": "disks.example.com", "volumeHandle": "h1"},
            "accessModes": list(modes or ("ReadWriteOnce",)),
            "claimRef": {"namespace": "default", "name": "c"},
        },
    }
    return codecs.from_tree(core_v1.PersistentVolume, tree)


def node(name: str, *, ready: bool = True, mounted: bool = False, taint: str = "") -> core_v1.Node:
    tree = {
        "metadata": {"name": name, "annotations": {attaching.MANAGED: "true"}},
        "spec": {"taints": [{"key": taint, "effect": "NoExecute"}] if taint else []},
        "status": {
            "conditions": [{"type": "Ready", "status": "True" if ready else "Unknown"}],
            "volumesInUse": [NAME] if mounted else [],
        },
    }
    return codecs.from_tree(core_v1.Node, tree)


def pod(name: str, on: str) -> core_v1.Pod:
    tree = {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"nodeName": on, "volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "c"}}]},
    }
    return codecs.from_tree(core_v1.Pod, tree)


def test_an_attachment_is_named_as_every_csi_component_names_it() -> None:
    made = attaching.attachment_for(volume(), "n1")
    # The SHA-256 of handle, driver and node.
    assert made.metadata.name == "csi-b24f951ab21f4d891abb6a0e6edbb30b0731146beeadf99fa3b131242ffbb86e"
    assert (made.spec.attacher, made.spec.nodeName) == ("disks.example.com", "n1")
    assert made.spec.source.persistentVolumeName == "v"


OUT = attaching.OUT_OF_SERVICE


@pytest.mark.parametrize(
    ("wanted", "attached", "nodes", "idle", "expected"),
    [
        (["a"], [], [node("a")], 0, (["a"], [], [], None)),
        (["a"], ["a"], [node("a", mounted=True)], 0, ([], [], [], None)),
        ([], ["a"], [node("a")], 0, ([], ["a"], [], None)),
        ([], ["a"], [node("a", mounted=True)], 999, ([], [], [], None)),
        ([], ["a"], [node("a", mounted=True, ready=False)], 60, ([], [], [], 300)),
        ([], ["a"], [node("a", mounted=True, ready=False)], 360, ([], ["a"], [], None)),
        ([], ["a"], [node("a", mounted=True, ready=False, taint=OUT)], 1, ([], ["a"], [], None)),
        ([], ["a"], [], 100, ([], [], [], 260)),
        ([], ["a"], [], 400, ([], ["a"], [], None)),
        (["b"], ["a"], [node("a", mounted=True)], 0, ([], [], ["b"], None)),
        # Detached now; attached to the other one when it is gone.
        (["b"], ["a"], [node("a")], 0, ([], ["a"], ["b"], None)),
        (["a", "b"], [], [node("a"), node("b")], 0, (["a"], [], ["b"], None)),
    ],
)
def test_plans(wanted: list[str], attached: list[str], nodes: list[core_v1.Node], idle: float, expected: Any) -> None:
    attachments = [attaching.attachment_for(volume(), name) for name in attached]
    known = {one.metadata.name: one for one in nodes}
    since = dict.fromkeys(attached, 1000.0 - idle)
    plan = attaching.plan(volume(), wanted, attachments, known, since, 1000.0)
    assert (plan.attach, [one.spec.nodeName for one in plan.detach], plan.refused, plan.wake) == expected


def test_shared_ones_are_attached_everywhere() -> None:
    plan = attaching.plan(volume("ReadWriteMany"), ["a", "b", "a"], [], {}, {}, 0.0)
    assert (plan.attach, plan.refused) == (["a", "b"], [])


NODES = st.sampled_from("abc")


@given(st.lists(st.tuples(NODES, st.booleans(), st.booleans()), max_size=30))
def test_an_exclusive_volume_is_never_on_two_nodes(history: list[tuple[str, bool, bool]]) -> None:
    attached: dict[str, storage_v1.VolumeAttachment] = {}
    wanted: set[str] = set()
    for name, wants, mounted in history:
        (wanted.add if wants else wanted.discard)(name)
        nodes = {one: node(one, mounted=mounted and one in attached) for one in "abc"}
        plan = attaching.plan(volume(), sorted(wanted), attached.values(), nodes, dict.fromkeys("abc", 0.0), 1000.0)
        for gone in plan.detach:
            assert NAME not in nodes[gone.spec.nodeName].status.volumesInUse
            assert gone.spec.nodeName not in wanted
            del attached[gone.spec.nodeName]
        for new in plan.attach:
            attached[new] = attaching.attachment_for(volume(), new)
        assert len(attached) <= 1


@pytest.mark.parametrize(
    ("status", "deleted", "answer"),
    [
        ({"phase": "Running"}, False, True),
        ({"phase": "Succeeded"}, False, False),
        ({"containerStatuses": [{"name": "c", "state": {"running": {}}}]}, True, True),
        ({"containerStatuses": [{"name": "c", "state": {"terminated": {}}}]}, True, False),
    ],
)
def test_which_pods_need_their_volumes(status: dict[str, Any], deleted: bool, answer: bool) -> None:
    one = pod("p", "a")
    one.status = codecs.from_tree(core_v1.PodStatus, status)
    one.metadata.deletionTimestamp = "2026-01-01T00:00:00Z" if deleted else None
    assert attaching.needs(one, None) is answer
    kept = node("a")
    kept.metadata.annotations[attaching.KEEP_TERMINATED] = "true"
    assert attaching.needs(one, kept)
    assert not attaching.needs(pod("q", ""), None)


def attach(cluster: FakeCluster) -> None:
    """What a driver's attacher does."""
    for one in cluster.api.all(storage_v1.VolumeAttachment):
        cluster.api.change(one, lambda copy: setattr(copy.status, "attached", True))


async def test_a_volume_moves_with_its_pod() -> None:
    async with FakeCluster(only=attachdetach.NAME, kubelet=False) as cluster:
        first = pod("first", "a")
        cluster.api.seed(node("a"), node("b"), volume(), claim(volumeName="v"), first)
        await cluster.settled()
        (made,) = cluster.api.all(storage_v1.VolumeAttachment)
        assert made.spec.nodeName == "a"
        attach(cluster)
        await cluster.settled()
        assert cluster.events("SuccessfulAttachVolume") == ['AttachVolume.Attach succeeded for volume "v" ']
        shown = cluster.api.find(core_v1.Node, "a")
        assert [(one.name, one.devicePath) for one in shown.status.volumesAttached] == [(NAME, "")]

        cluster.api.change(shown, lambda copy: copy.status.volumesInUse.append(NAME))
        cluster.api.seed(pod("second", "b"))
        cluster.api.remove(first)
        await cluster.settled()
        assert [one.spec.nodeName for one in cluster.api.all(storage_v1.VolumeAttachment)] == ["a"]
        assert cluster.events("FailedAttachVolume")[0] == (
            'Multi-Attach error for volume "v" Volume is already exclusively attached to one node and can\'t be '
            "attached to another"
        )
        writes = len(cluster.api.calls)
        cluster.api.change(shown, lambda copy: copy.status.volumesInUse.clear())
        await cluster.settled()
        (moved,) = cluster.api.all(storage_v1.VolumeAttachment)
        assert moved.spec.nodeName == "b"
        assert cluster.api.find(core_v1.Node, "a").status.volumesAttached == []
        # The node hears of it before it is done.
        kinds = [(call.method, call.path.split("/")[-2]) for call in cluster.api.calls[writes:]]
        assert kinds.index(("PATCH", "a")) < kinds.index(("DELETE", "volumeattachments"))


async def test_a_lost_node_keeps_a_volume_for_six_minutes() -> None:
    async with FakeCluster(only=attachdetach.NAME, kubelet=False) as cluster:
        one = pod("p", "a")
        cluster.api.seed(node("a", mounted=True), volume(), claim(volumeName="v"), one)
        await cluster.settled()
        cluster.api.seed(node("a", mounted=True, ready=False))
        cluster.api.remove(one)
        await cluster.clock.advance(359)
        assert len(cluster.api.all(storage_v1.VolumeAttachment)) == 1
        await cluster.clock.advance(2)
        assert cluster.api.all(storage_v1.VolumeAttachment) == []


async def test_what_is_not_attached() -> None:
    async with FakeCluster(only=attachdetach.NAME, kubelet=False) as cluster:
        driver = {"metadata": {"name": "disks.example.com"}, "spec": {"attachRequired": False}}
        cluster.api.seed(codecs.from_tree(storage_v1.CSIDriver, driver))
        cluster.api.seed(node("a"), volume(), claim(volumeName="v"), pod("p", "a"))
        await cluster.settled()
        assert cluster.api.all(storage_v1.VolumeAttachment) == []
        cluster.api.change(
            cluster.api.find(storage_v1.CSIDriver, "disks.example.com"),
            lambda copy: setattr(copy.spec, "attachRequired", True),
        )
        await cluster.settled()
        assert len(cluster.api.all(storage_v1.VolumeAttachment)) == 1
