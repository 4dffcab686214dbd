"""Nodes that fall silent, taints, evictions, address ranges and lost pods."""

from __future__ import annotations

from pybernetes.api import times
from pybernetes.api.types import coordination_v1, core_v1, meta_v1
from pybernetes.controllers import Settings
from pybernetes.controllers.node import health, ipam, podgc
from tests.fakes.cluster import FakeCluster

ONLY = "node-lifecycle-controller,taint-eviction-controller"


def node(name: str = "n1", ready: str = "True") -> core_v1.Node:
    condition = core_v1.NodeCondition(type="Ready", status=ready, lastHeartbeatTime="2026-01-01T00:00:00Z")
    return core_v1.Node(metadata=meta_v1.ObjectMeta(name=name), status=core_v1.NodeStatus(conditions=[condition]))


def pod(name: str, where: str, *tolerations: core_v1.Toleration) -> core_v1.Pod:
    meta = meta_v1.ObjectMeta(name=name, namespace="default")
    return core_v1.Pod(metadata=meta, spec=core_v1.PodSpec(nodeName=where, tolerations=list(tolerations)))


def taints(cluster: FakeCluster, name: str = "n1") -> set[tuple[str, str]]:
    return {(taint.key, taint.effect) for taint in cluster.api.find(core_v1.Node, name).spec.taints}


def test_taints_follow_conditions() -> None:
    member = node(ready="False")
    member.spec.unschedulable = True
    member.spec.taints = [core_v1.Taint(key="mine", effect="NoSchedule")]
    wanted = health.taints(member, evicting=True, now=0.0)
    assert [(taint.key, taint.effect) for taint in wanted] == [
        ("mine", "NoSchedule"),
        (health.NOT_READY, "NoExecute"),
        (health.NOT_READY, "NoSchedule"),
        (health.UNSCHEDULABLE, "NoSchedule"),
    ]
    assert health.NO_EXECUTE not in {t.effect for t in health.taints(member, evicting=False, now=0.0)}
    member.spec.taints = wanted
    assert health.taints(member, evicting=True, now=9.0) == wanted
    member.status.conditions[0].status, member.spec.unschedulable = "True", False
    assert [taint.key for taint in health.taints(member, evicting=True, now=0.0)] == ["mine"]


async def test_a_silent_node_becomes_unknown_and_loses_its_pods() -> None:
    async with FakeCluster(only=ONLY) as cluster:
        forever = core_v1.Toleration(operator="Exists")
        a_while = core_v1.Toleration(operator="Exists", effect="NoExecute", tolerationSeconds=100)
        cluster.api.seed(node("n1"), node("n2"))
        cluster.api.seed(pod("now", "n1"), pod("later", "n1", a_while), pod("never", "n1", forever))
        other = cluster.api.seed(
            coordination_v1.Lease(metadata=meta_v1.ObjectMeta(name="n2", namespace="kube-node-lease"))
        )
        await cluster.settled()
        for _ in range(6):
            await cluster.clock.advance(10)
            stamp = times.to_micro_time(cluster.clock.time())
            other = cluster.api.change(other, lambda lease, stamp=stamp: setattr(lease.spec, "renewTime", stamp))
        await cluster.settled()
        ready = cluster.api.find(core_v1.Node, "n1").status.conditions[0]
        assert (ready.status, ready.reason, ready.message) == (
            "Unknown",
            "NodeStatusUnknown",
            "Kubelet stopped posting node status.",
        )
        assert taints(cluster) == {(health.UNREACHABLE, "NoSchedule"), (health.UNREACHABLE, "NoExecute")}
        assert taints(cluster, "n2") == set()
        left = {p.metadata.name for p in cluster.api.all(core_v1.Pod)}
        assert left == {"later", "never"}
        assert "Node n1 status is now: NodeNotReady" in cluster.events("NodeNotReady")
        assert cluster.counted("node_collector_zone_size") == {"": 2}
        assert cluster.counted("node_collector_zone_health") == {"": 50}
        assert cluster.counted("node_collector_unhealthy_nodes_in_zone") == {"": 1}
        assert cluster.counted("node_collector_evictions_total") == {"": 1}
        assert cluster.counted("node_collector_update_node_health_duration_seconds_count")[""] > 2
        assert cluster.counted("taint_eviction_controller_pod_deletions_total") == {"": 1}
        for _ in range(12):
            await cluster.clock.advance(10)
            stamp = times.to_micro_time(cluster.clock.time())
            other = cluster.api.change(other, lambda lease, stamp=stamp: setattr(lease.spec, "renewTime", stamp))
        assert {p.metadata.name for p in cluster.api.all(core_v1.Pod)} == {"never"}


