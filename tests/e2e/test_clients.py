"""Clients of others, unchanged: kopf, lightkube, kr8s, and the official one's dynamic side."""

from __future__ import annotations

import contextlib
import gc
import json
import pathlib
import subprocess
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from pybernetes.cluster import pki
from pybernetes.kits import clock
from tests.e2e import harness, objects

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import kr8s
    import kr8s.asyncio
    import kr8s.asyncio.objects
    import kr8s.objects
    import kubernetes
    import kubernetes.dynamic
    import lightkube
    import lightkube.core.exceptions
    import lightkube.generic_resource
    import lightkube.models.core_v1
    import lightkube.models.meta_v1
    import lightkube.resources.apps_v1
    import lightkube.resources.core_v1
    import lightkube.types

# The clients leave their sockets to the garbage collector.
pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning",
    "ignore::DeprecationWarning",
    # kr8s has not been told of 1.36 yet.
    "ignore:Kubernetes version .* is not supported:UserWarning",
)

OPERATOR = pathlib.Path(__file__).with_name("kopf_operator.py")
WEBHOOKS = OPERATOR.with_name("kopf_webhooks.py")
KOPF = pathlib.Path(sys.executable).with_name("kopf")
EVC: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "ephemeralvolumeclaims.kopf.dev"},
    "spec": {
        "scope": "Namespaced",
        "group": "kopf.dev",
        "names": {
            "kind": "EphemeralVolumeClaim",
            "plural": "ephemeralvolumeclaims",
            "singular": "ephemeralvolumeclaim",
            "shortNames": ["evcs", "evc"],
        },
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                        },
                    }
                },
            }
        ],
    },
}


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    yield
    # While this module's filter holds, so that no later test is blamed.
    gc.collect()


@pytest.fixture(scope="module")
def claims(simulated: harness.Cluster) -> Iterator[None]:
    """The custom resource that the tests share."""
    name = EVC["metadata"]["name"]
    simulated.kubectl.apply(EVC)
    simulated.kubectl("wait", f"crd/{name}", "--for=condition=Established", "--timeout=20s")
    yield
    simulated.kubectl("delete", "crd", name, "--timeout=20s")


def claim(name: str, **spec: Any) -> dict[str, Any]:
    return {"apiVersion": "kopf.dev/v1", "kind": "EphemeralVolumeClaim", "metadata": {"name": name}, "spec": spec}


@contextlib.contextmanager
def _operator(
    kubectl: harness.Kubectl, log: pathlib.Path, script: pathlib.Path = OPERATOR, **env: str
) -> Iterator[None]:
    with log.open("wb") as out:
        process = subprocess.Popen(
            [str(KOPF), "run", "--namespace", kubectl.namespace, "--standalone", str(script)],
            stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
            env={"KUBECONFIG": str(kubectl.kubeconfig), "PATH": "/usr/bin:/bin", "HOME": str(log.parent), **env},
        )  # fmt: skip
    try:
        yield
        process.terminate()
        assert process.wait(20) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()


def test_kopf(kubectl_simulated: harness.Kubectl, claims: None, tmp_path: pathlib.Path) -> None:
    """The tutorial's steps: create, a failure, update, labels, delete."""
    kubectl, log = kubectl_simulated, tmp_path / "kopf.log"
    with _operator(kubectl, log):
        kubectl.apply(claim("mine", size="1G"), claim("wrong"))
        harness.until(lambda: kubectl("get", "pvc", "mine", "-o", "name"))
        harness.until(lambda: "Size must be set" in kubectl("get", "events"))
        harness.until(lambda: kubectl.path(".status.create_fn.pvc-name", "get", "evc", "mine") == "mine")
        assert "PVC child is created: mine" in kubectl("get", "events")
        kubectl.apply(claim("mine", size="2G"))
        labels = ".metadata.labels"
        harness.until(lambda: '"wanted-size":"2G"' in kubectl.path(labels, "get", "pvc", "mine"))
        kubectl("label", "evc", "mine", "application-name=some")
        harness.until(lambda: '"application-name":"some"' in kubectl.path(labels, "get", "pvc", "mine"))
        assert kubectl.path(".metadata.finalizers", "get", "evc", "mine") == '["kopf.zalando.org/KopfFinalizerMarker"]'
        assert kubectl.path(".metadata.ownerReferences[0].kind", "get", "pvc", "mine") == "EphemeralVolumeClaim"
        kubectl("delete", "evc", "mine", "wrong", "--timeout=20s")
    text = log.read_text()
    assert "Traceback" not in text
    assert "mine goes" in text


