"""The admission plugins, each by what it does to a write."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from pybernetes.api import codecs, errors
from pybernetes.api.types import core_v1, meta_v1, scheduling_v1
from tests.fakes import apiserver as fakes


@pytest.fixture
async def server() -> AsyncIterator[fakes.FakeServer]:
    async with fakes.FakeServer() as running:
        yield running


def priority(name: str, value: int, *, default: bool = False) -> scheduling_v1.PriorityClass:
    return scheduling_v1.PriorityClass(metadata=meta_v1.ObjectMeta(name=name), value=value, globalDefault=default)


class TestServiceAccount:
    async def test_a_pod_needs_its_account(self, server: fakes.FakeServer) -> None:
        with pytest.raises(errors.StatusError) as caught:
            await server.client.create(fakes.pod("p"))
        assert caught.value.code == 403
        assert 'error looking up service account default/default: serviceaccount "default" not found' in str(
            caught.value
        )

    async def test_its_token_is_mounted(self, server: fakes.FakeServer) -> None:
        await server.account()
        made = await server.client.create(fakes.pod("p"))
        assert (made.spec.serviceAccountName, made.spec.serviceAccount) == ("default", "default")
        (volume,) = made.spec.volumes
        assert volume.name.startswith("kube-api-access-")
        (mount,) = made.spec.containers[0].volumeMounts
        assert (mount.name, mount.readOnly) == (volume.name, True)
        assert mount.mountPath == "/var/run/secrets/kubernetes.io/serviceaccount"
        assert volume.projected is not None
        token, ca, namespace = volume.projected.sources
        assert token.serviceAccountToken is not None
        assert token.serviceAccountToken.expirationSeconds == 3607
        assert ca.configMap is not None
        assert ca.configMap.name == "kube-root-ca.crt"
        assert namespace.downwardAPI is not None

    async def test_unless_the_pod_or_the_account_says_no(self, server: fakes.FakeServer) -> None:
        await server.account()
        wanted = fakes.pod("p")
        wanted.spec.automountServiceAccountToken = False
        assert (await server.client.create(wanted)).spec.volumes == []
        shy = core_v1.ServiceAccount(
            metadata=meta_v1.ObjectMeta(name="shy", namespace="default"),
            automountServiceAccountToken=False,
            imagePullSecrets=[core_v1.LocalObjectReference(name="pull")],
        )
        await server.client.create(shy)
        wanted = fakes.pod("q")
        wanted.spec.serviceAccountName = "shy"
        made = await server.client.create(wanted)
        assert made.spec.volumes == []
        assert [secret.name for secret in made.spec.imagePullSecrets] == ["pull"]
        wanted = fakes.pod("r")
        wanted.spec.serviceAccountName, wanted.spec.automountServiceAccountToken = "shy", True
        assert len((await server.client.create(wanted)).spec.volumes) == 1

    async def test_only_secrets_of_the_account_where_that_is_enforced(self, server: fakes.FakeServer) -> None:
        strict = core_v1.ServiceAccount(
            metadata=meta_v1.ObjectMeta(
                name="strict",
                namespace="default",
                annotations={"kubernetes.io/enforce-mountable-secrets": "true"},
            ),
            secrets=[core_v1.ObjectReference(name="mine")],
        )
        await server.client.create(strict)
        for secret, allowed in (("mine", True), ("other", False)):
            wanted = fakes.pod(secret)
            wanted.spec.serviceAccountName = "strict"
            wanted.spec.volumes = [
                core_v1.Volume(name="v", secret=core_v1.SecretVolumeSource(secretName=secret)),
            ]
            if allowed:
                await server.client.create(wanted)
            else:
                with pytest.raises(errors.StatusError, match="does not reference that secret"):
                    await server.client.create(wanted)


class TestPriority:
    async def test_by_class_by_default_or_none(self, server: fakes.FakeServer) -> None:
        await server.account()
        assert (await server.client.create(fakes.pod("a"))).spec.priority == 0
        await server.client.create(priority("high", 100))
        await server.client.create(priority("usual", 7, default=True))
        wanted = fakes.pod("b")
        wanted.spec.priorityClassName = "high"
        made = await server.client.create(wanted)
        assert (made.spec.priority, made.spec.preemptionPolicy) == (100, "PreemptLowerPriority")
        made = await server.client.create(fakes.pod("c"))
        assert (made.spec.priorityClassName, made.spec.priority) == ("usual", 7)
        await server.client.delete(scheduling_v1.PriorityClass, "usual")
        assert (await server.client.create(fakes.pod("d"))).spec.priority == 0

    async def test_refusals(self, server: fakes.FakeServer) -> None:
        await server.account()
        wanted = fakes.pod("a")
        wanted.spec.priorityClassName = "none"
        with pytest.raises(errors.StatusError, match="no PriorityClass with name none was found"):
            await server.client.create(wanted)
        wanted = fakes.pod("a")
        wanted.spec.priority = 5
        with pytest.raises(errors.StatusError, match="must not be provided in pod spec"):
            await server.client.create(wanted)

    async def test_there_is_one_default(self, server: fakes.FakeServer) -> None:
        made = await server.client.create(priority("one", 1, default=True))
        with pytest.raises(errors.StatusError, match="is already marked as default"):
            await server.client.create(priority("two", 2, default=True))
        changed = codecs.copy(made)
        changed.description = "still the default"
        await server.client.update(changed)


class TestTolerationSeconds:
    async def test_five_minutes_unless_said(self, server: fakes.FakeServer) -> None:
        await server.account()
        wanted = fakes.pod("p")
        wanted.spec.tolerations = [
            core_v1.Toleration(
                key="node.kubernetes.io/not-ready", operator="Exists", effect="NoExecute", tolerationSeconds=1
            )
        ]
        made = await server.client.create(wanted)
        assert [(t.key, t.tolerationSeconds) for t in made.spec.tolerations] == [
            ("node.kubernetes.io/not-ready", 1),
            ("node.kubernetes.io/unreachable", 300),
        ]
        wanted = fakes.pod("q")
        wanted.spec.tolerations = [core_v1.Toleration(operator="Exists")]
        assert len((await server.client.create(wanted)).spec.tolerations) == 1


async def test_a_new_node_takes_no_pods_yet(server: fakes.FakeServer) -> None:
    made = await server.client.create(core_v1.Node(metadata=meta_v1.ObjectMeta(name="n")))
    assert [(t.key, t.effect) for t in made.spec.taints] == [("node.kubernetes.io/not-ready", "NoSchedule")]


async def test_nothing_is_made_in_a_missing_namespace(server: fakes.FakeServer) -> None:
    with pytest.raises(errors.StatusError) as caught:
        await server.client.create(fakes.config_map("a", "nope"))
    assert str(caught.value) == 'namespaces "nope" not found'
