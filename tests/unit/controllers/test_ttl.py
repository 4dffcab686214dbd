from __future__ import annotations

import pytest

from pybernetes.api.types import core_v1, meta_v1
from pybernetes.controllers.node import ttl
from tests.fakes.cluster import FakeCluster


@pytest.mark.parametrize(
    ("before", "count", "seconds"),
    [(0, 100, 0), (0, 101, 15), (1, 95, 15), (1, 89, 0), (0, 5000, 300), (4, 1799, 60), (4, 1800, 300), (2, 0, 0)],
)
def test_longer_in_bigger_clusters(before: int, count: int, seconds: int) -> None:
    assert ttl.STEPS[ttl.step_of(before, count)][2] == seconds


def told(cluster: FakeCluster, *names: str) -> list[str]:
    return [cluster.api.find(core_v1.Node, name).metadata.annotations[ttl.ANNOTATION] for name in names]


async def test_nodes_are_told_when_they_report_in_a_cluster_that_has_grown() -> None:
    async with FakeCluster(only=ttl.NAME) as cluster:
        cluster.api.seed(*(core_v1.Node(metadata=meta_v1.ObjectMeta(name=f"n{n}")) for n in range(100)))
        await cluster.settled()
        assert {one.metadata.annotations[ttl.ANNOTATION] for one in cluster.api.all(core_v1.Node)} == {"0"}
        cluster.api.seed(core_v1.Node(metadata=meta_v1.ObjectMeta(name="n100")))
        await cluster.settled()
        assert told(cluster, "n0", "n1", "n100") == ["0", "0", "15"]

        def report(node: core_v1.Node) -> None:
            node.metadata.labels["reported"] = "true"

        cluster.api.change(cluster.api.find(core_v1.Node, "n1"), report)
        await cluster.settled()
        assert told(cluster, "n0", "n1", "n100") == ["0", "15", "15"]