def test_kopf_webhooks(kubectl_simulated: harness.Kubectl, claims: None, tmp_path: pathlib.Path) -> None:
    """Its configurations, its certificate, its answers: a refusal, a warning, a change."""
    kubectl = kubectl_simulated
    pki.Pki(tmp_path, clock.SystemClock()).server("hooks", {"127.0.0.1"})
    with _operator(kubectl, tmp_path / "kopf.log", WEBHOOKS, CERTS=str(tmp_path)):
        harness.until(lambda: kubectl("get", "validatingwebhookconfiguration", "tests.kopf.dev", "-o", "name"))
        harness.until(lambda: kubectl("get", "mutatingwebhookconfiguration", "tests.kopf.dev", "-o", "name"))
        kubectl.apply(claim("filled"))
        assert kubectl.path(".spec.size", "get", "evc", "filled") == "1G"
        assert "a size is wanted" in kubectl.apply(claim("no", size="none"), code=1)
        warned = kubectl.result("apply", "-f", "-", stdin=json.dumps(claim("large", size="1T")))
        assert "Warning: that is large" in warned.err
    for kind in ("validating", "mutating"):
        kubectl("delete", f"{kind}webhookconfiguration", "tests.kopf.dev")


class TestLightkube:
    @pytest.fixture
    def client(self, kubectl_simulated: harness.Kubectl) -> lightkube.Client:
        config = lightkube.KubeConfig.from_file(str(kubectl_simulated.kubeconfig))
        return lightkube.Client(config=config, namespace=kubectl_simulated.namespace, field_manager="e2e")

    def test_verbs(self, client: lightkube.Client) -> None:
        maps, meta = lightkube.resources.core_v1.ConfigMap, lightkube.models.meta_v1.ObjectMeta
        made = client.create(maps(metadata=meta(name="m", labels={"a": "b"}), data={"x": "1"}))
        assert made.metadata.uid
        assert [m.metadata.name for m in client.list(maps, labels={"a": "b"}, chunk_size=1)] == ["m"]
        assert client.patch(maps, "m", {"data": {"y": "2"}}).data == {"x": "1", "y": "2"}
        json_patch = [{"op": "remove", "path": "/data/x"}]
        assert client.patch(maps, "m", json_patch, patch_type=lightkube.types.PatchType.JSON).data == {"y": "2"}
        client.apply(maps(apiVersion="v1", kind="ConfigMap", metadata=meta(name="m"), data={"z": "3"}))
        with pytest.raises(lightkube.core.exceptions.ApiError) as conflict:
            client.apply(
                maps(apiVersion="v1", kind="ConfigMap", metadata=meta(name="m"), data={"z": "4"}),
                field_manager="other",
            )
        assert conflict.value.status.code == 409
        found = client.get(maps, "m")
        found.data = {"z": "5"}
        assert client.replace(found).data == {"z": "5"}
        client.delete(maps, "m")
        with pytest.raises(lightkube.core.exceptions.ApiError) as gone:
            client.get(maps, "m")
        assert gone.value.status.reason == "NotFound"

    def test_watch_and_subresources(self, client: lightkube.Client, kubectl_simulated: harness.Kubectl) -> None:
        deployments = lightkube.resources.apps_v1.Deployment
        kubectl_simulated.apply(objects.deployment("web"))
        for _, seen in client.watch(deployments, fields={"metadata.name": "web"}, server_timeout=20):
            if seen.status and seen.status.readyReplicas == 1:
                break
        client.wait(deployments, "web", for_conditions=["Available"])
        scale = client.get(deployments.Scale, "web")
        scale.spec.replicas = 2
        assert client.replace(scale).spec.replicas == 2
        pods = lightkube.resources.core_v1.Pod
        harness.until(lambda: len(list(client.list(pods, labels={"app": "web"}))) == 2)
        client.deletecollection(deployments)
        harness.until(lambda: not list(client.list(deployments)))

    def test_generic_resources(self, client: lightkube.Client, claims: None) -> None:
        """As `load_in_cluster_generic_resources` finds them by their definitions."""
        lightkube.generic_resource.load_in_cluster_generic_resources(client)
        kind = lightkube.generic_resource.get_generic_resource("kopf.dev/v1", "EphemeralVolumeClaim")
        client.create(kind(metadata={"name": "g"}, spec={"size": "1G"}))
        assert client.get(kind, "g").spec == {"size": "1G"}
        merge = lightkube.types.PatchType.MERGE
        assert client.patch(kind, "g", {"spec": {"size": "2G"}}, patch_type=merge).spec == {"size": "2G"}
        assert [one.metadata.name for one in client.list(kind)] == ["g"]
        client.delete(kind, "g")


