"""The sandbox that a pod asks for. Pure."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

from pybernetes.api.types import core_v1
from pybernetes.kits import resolver as resolvers
from pybernetes.kubelet import settings as kubelet_settings
from pybernetes.kubelet.containers import labels, names, security
from pybernetes.kubelet.pods import restarts
from pybernetes.runtime import protocol


def log_directory(settings: kubelet_settings.Settings, pod: core_v1.Pod) -> pathlib.Path:
    return settings.logs / f"{pod.metadata.namespace}_{pod.metadata.name}_{pod.metadata.uid}"


def cgroup_parent(settings: kubelet_settings.Settings, uid: str) -> str:
    return f"{settings.cgroup_root}/pod{uid}"


def _ports(pod: core_v1.Pod) -> Iterator[protocol.PortMapping]:
    if pod.spec.hostNetwork:
        return
    sidecars = [container for container in pod.spec.initContainers if restarts.is_sidecar(container)]
    for container in [*sidecars, *pod.spec.containers]:
        for port in container.ports:
            if port.hostPort:
                yield protocol.PortMapping(
                    protocol=port.protocol or "TCP",
                    container_port=port.containerPort,
                    host_port=port.hostPort,
                    host_ip=port.hostIP,
                )


def config(
    pod: core_v1.Pod, *, attempt: int, settings: kubelet_settings.Settings, resolver: resolvers.Resolver
) -> protocol.SandboxConfig:
    name, qualified = names.host_name(pod, settings.cluster_domain)
    context = pod.spec.securityContext or core_v1.PodSecurityContext()
    hostname = "" if pod.spec.hostNetwork else (qualified if pod.spec.setHostnameAsFQDN and qualified else name)
    return protocol.SandboxConfig(
        name=pod.metadata.name,
        namespace=pod.metadata.namespace,
        uid=pod.metadata.uid,
        attempt=attempt,
        hostname=hostname,
        log_directory=str(log_directory(settings, pod)),
        dns=names.dns(pod, resolver, cluster_dns=settings.cluster_dns, domain=settings.cluster_domain),
        port_mappings=list(_ports(pod)),
        labels={**pod.metadata.labels, **labels.pod_labels(pod)},
        annotations=pod.metadata.annotations,
        cgroup_parent=cgroup_parent(settings, pod.metadata.uid),
        sysctls={sysctl.name: sysctl.value for sysctl in context.sysctls},
        security=security.of_sandbox(pod),
    )
