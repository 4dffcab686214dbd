"""The Service `kube-dns`, by which pods reach the DNS that runs beside their node's proxy."""

from __future__ import annotations

import ipaddress
import logging

from pybernetes import client as clients
from pybernetes.api import errors
from pybernetes.api.types import core_v1, discovery_v1, meta_v1
from pybernetes.cluster import layout

log = logging.getLogger(__name__)

NAME, NAMESPACE = "kube-dns", "kube-system"
# Not 53: the machine may have a server of its own, which often listens on all addresses.
PORT = 10053
# Of the address within the range of Services; that is where other tools expect it, too.
_NUMBER = 10
_PORTS = (("dns", "UDP"), ("dns-tcp", "TCP"))


def service_address(options: layout.Options) -> str:
    """What is in the resolv.conf of pods."""
    return str(ipaddress.ip_network(options.service_cidr)[_NUMBER])


def listen_address(options: layout.Options) -> str:
    """The gateway of the node's pods: nobody outside reaches it."""
    return str(ipaddress.ip_network(options.pod_cidr)[1])


async def announce(client: clients.Client, options: layout.Options) -> None:
    """Have the Service lead to the node's DNS. One that selects pods is somebody's who has brought a DNS along."""
    # The node process, which asks for the addresses above, has no API server.
    from pybernetes.apiserver import bootstrap

    try:
        found = await bootstrap.ensure(client, service(options))
    except errors.StatusError as error:
        # Such as an address that another Service has had since before there was a DNS.
        log.error("the Service %s/%s cannot be made; pods will not find each other by name: %s", NAMESPACE, NAME, error)
        return
    if not found.spec.selector:
        await bootstrap.replace(client, endpoints(options), ("endpoints", "ports"))


def service(options: layout.Options) -> core_v1.Service:
    return core_v1.Service(
        metadata=meta_v1.ObjectMeta(
            name=NAME,
            namespace=NAMESPACE,
            labels={"k8s-app": NAME, "kubernetes.io/cluster-service": "true", "kubernetes.io/name": "CoreDNS"},
        ),
        spec=core_v1.ServiceSpec(
            clusterIP=service_address(options),
            ports=[
                core_v1.ServicePort(name=name, port=53, protocol=protocol, targetPort=PORT) for name, protocol in _PORTS
            ],
        ),
    )


def endpoints(options: layout.Options) -> discovery_v1.EndpointSlice:
    return discovery_v1.EndpointSlice(
        metadata=meta_v1.ObjectMeta(name=NAME, namespace=NAMESPACE, labels={"kubernetes.io/service-name": NAME}),
        addressType="IPv4",
        endpoints=[
            discovery_v1.Endpoint(
                addresses=[listen_address(options)], conditions=discovery_v1.EndpointConditions(ready=True)
            )
        ],
        ports=[discovery_v1.EndpointPort(name=name, port=PORT, protocol=protocol) for name, protocol in _PORTS],
    )
