"""Which bindings count, what is said of them, and that changes count at once."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from pybernetes.api.types import meta_v1, rbac_v1
from pybernetes.apiserver import request as requests
from pybernetes.apiserver.authz import authorizer, rbac
from pybernetes.apiserver.authz.bootstrap.rules import rule
from tests.fakes import apiserver as fakes

READING = requests.Attributes("get", "", "", "v1", "default", "pods", "", "x")
ALICE = requests.User("alice", groups=("dev",))


class World:
    """A server without the policy that others have, as `decide` would find much in it."""

    def __init__(self, server: fakes.FakeServer) -> None:
        self.server = server
        collection = server.api.registry.collection
        self.rbac = rbac.Rbac(
            roles=collection(rbac.GROUP, "roles"),
            role_bindings=collection(rbac.GROUP, "rolebindings"),
            cluster_roles=collection(rbac.GROUP, "clusterroles"),
            cluster_role_bindings=collection(rbac.GROUP, "clusterrolebindings"),
        )

    def decide(self, user: requests.User = ALICE, **changed: str) -> authorizer.Decision:
        return self.rbac.decide(user, READING._replace(**changed))

    async def role(self, name: str, namespace: str = "default") -> None:
        meta = meta_v1.ObjectMeta(name=name, namespace=namespace)
        kind = rbac_v1.Role if namespace else rbac_v1.ClusterRole
        await self.server.client.create(kind(metadata=meta, rules=[rule("get", "core", "pods")]))

    async def bind(self, name: str, kind: str, subject: rbac_v1.Subject, namespace: str = "default") -> None:
        meta = meta_v1.ObjectMeta(name=name, namespace=namespace)
        reference = rbac_v1.RoleRef(apiGroup=rbac.GROUP, kind=kind, name="reader")
        binding = rbac_v1.RoleBinding if namespace else rbac_v1.ClusterRoleBinding
        await self.server.client.create(binding(metadata=meta, subjects=[subject], roleRef=reference))


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with fakes.FakeServer() as server:
        yield World(server)


def subject(kind: str, name: str, namespace: str = "") -> rbac_v1.Subject:
    group = "" if kind == "ServiceAccount" else rbac.GROUP
    return rbac_v1.Subject(kind=kind, name=name, namespace=namespace, apiGroup=group)


@pytest.mark.parametrize(
    ("kind", "name", "user", "who"),
    [
        ("User", "alice", ALICE, 'User "alice"'),
        ("Group", "dev", ALICE, 'Group "dev"'),
        (
            "ServiceAccount",
            "sa",
            requests.User("system:serviceaccount:default:sa"),
            'ServiceAccount "sa/default"',
        ),
    ],
)
async def test_subjects(world: World, kind: str, name: str, user: requests.User, who: str) -> None:
    await world.role("reader")
    assert not world.decide(user).allowed
    await world.bind("b", "Role", subject(kind, name))
    assert world.decide(user) == (
        True,
        f'RBAC: allowed by RoleBinding "b/default" of Role "reader" to {who}',
        False,
        "",
    )
    assert not world.decide(requests.User("other")).allowed
    assert not world.decide(user, namespace="other").allowed
    await world.server.client.delete(rbac_v1.RoleBinding, "b", "default")
    assert not world.decide(user).allowed


async def test_of_the_whole_cluster(world: World) -> None:
    await world.role("reader", "")
    await world.bind("b", "ClusterRole", subject("Group", "dev"), "")
    for namespace in ("", "default", "other"):
        decision = world.decide(namespace=namespace)
        assert decision.reason == 'RBAC: allowed by ClusterRoleBinding "b" of ClusterRole "reader" to Group "dev"'


async def test_roles_that_are_not_there_are_told_of(world: World) -> None:
    await world.bind("b", "Role", subject("User", "alice"))
    assert world.decide() == (False, 'RBAC: role.rbac.authorization.k8s.io "reader" not found', False, "")
    listed = world.rbac.rules_for(ALICE, "default")
    assert (listed.rules, listed.error) == ([], 'role.rbac.authorization.k8s.io "reader" not found')
    await world.role("reader")
    assert world.decide().allowed


async def test_selectors_make_no_difference(world: World) -> None:
    await world.role("reader")
    await world.bind("b", "Role", subject("User", "alice"))
    narrowed = READING._replace(selectors=requests.narrowing("a=b", ""))
    assert world.rbac.decide(ALICE, narrowed) == world.decide()