class TestKr8s:
    def test_in_step(self, kubectl_simulated: harness.Kubectl, claims: None) -> None:
        namespace = kubectl_simulated.namespace
        api = kr8s.api(kubeconfig=str(kubectl_simulated.kubeconfig), namespace=namespace)
        assert api.version()["minor"].startswith("36")
        pod = kr8s.objects.Pod({**objects.pod("p"), "metadata": {"name": "p", "namespace": namespace}}, api=api)
        pod.create()
        pod.wait("condition=Ready", timeout=20)
        assert pod.ready()
        pod.label({"a": "b"})
        pod.annotate({"c": "d"})
        assert [found.name for found in api.get("pods", label_selector={"a": "b"}, namespace=namespace)] == ["p"]
        pod.patch({"metadata": {"labels": {"a": None}}})
        assert "a" not in pod.labels
        deployment = kr8s.objects.Deployment(
            {**objects.deployment("web"), "metadata": {"name": "web", "namespace": namespace}}, api=api
        )
        deployment.create()
        deployment.scale(2)
        deployment.wait("condition=Available", timeout=20)
        harness.until(lambda: len(deployment.pods()) == 2)
        kinds = {resource["kind"] for resource in api.api_resources()}
        assert {"Pod", "EphemeralVolumeClaim"} <= kinds
        kind = kr8s.objects.new_class("EphemeralVolumeClaim", "kopf.dev/v1", namespaced=True)
        made = kind({"metadata": {"name": "k", "namespace": namespace}, "spec": {"size": "1G"}}, api=api)
        made.create()
        assert made.exists()
        for one in (made, pod, deployment):
            one.delete()
        pod.wait("delete", timeout=20)

    async def test_out_of_step(self, kubectl_simulated: harness.Kubectl) -> None:
        namespace = kubectl_simulated.namespace
        api = await kr8s.asyncio.api(kubeconfig=str(kubectl_simulated.kubeconfig), namespace=namespace)
        pod = await kr8s.asyncio.objects.Pod(
            {**objects.pod("p"), "metadata": {"name": "p", "namespace": namespace}}, api=api
        )
        await pod.create()
        seen = []
        async for event, found in api.watch("pods", namespace=namespace):
            seen.append(event)
            if found.status.get("phase") == "Running":
                break
        assert seen[0] == "ADDED"
        await pod.refresh()
        assert pod.status.phase == "Running"
        await pod.delete()
        await pod.wait("delete", timeout=20)
        assert [one.name async for one in api.get("pods", namespace=namespace)] == []


class TestDynamicClient:
    @pytest.fixture
    def client(self, kubectl_simulated: harness.Kubectl) -> Iterator[Any]:
        configuration = kubernetes.client.Configuration()
        kubernetes.config.load_kube_config(str(kubectl_simulated.kubeconfig), client_configuration=configuration)
        with kubernetes.client.ApiClient(configuration) as client:
            yield kubernetes.dynamic.DynamicClient(client)

    def test_verbs(self, client: Any, kubectl_simulated: harness.Kubectl, claims: None) -> None:
        namespace = kubectl_simulated.namespace
        kind = client.resources.get(api_version="kopf.dev/v1", kind="EphemeralVolumeClaim")
        made = kind.create(body=claim("d", size="1G"), namespace=namespace)
        assert made.spec.size == "1G"
        patched = kind.patch(
            body={"metadata": {"name": "d"}, "spec": {"size": "2G"}}, namespace=namespace,
            content_type="application/merge-patch+json",
        )  # fmt: skip
        assert patched.spec.size == "2G"
        assert [item.metadata.name for item in kind.get(namespace=namespace).items] == ["d"]
        events = [event["type"] for event in kind.watch(namespace=namespace, timeout=1)]
        assert events == ["ADDED"]
        kind.delete(name="d", namespace=namespace)

        deployments = client.resources.get(api_version="apps/v1", kind="Deployment")
        body = objects.deployment("web")
        applied = deployments.server_side_apply(body=body, namespace=namespace, field_manager="e2e")
        assert applied.metadata.managedFields[0].operation == "Apply"
        deployments.scale.patch(
            name="web", namespace=namespace, body={"spec": {"replicas": 2}},
            content_type="application/merge-patch+json",
        )  # fmt: skip
        assert deployments.get(name="web", namespace=namespace).spec.replicas == 2
        maps = client.resources.get(api_version="v1", kind="ConfigMap")
        refused = maps.create(body=objects.config_map("m"), namespace=namespace, dry_run="All")
        assert refused.metadata.name == "m"
        with pytest.raises(kubernetes.dynamic.exceptions.NotFoundError):
            maps.get(name="m", namespace=namespace)
        assert json.dumps(deployments.get(name="web", namespace=namespace).to_dict())
