"""The official Python client, as people use it."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e import harness, objects

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import kubernetes
    import kubernetes.stream
    import kubernetes.watch

# The client leaves its sockets to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")


def _client(cluster: harness.Cluster) -> Iterator[Any]:
    configuration = kubernetes.client.Configuration()
    kubernetes.config.load_kube_config(str(cluster.kubeconfig), client_configuration=configuration)
    with kubernetes.client.ApiClient(configuration) as client:
        yield client
    # While this module's filter holds, so that no later test is blamed.
    gc.collect()


@pytest.fixture
def client(simulated: harness.Cluster) -> Iterator[Any]:
    yield from _client(simulated)


@pytest.fixture
def client_containers(cluster: harness.Cluster) -> Iterator[Any]:
    yield from _client(cluster)


def test_verbs(client: Any, kubectl_simulated: harness.Kubectl) -> None:
    core, apps = kubernetes.client.CoreV1Api(client), kubernetes.client.AppsV1Api(client)
    namespace = kubectl_simulated.namespace
    assert kubernetes.client.VersionApi(client).get_code().git_version.startswith("v1.36.2")
    assert [node.status.conditions[-1].type for node in core.list_node().items] == ["Ready"]
    apps.create_namespaced_deployment(namespace, objects.deployment("web", replicas=2))
    seen = []
    watch = kubernetes.watch.Watch()
    for event in watch.stream(apps.list_namespaced_deployment, namespace, timeout_seconds=20):
        seen.append(event["type"])
        if event["object"].status.ready_replicas == 2:
            watch.stop()
    assert seen[0] == "ADDED"
    patched = apps.patch_namespaced_deployment_scale("web", namespace, {"spec": {"replicas": 3}})
    assert patched.spec.replicas == 3
    assert apps.patch_namespaced_deployment("web", namespace, {"metadata": {"labels": {"a": "b"}}})
    harness.until(lambda: len(core.list_namespaced_pod(namespace, label_selector="app=web").items) == 3)
    page = core.list_namespaced_pod(namespace, limit=2)
    assert len(page.items) == 2
    assert len(core.list_namespaced_pod(namespace, limit=2, _continue=page.metadata._continue).items) == 1
    with pytest.raises(kubernetes.client.ApiException) as refused:
        core.create_namespaced_pod(namespace, {"kind": "Pod", "metadata": {"name": "x"}, "spec": {"containers": []}})
    assert refused.value.status == 422
    apps.delete_namespaced_deployment("web", namespace, propagation_policy="Foreground")
    harness.until(lambda: not core.list_namespaced_pod(namespace).items)


@pytest.mark.containers
def test_streams(client_containers: Any, kubectl: harness.Kubectl) -> None:
    core, namespace = kubernetes.client.CoreV1Api(client_containers), kubectl.namespace
    script = "echo started; httpd -f -p 8080 -h /etc & " + objects.FOREVER
    core.create_namespaced_pod(namespace, objects.pod("p", objects.container(script=script)))
    kubectl("wait", "pod/p", "--for=condition=Ready", "--timeout=30s")
    command = ["sh", "-c", "echo out; echo err >&2; exit 4"]
    exec_pod = core.connect_get_namespaced_pod_exec
    stream = kubernetes.stream.stream(
        exec_pod, "p", namespace, command=command, stdout=True, stderr=True, _preload_content=False
    )
    stream.run_forever(timeout=10)
    assert (stream.read_stdout(), stream.read_stderr(), stream.returncode) == ("out\n", "err\n", 4)
    stream.close()
    # The client's 36.0 gives the bytes' repr when it decodes logs; asked for the raw answer it does not.
    log = core.read_namespaced_pod_log("p", namespace, _preload_content=False)
    assert log.data == b"started\n"
    log.close()
