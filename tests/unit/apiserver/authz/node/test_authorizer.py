"""What a kubelet may, and what it is told otherwise."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from pybernetes.api import errors
from pybernetes.api.types import coordination_v1, core_v1, meta_v1, storage_v1
from pybernetes.apiserver import request as requests
from pybernetes.apiserver.authz import bootstrap
from pybernetes.apiserver.authz.node import authorizer as nodes
from pybernetes.apiserver.authz.node import graph as graphs
from pybernetes.client import client as clients
from tests.fakes import apiserver as fakes

N1 = requests.User("system:node:n1", groups=("system:nodes", "system:authenticated"))
NO_RELATION = "no relationship found between node 'n1' and this object"
OTHER_LEASES = 'can only access leases in the "kube-node-lease" system namespace'


def known() -> graphs.Graph:
    graph = graphs.Graph()
    graph.own(("volumeattachments", "resourceslices", "podcertificaterequests"))
    return graph


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ("get  secrets ns/a", NO_RELATION),
        ("list  secrets ns/", "No Object name found"),
        ("get  secrets /a", "can only read namespaced object of this type"),
        ("update  secrets ns/a", "can only read resources of this type"),
        ("get  secrets/x ns/a", "cannot read subresource"),
        ("list  persistentvolumes /", "can only get individual resources of this type"),
        ("update  persistentvolumeclaims/status ns/a", NO_RELATION),
        ("get  persistentvolumeclaims/status ns/a", "can only get/update/patch this type"),
        ("get resource.k8s.io resourceclaims ns/a", NO_RELATION),
        ("get storage.k8s.io volumeattachments /a", NO_RELATION),
        ("list  serviceaccounts ns/", "can only create tokens for individual service accounts"),
        ("create  serviceaccounts ns/a", "can only create token subresource of serviceaccount"),
        ("create  serviceaccounts/token ns/a", NO_RELATION),
        (
            "list coordination.k8s.io leases kube-node-lease/",
            "can only get, create, update, patch, or delete a node lease",
        ),
        ("get coordination.k8s.io leases ns/n1", OTHER_LEASES),
        (
            "get coordination.k8s.io leases kube-node-lease/n2",
            "can only access node lease with the same name as the requesting node",
        ),
        ("get coordination.k8s.io leases kube-node-lease/n1", None),
        ("create coordination.k8s.io leases kube-node-lease/", None),
        ("get storage.k8s.io csinodes /n2", "can only access CSINode with the same name as the requesting node"),
        ("get storage.k8s.io csinodes /n1", None),
        ("create resource.k8s.io resourceslices /", None),
        (
            "list resource.k8s.io resourceslices /",
            "can only list/watch/deletecollection resourceslices with nodeName field selector",
        ),
        ("list resource.k8s.io resourceslices / n1", None),
        ("list  nodes /", "node 'n1' cannot read all nodes, only its own Node object"),
        ("get  nodes /n2", "node 'n1' cannot read 'n2', only its own Node object"),
        ("get  nodes /n1", None),
        ("create  nodes /", None),
        ("delete  nodes /n1", ""),
        ("list  pods /", "can only list/watch pods with spec.nodeName field selector"),
        ("list  pods / n2", "can only list/watch pods with spec.nodeName field selector"),
        ("watch  pods / n1", None),
        ("get  pods ns/a", NO_RELATION),
        ("update  pods ns/a", ""),
        ("patch  pods/status ns/a", None),
        ("create  pods/eviction ns/a", None),
        ("create  pods/exec ns/a", ""),
        ("create  configmaps ns/", "can only read resources of this type"),
        ("list  services /", None),
        ("create  services ns/", ""),
        ("create authentication.k8s.io tokenreviews /", None),
    ],
)
def test_reasons(asked: str, reason: str | None) -> None:
    """None: it is allowed. A question is the verb, the group, the resource, the object, and the node selected."""
    verb, group, resource, target, *node = asked.split(" ")
    resource, _, subresource = resource.partition("/")
    namespace, _, name = target.partition("/")
    selectors = requests.narrowing(f"spec.nodeName={node[0]}", "") if node else None
    attributes = requests.Attributes(verb, "", group, "v1", namespace, resource, subresource, name, selectors=selectors)
    decision = nodes.Nodes(known(), bootstrap.node_rules()).decide(N1, attributes)
    assert (decision.allowed, decision.reason) == (reason is None, reason or "")


def test_who_is_none() -> None:
    authorizer = nodes.Nodes(known(), bootstrap.node_rules())
    reading = requests.Attributes("list", "", "", "v1", "", "services")
    nameless = requests.User("system:node:", groups=("system:nodes",))
    assert authorizer.decide(nameless, reading).reason == 'unknown node for user "system:node:"'
    for user in (requests.User("system:node:n1"), requests.User("n1", groups=("system:nodes",))):
        assert authorizer.decide(user, reading) == (False, "", False, "")
    assert authorizer.rules_for(N1, "default").incomplete


@pytest.fixture
async def server() -> AsyncIterator[fakes.FakeServer]:
    async with fakes.FakeServer() as running:
        await running.account()
        for name in ("mine", "theirs"):
            await running.client.create(core_v1.Secret(metadata=meta_v1.ObjectMeta(name=name, namespace="default")))
        yield running


def pulling(name: str, node: str, secret: str) -> core_v1.Pod:
    made = fakes.pod(name, node=node)
    made.spec.imagePullSecrets = [core_v1.LocalObjectReference(name=secret)]
    return made


async def forbidden(kubelet: clients.Client, name: str) -> bool:
    try:
        await kubelet.get(core_v1.Secret, name, "default")
    except errors.StatusError as error:
        return error.reason == "Forbidden"
    return False


async def test_secrets_of_its_own_pods_while_they_are(server: fakes.FakeServer) -> None:
    kubelet = server.as_user(N1)
    await server.client.create(pulling("there", "n2", "theirs"))
    assert await forbidden(kubelet, "mine")
    await server.client.create(pulling("here", "n1", "mine"))
    assert not await forbidden(kubelet, "mine")
    assert await forbidden(kubelet, "theirs")
    await server.client.delete(core_v1.Pod, "here", "default", grace=0)
    assert await forbidden(kubelet, "mine")


async def test_what_was_there_at_the_start_counts(server: fakes.FakeServer) -> None:
    await server.client.create(pulling("here", "n1", "mine"))
    attachment = storage_v1.VolumeAttachment(
        metadata=meta_v1.ObjectMeta(name="va"),
        spec=storage_v1.VolumeAttachmentSpec(
            attacher="d", nodeName="n1", source=storage_v1.VolumeAttachmentSource(persistentVolumeName="pv")
        ),
    )
    await server.client.create(attachment)
    async with fakes.FakeServer(store=server.store) as again:
        kubelet = again.as_user(N1)
        assert not await forbidden(kubelet, "mine")
        assert await forbidden(kubelet, "theirs")
        await kubelet.get(storage_v1.VolumeAttachment, "va")


async def test_its_lease(server: fakes.FakeServer) -> None:
    kubelet = server.as_user(N1)
    await kubelet.create(coordination_v1.Lease(metadata=meta_v1.ObjectMeta(name="n1", namespace="kube-node-lease")))
    with pytest.raises(errors.StatusError):
        await kubelet.list(coordination_v1.Lease, "kube-node-lease")
