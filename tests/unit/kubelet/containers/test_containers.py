from __future__ import annotations

import base64

import pytest

from pybernetes.api import times
from pybernetes.api.quantity import Quantity
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.kits import resolver as resolvers
from pybernetes.kubelet import images
from pybernetes.kubelet.containers import downward, environment, expansion, names, resources
from tests.fakes import node as nodes


class Source:
    async def config_map(self, namespace: str, name: str) -> core_v1.ConfigMap | None:
        return core_v1.ConfigMap(data={"a": "1", "b": "2"}) if name == "there" else None

    async def secret(self, namespace: str, name: str) -> core_v1.Secret | None:
        return core_v1.Secret(data={"p": base64.b64encode(b"hush").decode()}) if name == "there" else None


@pytest.mark.parametrize(
    ("text", "expanded"),
    [("$(A)", "1"), ("x$(A)y$(B)", "x1y$(B)"), ("$$(A)", "$(A)"), ("$A $(", "$A $("), ("$$$(A)", "$1")],
)
def test_expansion(text: str, expanded: str) -> None:
    assert expansion.expand(text, {"A": "1"}) == expanded


async def build(container: core_v1.Container, services: dict[str, str] | None = None) -> dict[str, str]:
    facts = downward.Facts(pod_ips=("10.0.0.2",), host_ips=("192.0.2.1",))
    return await environment.build(
        nodes.pod("web", container), container, services=services or {}, source=Source(), facts=facts
    )


async def test_environment_from_everywhere() -> None:
    container = nodes.container(
        "c",
        envFrom=[core_v1.EnvFromSource(prefix="X_", configMapRef=core_v1.ConfigMapEnvSource(name="there"))],
        env=[
            core_v1.EnvVar(name="ONE", value="$(X_a)-$(SVC)"),
            core_v1.EnvVar(
                name="IP",
                valueFrom=core_v1.EnvVarSource(fieldRef=core_v1.ObjectFieldSelector(fieldPath="status.podIP")),
            ),
            core_v1.EnvVar(
                name="PASSWORD",
                valueFrom=core_v1.EnvVarSource(secretKeyRef=core_v1.SecretKeySelector(name="there", key="p")),
            ),
        ],
    )
    assert await build(container, {"SVC": "10.96.0.1"}) == {
        "SVC": "10.96.0.1",
        "X_a": "1",
        "X_b": "2",
        "ONE": "1-10.96.0.1",
        "IP": "10.0.0.2",
        "PASSWORD": "hush",
    }


async def test_a_reference_that_leads_nowhere() -> None:
    key = core_v1.ConfigMapKeySelector(name="missing", key="k")
    container = nodes.container(
        "c", env=[core_v1.EnvVar(name="A", valueFrom=core_v1.EnvVarSource(configMapKeyRef=key))]
    )
    with pytest.raises(environment.ConfigError, match='configmap "missing" not found'):
        await build(container)
    key.optional = True
    assert await build(container) == {}
    there = core_v1.ConfigMapKeySelector(name="there", key="k")
    container.env[0].valueFrom = core_v1.EnvVarSource(configMapKeyRef=there)
    with pytest.raises(environment.ConfigError, match="couldn't find key k in ConfigMap default/there"):
        await build(container)


def test_service_variables() -> None:
    service = core_v1.Service(
        metadata=meta_v1.ObjectMeta(name="my-web"),
        spec=core_v1.ServiceSpec(
            clusterIP="10.96.0.9", ports=[core_v1.ServicePort(name="http", port=80, protocol="TCP")]
        ),
    )
    assert environment.service_variables([service]) == {
        "MY_WEB_SERVICE_HOST": "10.96.0.9",
        "MY_WEB_SERVICE_PORT": "80",
        "MY_WEB_SERVICE_PORT_HTTP": "80",
        "MY_WEB_PORT": "tcp://10.96.0.9:80",
        "MY_WEB_PORT_80_TCP": "tcp://10.96.0.9:80",
        "MY_WEB_PORT_80_TCP_PROTO": "tcp",
        "MY_WEB_PORT_80_TCP_PORT": "80",
        "MY_WEB_PORT_80_TCP_ADDR": "10.96.0.9",
    }


def requirements(**amounts: str) -> core_v1.ResourceRequirements:
    given = {name: Quantity.parse(text) for name, text in amounts.items()}
    return core_v1.ResourceRequirements(requests=given, limits=given)


def test_resources_as_the_kernel_counts_them() -> None:
    container = nodes.container("c", resources=requirements(cpu="250m", memory="64Mi"))
    found = resources.of(nodes.pod("web", container), container, 8 << 30)
    assert (found.cpu_shares, found.cpu_quota, found.cpu_period) == (256, 25_000, 100_000)
    assert (found.memory_limit, found.oom_score_adj) == (64 << 20, -997)
    nothing = nodes.container()
    assert resources.of(nodes.pod("web", nothing), nothing, 8 << 30).oom_score_adj == 1000
    assert resources.of(nodes.pod("web", nothing), nothing, 8 << 30).cpu_shares == 2


def test_qos() -> None:
    assert resources.qos_class(nodes.pod()) == "BestEffort"
    assert (
        resources.qos_class(nodes.pod("p", nodes.container(resources=requirements(cpu="1", memory="1Gi"))))
        == "Guaranteed"
    )
    assert resources.qos_class(nodes.pod("p", nodes.container(resources=requirements(cpu="1")))) == "Burstable"


def test_dns_policies() -> None:
    node = resolvers.parse("nameserver 192.0.2.53\nsearch example.com\noptions edns0\n")
    pod = nodes.pod()

    def dns(cluster: list[str]) -> tuple[list[str], list[str], list[str]]:
        found = names.dns(pod, node, cluster_dns=cluster, domain="cluster.local")
        return list(found.servers), list(found.searches), list(found.options)

    assert dns([]) == (["192.0.2.53"], ["example.com"], ["edns0"])
    searches = ["default.svc.cluster.local", "svc.cluster.local", "cluster.local", "example.com"]
    assert dns(["10.96.0.10"]) == (["10.96.0.10"], searches, ["ndots:5"])
    pod.spec.dnsPolicy = "None"
    pod.spec.dnsConfig = core_v1.PodDNSConfig(nameservers=["1.1.1.1"])
    assert dns(["10.96.0.10"]) == (["1.1.1.1"], [], [])


def test_hosts_file() -> None:
    pod = nodes.pod(subdomain="db", hostAliases=[core_v1.HostAlias(ip="1.2.3.4", hostnames=["a", "b"])])
    text = names.hosts_file(pod, ["10.0.0.2"], "cluster.local", "")
    assert text.startswith("# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n")
    assert "10.0.0.2\tweb.db.default.svc.cluster.local\tweb\n" in text
    assert text.endswith("\n# Entries added by HostAliases.\n1.2.3.4\ta\tb\n")


@pytest.mark.parametrize(
    ("seconds", "text"), [(10, "10s"), (80, "1m20s"), (300, "5m0s"), (1.5, "1.5s"), (0.25, "250ms"), (3661, "1h1m1s")]
)
def test_go_durations(seconds: float, text: str) -> None:
    assert times.go_duration(seconds) == text


def test_image_names() -> None:
    assert images.with_default_tag("busybox") == "busybox:latest"
    assert images.with_default_tag("host:5000/a") == "host:5000/a:latest"
    assert images.registry_of("busybox") == "index.docker.io"
    assert images.registry_of("quay.io/a/b") == "quay.io"
