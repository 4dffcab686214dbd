"""What leads to which node, as objects come and go."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pybernetes.api import codecs
from pybernetes.api.types import core_v1
from pybernetes.apiserver.authz.node import graph as graphs
from pybernetes.apiserver.authz.node import references


def pod(name: str = "p", node: str = "n1", *, uid: str = "", status: Any = None, **spec: Any) -> references.Pod:
    tree = {
        "metadata": {"name": name, "namespace": "ns", "uid": uid},
        "spec": {"nodeName": node, **spec},
        "status": status or {},
    }
    return codecs.decode(references.Pod, codecs.encode(tree))


def volume(name: str, claim: str, *, secret: str = "") -> core_v1.PersistentVolume:
    csi: dict[str, Any] = {"driver": "d", "volumeHandle": "h"}
    if secret:
        csi["nodePublishSecretRef"] = {"namespace": "secrets", "name": secret}
        csi["controllerPublishSecretRef"] = {"namespace": "secrets", "name": "not-for-kubelets"}
    tree = {"metadata": {"name": name}, "spec": {"csi": csi, "claimRef": {"namespace": "ns", "name": claim}}}
    return codecs.decode(core_v1.PersistentVolume, codecs.encode(tree))


def test_what_a_pod_refers_to() -> None:
    graph = graphs.Graph()
    graph.pod(
        pod(
            serviceAccountName="sa",
            imagePullSecrets=[{"name": "pull"}],
            containers=[
                {
                    "name": "c",
                    "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "env", "key": "k"}}}],
                    "envFrom": [{"configMapRef": {"name": "all"}}],
                }
            ],
            volumes=[
                {"name": "a", "secret": {"secretName": "mounted"}},
                {"name": "b", "projected": {"sources": [{"configMap": {"name": "projected"}}]}},
                {"name": "c", "persistentVolumeClaim": {"claimName": "claim"}},
                {"name": "d", "ephemeral": {"volumeClaimTemplate": {"spec": {}}}},
                {"name": "e", "csi": {"driver": "d", "nodePublishSecretRef": {"name": "csi"}}},
            ],
            resourceClaims=[{"name": "own", "resourceClaimName": "rc"}, {"name": "made"}],
            status={"resourceClaimStatuses": [{"name": "made", "resourceClaimName": "rc-made"}]},
        )
    )
    for resource, name in (
        ("serviceaccounts", "sa"),
        ("secrets", "pull"),
        ("secrets", "env"),
        ("secrets", "mounted"),
        ("secrets", "csi"),
        ("configmaps", "all"),
        ("configmaps", "projected"),
        ("persistentvolumeclaims", "claim"),
        ("persistentvolumeclaims", "p-d"),
        ("resourceclaims", "rc"),
        ("resourceclaims", "rc-made"),
        ("pods", "p"),
    ):
        assert graph.leads(resource, ("ns", name), "n1"), name
        assert not graph.leads(resource, ("ns", name), "n2"), name
        assert not graph.leads(resource, ("other", name), "n1"), name
    graph.pod_gone(("ns", "p"))
    assert not graph.leads("secrets", ("ns", "env"), "n1")


def test_a_mirror_pod_leads_to_nothing() -> None:
    graph = graphs.Graph()
    mirror = pod(imagePullSecrets=[{"name": "pull"}])
    mirror.metadata.annotations[references.MIRROR] = "x"
    graph.pod(mirror)
    assert graph.leads("pods", ("ns", "p"), "n1")
    assert not graph.leads("secrets", ("ns", "pull"), "n1")


def test_volumes_lead_on_to_pods() -> None:
    graph = graphs.Graph()
    graph.volume(volume("pv", "claim", secret="s"))
    assert not graph.leads("persistentvolumes", ("", "pv"), "n1")
    graph.pod(pod(volumes=[{"name": "c", "persistentVolumeClaim": {"claimName": "claim"}}]))
    assert graph.leads("persistentvolumes", ("", "pv"), "n1")
    assert graph.leads("secrets", ("secrets", "s"), "n1")
    assert not graph.leads("secrets", ("secrets", "s"), "n2")
    assert not graph.leads("secrets", ("secrets", "not-for-kubelets"), "n1")
    graph.volume_gone("pv")
    assert not graph.leads("secrets", ("secrets", "s"), "n1")


def test_what_belongs_to_a_node() -> None:
    graph = graphs.Graph()
    graph.own(["volumeattachments"])
    graph.owned("volumeattachments", ("", "a"), "n1")
    assert graph.leads("volumeattachments", ("", "a"), "n1")
    assert not graph.leads("volumeattachments", ("", "a"), "n2")
    graph.owned("volumeattachments", ("", "a"), "")
    assert not graph.leads("volumeattachments", ("", "a"), "n1")


def test_containers_that_come_later_count() -> None:
    graph = graphs.Graph()
    graph.pod(pod())
    late = {"name": "e", "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "late", "key": "k"}}}]}
    graph.pod(pod(ephemeralContainers=[late]))
    assert graph.leads("secrets", ("ns", "late"), "n1")


pods = st.tuples(st.sampled_from("ab"), st.sampled_from(["", "n1", "n2"]), st.frozensets(st.sampled_from("xyz")))


@given(st.lists(st.tuples(st.booleans(), pods), max_size=20))
def test_it_is_as_if_made_anew(steps: list[tuple[bool, tuple[str, str, frozenset[str]]]]) -> None:
    """Whatever came before, it says what those pods say that there are."""
    graph = graphs.Graph()
    left: dict[str, tuple[str, frozenset[str]]] = {}
    for number, (gone, (name, node, secrets)) in enumerate(steps):
        graph.pod_gone(("ns", name))
        left.pop(name, None)
        if not gone:
            pulls = [{"name": secret} for secret in sorted(secrets)]
            graph.pod(pod(name, node, uid=str(number), imagePullSecrets=pulls))
            left[name] = (node, secrets)
    for node in ("n1", "n2"):
        for secret in "xyz":
            wanted = any(where == node and secret in secrets for where, secrets in left.values())
            assert graph.leads("secrets", ("ns", secret), node) is wanted
