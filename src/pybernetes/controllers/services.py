"""Facts about Services and the pods behind them, for Endpoints and EndpointSlices alike."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable

from pybernetes.api.types import core_v1
from pybernetes.controllers import pods
from pybernetes.informers import Informer, key_of

HEADLESS_LABEL = "service.kubernetes.io/headless"
NO_CLUSTER_IP = "None"


def has_endpoints(service: core_v1.Service) -> bool:
    """Whether its endpoints are ours to find; a Service without a selector has them from elsewhere."""
    return bool(service.spec.selector) and service.spec.type != "ExternalName"


def is_headless(service: core_v1.Service) -> bool:
    return service.spec.clusterIP in ("", NO_CLUSTER_IP)


def selects(service: core_v1.Service, pod: core_v1.Pod) -> bool:
    return service.spec.selector.items() <= pod.metadata.labels.items()


def serves(pod: core_v1.Pod, *, terminating: bool) -> bool:
    """Whether a selected pod is an endpoint at all; `terminating`: those that are going, too."""
    if pods.is_terminal(pod) or not (pod.status.podIP or pod.status.podIPs):
        return False
    return terminating or pod.metadata.deletionTimestamp is None


def find_port(pod: core_v1.Pod, port: core_v1.ServicePort) -> int | None:
    """The pod's port number behind a Service's port; None where the pod has no port of that name."""
    target = port.targetPort
    if isinstance(target, int):
        return target or port.port
    sidecars = [container for container in pod.spec.initContainers if container.restartPolicy == "Always"]
    for container in (*pod.spec.containers, *sidecars):
        for known in container.ports:
            if known.name == target and (known.protocol or "TCP") == (port.protocol or "TCP"):
                return known.containerPort
    return None


def addresses(pod: core_v1.Pod, family: str) -> list[str]:
    """The pod's addresses of a family, `IPv4` or `IPv6`."""
    texts = [entry.ip for entry in pod.status.podIPs] or [pod.status.podIP]
    version = 6 if family == "IPv6" else 4
    return [str(ip) for ip in map(ipaddress.ip_address, filter(None, texts)) if ip.version == version]


def families(service: core_v1.Service) -> list[str]:
    if service.spec.ipFamilies:
        return list(service.spec.ipFamilies)
    if is_headless(service):
        return ["IPv4", "IPv6"]
    return ["IPv6" if ":" in service.spec.clusterIP else "IPv4"]


def sets_hostname(service: core_v1.Service, pod: core_v1.Pod) -> bool:
    return bool(pod.spec.hostname) and pod.spec.subdomain == service.metadata.name


class Watcher:
    """Calls `changed(key, why)` for every Service whose endpoints a change of a Service or pod may concern."""

    def __init__(
        self,
        services: Informer[core_v1.Service],
        pod_informer: Informer[core_v1.Pod],
        changed: Callable[[str, str], None],
    ) -> None:
        self._services, self._pods, self._changed = services, pod_informer, changed
        services.on_change(self._service_changed)
        pod_informer.on_change(self._pod_changed)

    def pods_of(self, service: core_v1.Service) -> Iterable[core_v1.Pod]:
        wanted = service.spec.selector.items()
        for pod in self._pods.cache.list(service.metadata.namespace):
            if wanted <= pod.metadata.labels.items():
                yield pod

    def _service_changed(self, old: core_v1.Service | None, new: core_v1.Service | None) -> None:
        self._changed(key_of(new or old), "Service changed")

    def _pod_changed(self, old: core_v1.Pod | None, new: core_v1.Pod | None) -> None:
        if old is not None and new is not None and _facts(old) == _facts(new):
            return
        pod = new or old
        if pod is None or not any(p is not None and (p.status.podIP or p.status.podIPs) for p in (old, new)):
            return
        for service in self._services.cache.list(pod.metadata.namespace):
            if has_endpoints(service) and any(p is not None and selects(service, p) for p in (old, new)):
                self._changed(key_of(service), f"pod {key_of(pod)} changed")


def _facts(pod: core_v1.Pod) -> tuple[object, ...]:
    """What of a pod its endpoints are made from."""
    return (
        pod.metadata.labels,
        pod.metadata.deletionTimestamp is None,
        pods.is_ready(pod),
        pods.is_terminal(pod),
        pod.status.podIP,
        pod.status.podIPs,
        pod.spec.nodeName,
    )
