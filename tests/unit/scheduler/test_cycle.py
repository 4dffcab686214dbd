"""Placement decisions: nodes and pods in, the chosen node or the reasons out."""

from __future__ import annotations

import pytest

from pybernetes.api.types import core_v1
from pybernetes.scheduler import shape
from tests.unit.scheduler.board import Board, Q, node, pod


def test_says_what_is_short_and_that_nothing_can_be_preempted() -> None:
    board = Board(node(cpu="1"))
    board.add(pod("800m"), "n1")
    assert board.message(pod("500m")) == ("0/1 nodes are available: 1 Insufficient cpu. 1 left")


def test_a_request_beyond_every_node_is_not_helped_by_preemption() -> None:
    assert Board(node(), node("n2")).message(pod("64", "64Gi")) == (
        "0/2 nodes are available: 2 Insufficient cpu, 2 Insufficient memory. 0 left"
    )


def test_each_node_gives_its_first_reason() -> None:
    cordoned = node("n2")
    cordoned.spec.unschedulable = True
    cordoned.spec.taints = [core_v1.Taint(key="node.kubernetes.io/unschedulable", effect="NoSchedule")]
    tainted = node("n3")
    tainted.spec.taints = [core_v1.Taint(key="node.kubernetes.io/not-ready", effect="NoSchedule")]
    full = node("n4", pods=0)
    wrong = node("n5", disk="hdd")
    board = Board(cordoned, tainted, full, wrong)
    message = board.message(pod(nodeSelector={"kubernetes.io/hostname": "n4"}))
    assert message.startswith(
        "0/4 nodes are available: 1 Too many pods, 1 node(s) didn't match Pod's node affinity/selector, "
        "1 node(s) had untolerated taint(s), 1 node(s) were unschedulable. 1 left"
    )


def test_host_ports_clash_by_address() -> None:
    board = Board(node())
    board.add(pod(ports=(80,)), "n1")
    assert "node(s) didn't have free ports for the requested pod ports" in board.message(pod(ports=(80,)))
    assert board.decide(pod(ports=(81,))).place() == "n1"
    board.nodes.remove_pod("u1")
    assert board.decide(pod(ports=(80,))).place() == "n1"


def test_prefers_the_emptier_node_and_spreads() -> None:
    board = Board(node("n1"), node("n2"), node("n3"))
    board.add(pod("2"), "n1")
    one = pod("500m", "512Mi")
    decision = board.decide(one)
    chosen = []
    for _ in range(4):
        where = decision.place()
        assert where is not None
        board.add(one, where)
        chosen.append(where)
    assert sorted(chosen) == ["n2", "n2", "n3", "n3"]


def test_kept_decisions_equal_fresh_ones() -> None:
    """Catching up row by row comes to what a cycle from scratch decides."""
    board = Board(*(node(f"n{number}", cpu=str(2 + number % 3), pods=6) for number in range(7)))
    kinds = [pod("250m", "128Mi"), pod("700m", "2Gi"), pod(ports=(80,))]
    kept = [board.decide(kind) for kind in kinds]
    for turn in range(60):
        at = turn % 3
        kept[at].place()
        fresh = board.decide(kinds[at])
        where = fresh.place()
        assert (kept[at]._fits == fresh._fits).all()
        if where is None:
            continue
        assert (kept[at].totals(fresh._fits) == fresh.totals(fresh._fits)).all()
        assert list(kept[at]._narrow.best()) == list(fresh._narrow.best())
        board.add(kinds[at], where)
        if turn % 7 == 6:
            board.nodes.remove_pod(f"u{turn // 7}")


def test_soft_taints_weigh_against_a_node() -> None:
    tainted = node("n1")
    tainted.spec.taints = [core_v1.Taint(key="k", effect="PreferNoSchedule")]
    board = Board(tainted, node("n2"))
    board.add(pod("1"), "n2")
    assert board.decide(pod()).place() == "n2"
    tolerant = pod(tolerations=[core_v1.Toleration(key="k", operator="Exists")])
    assert board.decide(tolerant).place() == "n1"


def affinity(operator: str, *values: str, key: str = "disk") -> core_v1.Affinity:
    requirement = core_v1.NodeSelectorRequirement(key=key, operator=operator, values=list(values))
    term = core_v1.NodeSelectorTerm(matchExpressions=[requirement])
    return core_v1.Affinity(
        nodeAffinity=core_v1.NodeAffinity(
            requiredDuringSchedulingIgnoredDuringExecution=core_v1.NodeSelector(nodeSelectorTerms=[term])
        )
    )


