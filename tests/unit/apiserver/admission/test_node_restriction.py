from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from typing import Any

import pytest

from pybernetes.api import codecs, errors
from pybernetes.api.types import authentication_v1, coordination_v1, core_v1, meta_v1, resource_v1, storage_v1
from pybernetes.apiserver import request as requests
from pybernetes.apiserver.admission.node_restriction import labels, mirrors
from tests.fakes import apiserver as fakes

KUBELET = requests.User("system:node:n", groups=("system:nodes", "system:authenticated"))


@pytest.fixture
async def server() -> AsyncIterator[fakes.FakeServer]:
    on = frozenset({"NodeRestriction"})
    async with fakes.FakeServer(admission_on=on, authorization=("AlwaysAllow",)) as server:
        await server.account()
        for name in ("n", "other"):
            await server.client.create(core_v1.Node(metadata=meta_v1.ObjectMeta(name=name)))
        yield server


async def refused(doing: Awaitable[Any]) -> str:
    with pytest.raises(errors.StatusError) as caught:
        await doing
    assert caught.value.code == 403
    return str(caught.value)


class TestNodes:
    async def test_its_own_only(self, server: fakes.FakeServer) -> None:
        kubelet = server.as_user(KUBELET)
        other = codecs.copy(await server.client.get(core_v1.Node, "other"))
        other.metadata.annotations["a"] = "b"
        assert 'node "n" is not allowed to modify node "other"' in await refused(kubelet.update(other))
        assert "not allowed to modify" in await refused(kubelet.delete(core_v1.Node, "other"))
        own = codecs.copy(await server.client.get(core_v1.Node, "n"))
        own.metadata.annotations["a"] = "b"
        own.metadata.labels["kubernetes.io/os"] = "linux"
        await kubelet.update(own)

    async def test_what_it_may_not_say_of_itself(self, server: fakes.FakeServer) -> None:
        kubelet = server.as_user(KUBELET)
        own = codecs.copy(await server.client.get(core_v1.Node, "n"))
        own.metadata.labels["node-restriction.kubernetes.io/zone"] = "x"
        own.metadata.labels["k8s.io/y"] = "x"
        told = await refused(kubelet.update(own))
        assert told.endswith("is not allowed to modify labels: k8s.io/y, node-restriction.kubernetes.io/zone")
        own = codecs.copy(await server.client.get(core_v1.Node, "n"))
        own.spec.taints = []
        assert 'node "n" is not allowed to modify taints' in await refused(kubelet.update(own))

    def test_labels(self) -> None:
        allowed = {"a": "", "example.com/a": "", "node.kubernetes.io/x": "", "topology.kubernetes.io/zone": ""}
        wrong = {"node-role.kubernetes.io/control-plane": "", "sub.node-restriction.kubernetes.io/a": ""}
        assert labels.forbidden({**allowed, **wrong}, {}) == sorted(wrong)
        assert labels.forbidden(wrong, wrong) == []


class TestPods:
    async def test_mirrors_only(self, server: fakes.FakeServer) -> None:
        kubelet = server.as_user(KUBELET)
        told = await refused(kubelet.create(fakes.pod("p", node="n")))
        assert 'pod does not have "kubernetes.io/config.mirror" annotation, node "n" can only create mirror' in told
        node = await server.client.get(core_v1.Node, "n")
        mirror = fakes.pod("p", node="n")
        mirror.metadata.annotations["kubernetes.io/config.mirror"] = "x"
        assert "with an owner reference set to itself" in await refused(kubelet.create(mirror))
        owner = meta_v1.OwnerReference(apiVersion="v1", kind="Node", name="n", uid=node.metadata.uid, controller=True)
        mirror.metadata.ownerReferences = [owner]
        await kubelet.create(mirror)

    async def test_what_mirrors_may_not_need(self) -> None:
        spec = codecs.from_tree(
            core_v1.PodSpec,
            {"containers": [{"name": "c", "envFrom": [{"secretRef": {"name": "s"}}]}], "volumes": []},
        )
        assert mirrors.references(spec) == "secrets"
        volume = {"name": "v", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}
        spec = codecs.from_tree(core_v1.PodSpec, {"containers": [], "volumes": [volume]})
        assert mirrors.references(spec) == "serviceaccounts (via projected volumes)"

    async def test_those_of_others_stay(self, server: fakes.FakeServer) -> None:
        kubelet = server.as_user(KUBELET)
        pod = await server.client.create(fakes.pod("p", node="other"))
        assert "can only delete pods with spec.nodeName set to itself" in await refused(
            kubelet.delete(core_v1.Pod, "p", "default")
        )
        status = codecs.copy(pod)
        status.status.phase = "Failed"
        assert "can only update pod status for pods" in await refused(kubelet.update(status, subresource="status"))
        changed = codecs.copy(pod)
        changed.metadata.labels["a"] = "b"
        assert 'unexpected operation "UPDATE"' in await refused(kubelet.update(changed))


async def test_tokens(server: fakes.FakeServer) -> None:
    server_pod = await server.client.create(fakes.pod("p", node="n"))
    other = await server.client.create(fakes.pod("q", node="other"))
    path = "/api/v1/namespaces/default/serviceaccounts/default/token"

    def body(pod: core_v1.Pod | None, *audiences: str) -> Any:
        spec = authentication_v1.TokenRequestSpec(audiences=list(audiences))
        if pod is not None:
            meta = pod.metadata
            reference = authentication_v1.BoundObjectReference(
                apiVersion="v1", kind="Pod", name=meta.name, uid=meta.uid
            )
            spec.boundObjectRef = reference
        return codecs.to_tree(authentication_v1.TokenRequest(spec=spec))

    kubelet = {"impersonate_user": "system:node:n", "impersonate_group": "system:nodes"}
    answer = await server.ask("POST", path, body(None), **kubelet)
    assert "node requested token not bound to a pod" in answer.message
    answer = await server.ask("POST", path, body(other), **kubelet)
    assert "bound to a pod scheduled on a different node" in answer.message
    assert (await server.ask("POST", path, body(server_pod), **kubelet)).code == 201


async def test_leases_slices_and_csi_nodes(server: fakes.FakeServer) -> None:
    kubelet = server.as_user(KUBELET)
    for name, namespace, why in (
        ("n", "default", 'can only access leases in the "kube-node-lease" system namespace'),
        ("other", "kube-node-lease", "can only access node lease with the same name"),
    ):
        lease = coordination_v1.Lease(metadata=meta_v1.ObjectMeta(name=name, namespace=namespace))
        assert why in await refused(kubelet.create(lease))
    await kubelet.create(coordination_v1.Lease(metadata=meta_v1.ObjectMeta(name="n", namespace="kube-node-lease")))
    assert "can only access CSINode with the same name" in await refused(
        kubelet.create(storage_v1.CSINode(metadata=meta_v1.ObjectMeta(name="other")))
    )
    slice_ = codecs.from_tree(
        resource_v1.ResourceSlice,
        {
            "metadata": {"name": "s"},
            "spec": {
                "driver": "d",
                "nodeName": "other",
                "pool": {"name": "p", "generation": 1, "resourceSliceCount": 1},
                "devices": [],
            },
        },
    )
    assert "can only create ResourceSlice with the same NodeName" in await refused(kubelet.create(slice_))
