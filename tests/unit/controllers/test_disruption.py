from __future__ import annotations

from typing import Any

import pytest

from pybernetes.api import codecs, errors
from pybernetes.api.types import core_v1, policy_v1
from pybernetes.controllers.disruption import decide
from pybernetes.testing import Cluster
from tests.unit.testing.test_cluster import WEB

NOW = 1_700_000_000.0


def budget(**spec: Any) -> policy_v1.PodDisruptionBudget:
    return codecs.from_tree(policy_v1.PodDisruptionBudget, tree(**spec))


def tree(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "b"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, **spec},
    }


def pod(name: str, *, ready: bool = True) -> core_v1.Pod:
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    return codecs.from_tree(core_v1.Pod, {"metadata": {"name": name}, "status": {"conditions": conditions}})


@pytest.mark.parametrize(
    ("spec", "there", "size", "expected"),
    [
        ({"minAvailable": 2}, 3, 0, (3, 2)),
        ({"minAvailable": "50%"}, 3, 5, (5, 3)),
        ({"maxUnavailable": 1}, 3, 5, (5, 4)),
        ({"maxUnavailable": "30%"}, 3, 5, (5, 3)),
        ({"maxUnavailable": 9}, 3, 5, (5, 0)),
    ],
)
def test_how_many_must_be_healthy(spec: dict[str, Any], there: int, size: int, expected: tuple[int, int]) -> None:
    found = decide.expected(budget(**spec), there, size)
    assert (found.pods, found.healthy) == expected


def test_who_is_evicted_or_unready_is_not_healthy() -> None:
    own = [pod("a"), pod("b"), pod("c", ready=False), pod("d")]
    status = decide.status(budget(minAvailable=1), own, decide.Expected(4, 1), {"d": "2023-11-14T22:13:20Z"}, NOW)
    assert (status.currentHealthy, status.disruptionsAllowed) == (2, 1)
    assert status.conditions[0].reason == decide.ENOUGH
    status = decide.status(budget(minAvailable=9), own, decide.Expected(4, 9), {}, NOW)
    assert (status.disruptionsAllowed, status.conditions[0].reason) == (0, decide.TOO_FEW)


async def evict(c: Cluster, name: str) -> None:
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
    await c.client().raw(f"/api/v1/namespaces/default/pods/{name}/eviction", method="POST", body=body)


async def test_no_more_pods_go_than_the_budget_allows() -> None:
    async with Cluster(nodes=2, virtual=True, seed=1) as c:
        await c.apply(WEB)
        await c.apply(tree(maxUnavailable=1))
        await c.advance("5s")
        names = [one.metadata.name for one in (await c.client().list(core_v1.Pod, "default")).items]
        await evict(c, names[0])
        with pytest.raises(errors.StatusError) as refused:
            await evict(c, names[1])
        assert refused.value.code == 429
        assert str(refused.value) == "Cannot evict pod as it would violate the pod's disruption budget."
        await c.advance("5s")
        await evict(c, names[1])


async def test_an_eviction_that_comes_to_nothing_is_forgotten() -> None:
    async with Cluster(nodes=2, virtual=True, seed=1) as c:
        await c.apply(WEB)
        await c.apply(tree(maxUnavailable=1))
        await c.advance("5s")
        name = (await c.client().list(core_v1.Pod, "default")).items[0].metadata.name
        noted = {"status": {"disruptedPods": {name: "2023-11-14T22:13:25Z"}, "disruptionsAllowed": 0}}
        await c.client().patch(policy_v1.PodDisruptionBudget, "b", "default", noted, subresource="status")
        await c.advance("1m")
        assert (await c.client().get(policy_v1.PodDisruptionBudget, "b", "default")).status.disruptionsAllowed == 0
        await c.advance("90s")
        found = await c.client().get(policy_v1.PodDisruptionBudget, "b", "default")
        assert (found.status.disruptionsAllowed, found.status.disruptedPods) == (1, {})


async def test_an_evicted_pod_says_so() -> None:
    async with Cluster(virtual=True, seed=1) as c:
        await c.apply(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": "slow", "annotations": {"simulated.pybernetes.io/stop-seconds": "20"}},
                "spec": {"containers": [{"name": "c", "image": "x"}]},
            }
        )
        await c.settled()
        await evict(c, "slow")
        found = await c.client().get(core_v1.Pod, "slow", "default")
        target = next(one for one in found.status.conditions if one.type == "DisruptionTarget")
        assert (target.status, target.reason) == ("True", "EvictionByEvictionAPI")
