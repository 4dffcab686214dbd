from __future__ import annotations

from pybernetes.api import codecs
from pybernetes.api.types import rbac_v1
from pybernetes.client import Client
from pybernetes.controllers import clusterrole_aggregation as aggregation
from pybernetes.testing import Cluster


def role(name: str, *resources: str, to: str = "", gathers: tuple[str, ...] = ()) -> rbac_v1.ClusterRole:
    tree = {
        "metadata": {"name": name, "labels": {f"to-{to}": "true"} if to else {}},
        "rules": [{"apiGroups": [""], "resources": [one], "verbs": ["get"]} for one in resources],
    }
    if gathers:
        tree["aggregationRule"] = {"clusterRoleSelectors": [{"matchLabels": {f"to-{one}": "true"}} for one in gathers]}
    return codecs.from_tree(rbac_v1.ClusterRole, tree)


def resources(rules: list[rbac_v1.PolicyRule]) -> list[str]:
    return [rule.resources[0] for rule in rules]


def test_rules_are_gathered_by_selector_and_name_once_each() -> None:
    roles = [role("z", "pods", to="view"), role("a", "nodes", "pods", to="view"), role("m", "secrets", to="edit")]
    both = role("both", gathers=("edit", "view"), to="view")
    assert resources(aggregation.gathered(both, [*roles, both])) == ["secrets", "nodes", "pods"]
    assert resources(aggregation.gathered(role("own", "pods"), roles)) == ["pods"]


async def roles_of(client: Client, name: str) -> list[str]:
    return resources((await client.get(rbac_v1.ClusterRole, name)).rules)


async def test_roles_follow_what_they_gather() -> None:
    async with Cluster(controllers=aggregation.NAME, scheduler=False) as cluster:
        client = cluster.client()
        await client.create(role("all", gathers=("mine",)))
        await client.create(role("one", "pods", to="mine"))
        await cluster.settled()
        assert await roles_of(client, "all") == ["pods"]
        await client.create(role("another", "nodes", to="mine"))
        await cluster.settled()
        assert await roles_of(client, "all") == ["nodes", "pods"]
        await client.delete(rbac_v1.ClusterRole, "another")
        await cluster.settled()
        assert await roles_of(client, "all") == ["pods"]
        view = await client.get(rbac_v1.ClusterRole, "view")
        assert view.rules
