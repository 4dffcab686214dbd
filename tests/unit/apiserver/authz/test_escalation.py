"""Nobody grants what he does not have."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from pybernetes.api import codecs, errors
from pybernetes.api.types import meta_v1, rbac_v1
from pybernetes.apiserver.authz.bootstrap.rules import rule
from tests.fakes import apiserver as fakes

GROUP = "rbac.authorization.k8s.io"
ALICE = rbac_v1.Subject(kind="User", name="alice", apiGroup=GROUP)


@pytest.fixture
async def server() -> AsyncIterator[fakes.FakeServer]:
    """Alice may write roles and bindings everywhere, and read pods in namespace default."""
    async with fakes.FakeServer() as running:
        writing = rule("create update patch delete get", GROUP, "roles rolebindings clusterroles clusterrolebindings")
        await grant(running, "writer", [writing])
        await grant(running, "reader", [rule("get list", "core", "pods")], namespace="default")
        yield running


async def grant(server: fakes.FakeServer, name: str, rules: list[rbac_v1.PolicyRule], *, namespace: str = "") -> None:
    await server.client.create(rbac_v1.ClusterRole(metadata=meta_v1.ObjectMeta(name=name), rules=rules))
    reference = rbac_v1.RoleRef(apiGroup=GROUP, kind="ClusterRole", name=name)
    meta = meta_v1.ObjectMeta(name=name, namespace=namespace)
    kind = rbac_v1.RoleBinding if namespace else rbac_v1.ClusterRoleBinding
    await server.client.create(kind(metadata=meta, subjects=[ALICE], roleRef=reference))


def role(*rules: rbac_v1.PolicyRule, namespace: str = "default") -> rbac_v1.Role:
    return rbac_v1.Role(metadata=meta_v1.ObjectMeta(name="made", namespace=namespace), rules=list(rules))


def binding(name: str, kind: str = "ClusterRole") -> rbac_v1.RoleBinding:
    reference = rbac_v1.RoleRef(apiGroup=GROUP, kind=kind, name=name)
    return rbac_v1.RoleBinding(
        metadata=meta_v1.ObjectMeta(name="made", namespace="default"), subjects=[ALICE], roleRef=reference
    )


async def refused(coroutine: object) -> str:
    with pytest.raises(errors.StatusError) as caught:
        await coroutine  # type: ignore[misc]
    assert caught.value.reason == "Forbidden"
    return str(caught.value)


class TestRoles:
    async def test_of_what_one_has(self, server: fakes.FakeServer) -> None:
        alice = server.as_user(fakes.ALICE)
        made = await alice.create(role(rule("get", "core", "pods")))
        changed = codecs.copy(made)
        changed.rules = [rule("list", "core", "pods")]
        await alice.update(changed)

    async def test_of_what_one_has_not(self, server: fakes.FakeServer) -> None:
        alice = server.as_user(fakes.ALICE)
        assert await refused(alice.create(role(rule("delete get", "core", "pods secrets")))) == (
            'roles.rbac.authorization.k8s.io "made" is forbidden: user "alice" (groups=["system:authenticated"]) is '
            "attempting to grant RBAC permissions not currently held:\n"
            '{APIGroups:[""], Resources:["pods"], Verbs:["delete"]}\n'
            '{APIGroups:[""], Resources:["secrets"], Verbs:["delete" "get"]}'
        )
        # What is held in one namespace is not in another.
        await refused(alice.create(role(rule("get", "core", "pods"), namespace="kube-system")))

    async def test_an_update_is_no_way_around(self, server: fakes.FakeServer) -> None:
        alice = server.as_user(fakes.ALICE)
        await alice.create(role(rule("get", "core", "pods")))
        patch = {"rules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]}
        await refused(alice.patch(rbac_v1.Role, "made", "default", patch))
        stored = await server.client.get(rbac_v1.Role, "made", "default")
        assert stored.rules == [rule("get", "core", "pods")]

    async def test_garbage_collection_may_change_what_it_does(self, server: fakes.FakeServer) -> None:
        await server.client.create(role(rule("*", "core", "secrets")))
        alice = server.as_user(fakes.ALICE)
        await alice.patch(rbac_v1.Role, "made", "default", {"metadata": {"finalizers": ["example.com/x"]}})
        await refused(alice.patch(rbac_v1.Role, "made", "default", {"metadata": {"labels": {"a": "b"}}}))

    async def test_who_may_escalate_may(self, server: fakes.FakeServer) -> None:
        await grant(server, "escalating", [rule("escalate", GROUP, "roles")], namespace="default")
        await server.as_user(fakes.ALICE).create(role(rule("*", "*", "*")))

    async def test_gathering_takes_everything(self, server: fakes.FakeServer) -> None:
        gathering = rbac_v1.ClusterRole(
            metadata=meta_v1.ObjectMeta(name="sum"),
            aggregationRule=rbac_v1.AggregationRule(
                clusterRoleSelectors=[meta_v1.LabelSelector(matchLabels={"a": "b"})]
            ),
        )
        why = await refused(server.as_user(fakes.ALICE).create(gathering))
        assert why.endswith("must have cluster-admin privileges to use the aggregationRule")


class TestBindings:
    async def test_to_what_one_has(self, server: fakes.FakeServer) -> None:
        await server.as_user(fakes.ALICE).create(binding("reader"))

    async def test_to_what_one_has_not(self, server: fakes.FakeServer) -> None:
        alice = server.as_user(fakes.ALICE)
        assert "attempting to grant RBAC permissions not currently held" in await refused(
            alice.create(binding("cluster-admin"))
        )
        cluster = rbac_v1.ClusterRoleBinding(
            metadata=meta_v1.ObjectMeta(name="made"), subjects=[ALICE], roleRef=binding("reader").roleRef
        )
        await refused(alice.create(cluster))

    async def test_who_may_bind_may(self, server: fakes.FakeServer) -> None:
        await grant(server, "binder", [rule("bind", GROUP, "clusterroles", names="edit")], namespace="default")
        alice = server.as_user(fakes.ALICE)
        await alice.create(binding("edit"))
        await refused(alice.create(binding("system:node")))

    async def test_to_a_role_that_is_not_there(self, server: fakes.FakeServer) -> None:
        with pytest.raises(errors.StatusError) as caught:
            await server.as_user(fakes.ALICE).create(binding("nothing", "Role"))
        assert (caught.value.code, str(caught.value)) == (
            404,
            'roles.rbac.authorization.k8s.io "nothing" not found',
        )

    async def test_adding_subjects_is_granting(self, server: fakes.FakeServer) -> None:
        made = binding("cluster-admin")
        made.subjects = []
        await server.client.create(made)
        await refused(
            server.as_user(fakes.ALICE).patch(
                rbac_v1.RoleBinding, "made", "default", {"subjects": [codecs.to_tree(ALICE)]}
            )
        )