@pytest.mark.parametrize(
    ("operator", "values", "fits"),
    [
        ("In", ("ssd",), {"n1"}),
        ("NotIn", ("ssd",), {"n2", "n3"}),
        ("Exists", (), {"n1", "n2"}),
        ("DoesNotExist", (), {"n3"}),
    ],
)
def test_required_affinity(operator: str, values: tuple[str, ...], fits: set[str]) -> None:
    board = Board(node("n1", disk="ssd"), node("n2", disk="hdd"), node("n3"))
    decision = board.decide(pod(affinity=affinity(operator, *values)))
    assert {name for name, row in board.nodes.rows.items() if decision._fits[row]} == fits


def test_affinity_compares_numbers() -> None:
    board = Board(node("n1", cores="4"), node("n2", cores="16"), node("n3", cores="many"))
    decision = board.decide(pod(affinity=affinity("Gt", "8", key="cores")))
    assert decision.place() == "n2"
    assert int(decision._fits.sum()) == 1


def test_preferred_affinity_outweighs_load() -> None:
    board = Board(node("n1", disk="ssd"), node("n2"))
    board.add(pod("1"), "n1")
    term = core_v1.NodeSelectorTerm(
        matchExpressions=[core_v1.NodeSelectorRequirement(key="disk", operator="In", values=["ssd"])]
    )
    preferred = core_v1.PreferredSchedulingTerm(weight=10, preference=term)
    wish = core_v1.Affinity(
        nodeAffinity=core_v1.NodeAffinity(preferredDuringSchedulingIgnoredDuringExecution=[preferred])
    )
    assert board.decide(pod("100m", affinity=wish)).place() == "n1"


def test_image_locality() -> None:
    has = node("n1")
    has.status.images = [core_v1.ContainerImage(names=["app:latest"], sizeBytes=900 * 2**20)]
    assert Board(has, node("n2"), node("n3")).decide(pod()).place() == "n1"


def test_init_containers_and_sidecars_count_as_upstream_counts_them() -> None:
    def container(cpu: str, restart: str | None = None) -> core_v1.Container:
        return core_v1.Container(
            name="c", restartPolicy=restart, resources=core_v1.ResourceRequirements(requests={"cpu": Q(cpu)})
        )

    spec = core_v1.PodSpec(
        containers=[container("1"), container("1")],
        initContainers=[container("500m", "Always"), container("2")],
        overhead={"cpu": Q("100m")},
    )
    assert shape.requests(core_v1.Pod(spec=spec)) == {"cpu": 2600}


def test_rows_are_reused_and_pods_of_a_lost_node_wait_for_it() -> None:
    board = Board(node("n1", cpu="1"), node("n2"))
    board.add(pod("800m"), "n1")
    board.nodes.remove("n1")
    assert board.decide(pod("500m")).place() == "n2"
    board.nodes.put(node("n3"))
    board.nodes.put(node("n1", cpu="1"))
    assert {name for name, row in board.nodes.rows.items() if board.decide(pod("500m"))._fits[row]} == {"n2", "n3"}


def test_a_pod_that_is_resized_keeps_what_it_has_until_it_is_done() -> None:
    def resized(asked: str, has: str, *conditions: core_v1.PodCondition) -> int:
        made = pod(asked)
        held = core_v1.ResourceRequirements(requests={"cpu": Q(has)})
        status = core_v1.ContainerStatus(name="c", resources=held, allocatedResources={"cpu": Q(has)})
        made.status = core_v1.PodStatus(containerStatuses=[status], conditions=list(conditions))
        return shape.of(made).requests["cpu"]

    assert resized("2", "1") == 2000
    assert resized("1", "2") == 2000
    assert resized("9", "1", core_v1.PodCondition(type="PodResizePending", reason="Infeasible")) == 1000


def test_pods_that_ask_for_nothing_count_as_something_when_nodes_are_compared() -> None:
    found = shape.of(pod())
    assert (found.requests, found.counted_cpu, found.counted_memory) == ({}, 100, 200 * 2**20)


def test_the_first_node_tells_how_large_an_image_is() -> None:
    small, large = node("n1"), node("n2")
    small.status.images = [core_v1.ContainerImage(names=["app:latest"], sizeBytes=2**20)]
    large.status.images = [core_v1.ContainerImage(names=["app:latest"], sizeBytes=900 * 2**20)]
    board = Board(small, large, node("n3"))
    assert board.nodes.images["app:latest"][0] == 2**20
    board.nodes.remove("n1")
    assert board.nodes.images["app:latest"][0] == 2**20
    board.nodes.remove("n2")
    assert "app:latest" not in board.nodes.images


def test_a_resource_that_no_node_has_told_of_yet() -> None:
    board = Board(node("n1"))
    uid = board.add(pod(more={"example.com/widget": "2"}), "n1")
    assert board.nodes.requested[0, board.nodes.columns["example.com/widget"]] == 2
    assert board.nodes.remove_pod(uid)
    assert not board.nodes.requested.any()