async def test_older_labels_say_what_the_newer_ones_do() -> None:
    async with FakeCluster(only=ONLY) as cluster:
        member = node()
        member.metadata.labels = {"kubernetes.io/os": "linux", "kubernetes.io/arch": "arm64", "mine": "x"}
        member.metadata.labels["beta.kubernetes.io/arch"] = "amd64"
        cluster.api.seed(member)
        await cluster.settled()
        labels = cluster.api.find(core_v1.Node, "n1").metadata.labels
        assert labels == member.metadata.labels | {
            "beta.kubernetes.io/os": "linux",
            "beta.kubernetes.io/arch": "arm64",
        }


async def test_nothing_is_evicted_when_no_node_is_heard_of() -> None:
    async with FakeCluster(only=ONLY) as cluster:
        cluster.api.seed(node("n1"), pod("p", "n1"))
        await cluster.clock.advance(200)
        assert taints(cluster) == {(health.UNREACHABLE, "NoSchedule")}
        assert len(cluster.api.all(core_v1.Pod)) == 1


async def test_pods_of_lost_nodes_and_unscheduled_ones_are_removed() -> None:
    async with FakeCluster(only="pod-garbage-collector-controller", kubelet=False) as cluster:
        cluster.api.seed(node("n1"), pod("kept", "n1"), pod("lost", "gone"))
        going = pod("going", "")
        going.metadata.deletionTimestamp = "2026-01-01T00:00:00Z"
        cluster.api.seed(going)
        await cluster.clock.advance(30)
        assert {p.metadata.name for p in cluster.api.all(core_v1.Pod)} == {"kept", "lost"}
        await cluster.clock.advance(40)
        assert {p.metadata.name for p in cluster.api.all(core_v1.Pod)} == {"kept"}
        deleted = cluster.counted("pod_gc_collector_force_delete_pods_total")
        assert deleted == {"default orphaned": 1, "default unscheduled": 1}


async def test_terminating_pods_of_nodes_out_of_service_are_removed() -> None:
    async with FakeCluster(only="pod-garbage-collector-controller", kubelet=False) as cluster:
        taint = core_v1.Taint(key="node.kubernetes.io/out-of-service", effect="NoExecute", value="nodeshutdown")
        down, up = node("down", "Unknown"), node("up")
        down.spec.taints, up.spec.taints = [taint], [taint]
        going = [pod("gone", "down"), pod("alive", "up")]
        for one in going:
            one.metadata.deletionTimestamp = "2026-01-01T00:00:00Z"
        cluster.api.seed(down, up, node("silent", "Unknown"), pod("stays", "down"), *going)
        await cluster.clock.advance(21)
        assert {p.metadata.name for p in cluster.api.all(core_v1.Pod)} == {"stays", "alive"}


def test_evicted_pods_go_before_older_ones() -> None:
    old, evicted, new = pod("old", "n1"), pod("evicted", "n1"), pod("new", "n1")
    for one, made in ((old, "2026-01-01T00:00:00Z"), (evicted, "2026-01-03T00:00:00Z"), (new, "2026-01-02T00:00:00Z")):
        one.metadata.creationTimestamp, one.status.phase = made, "Failed"
    evicted.status.reason = "Evicted"
    assert podgc.finished_to_delete([new, old, evicted], 1) == [evicted, old]


async def test_nodes_get_ranges_of_their_own() -> None:
    settings = Settings(cluster_cidr="10.244.0.0/16")
    async with FakeCluster(only="node-ipam-controller", settings=settings) as cluster:
        taken = node("n0")
        taken.spec.podCIDR = "10.244.0.0/24"
        cluster.api.seed(taken, node("n1"), node("n2"))
        await cluster.settled()
        given = {one.metadata.name: one.spec.podCIDR for one in cluster.api.all(core_v1.Node)}
        assert given == {"n0": "10.244.0.0/24", "n1": "10.244.1.0/24", "n2": "10.244.2.0/24"}


def test_ranges_run_out_and_come_back() -> None:
    import ipaddress

    ranges = ipam.Ranges(ipaddress.ip_network("10.0.0.0/23"), 24)
    assert [ranges.give("a"), ranges.give("b"), ranges.give("c")] == ["10.0.0.0/24", "10.0.1.0/24", None]
    ranges.release("a")
    assert ranges.give("c") == "10.0.0.0/24"
