"""extensions/v1beta1, as manifests of 2017 have it.

Not generated: the published schema no longer has these. What did not change since is the later version's type.
"""

from __future__ import annotations

from msgspec import field

from pybernetes.api.types import apps_v1, core_v1, meta_v1, networking_v1
from pybernetes.api.types._base import Type, written_list


class DaemonSet(Type):
    apiVersion: str = field(default_factory=lambda: "extensions/v1beta1")
    kind: str = field(default_factory=lambda: "DaemonSet")
    metadata: meta_v1.ObjectMeta = field(default_factory=meta_v1.ObjectMeta)
    spec: apps_v1.DaemonSetSpec = field(default_factory=apps_v1.DaemonSetSpec)
    status: apps_v1.DaemonSetStatus = field(default_factory=apps_v1.DaemonSetStatus)


class Deployment(Type):
    apiVersion: str = field(default_factory=lambda: "extensions/v1beta1")
    kind: str = field(default_factory=lambda: "Deployment")
    metadata: meta_v1.ObjectMeta = field(default_factory=meta_v1.ObjectMeta)
    spec: apps_v1.DeploymentSpec = field(default_factory=apps_v1.DeploymentSpec)
    status: apps_v1.DeploymentStatus = field(default_factory=apps_v1.DeploymentStatus)


class ReplicaSet(Type):
    apiVersion: str = field(default_factory=lambda: "extensions/v1beta1")
    kind: str = field(default_factory=lambda: "ReplicaSet")
    metadata: meta_v1.ObjectMeta = field(default_factory=meta_v1.ObjectMeta)
    spec: apps_v1.ReplicaSetSpec = field(default_factory=apps_v1.ReplicaSetSpec)
    status: apps_v1.ReplicaSetStatus = field(default_factory=apps_v1.ReplicaSetStatus)


class NetworkPolicy(Type):
    apiVersion: str = field(default_factory=lambda: "extensions/v1beta1")
    kind: str = field(default_factory=lambda: "NetworkPolicy")
    metadata: meta_v1.ObjectMeta = field(default_factory=meta_v1.ObjectMeta)
    spec: networking_v1.NetworkPolicySpec = field(default_factory=networking_v1.NetworkPolicySpec)


class IngressBackend(Type):
    resource: core_v1.TypedLocalObjectReference | None = None
    serviceName: str = ""
    servicePort: int | str = 0


class HTTPIngressPath(Type):
    backend: IngressBackend = field(default_factory=IngressBackend)
    path: str = ""
    pathType: str | None = None


class HTTPIngressRuleValue(Type):
    paths: list[HTTPIngressPath] = field(default_factory=written_list)


class IngressRule(Type):
    host: str = ""
    http: HTTPIngressRuleValue | None = None


class IngressSpec(Type):
    backend: IngressBackend | None = None
    ingressClassName: str | None = None
    rules: list[IngressRule] = []
    tls: list[networking_v1.IngressTLS] = []


class Ingress(Type):
    apiVersion: str = field(default_factory=lambda: "extensions/v1beta1")
    kind: str = field(default_factory=lambda: "Ingress")
    metadata: meta_v1.ObjectMeta = field(default_factory=meta_v1.ObjectMeta)
    spec: IngressSpec = field(default_factory=IngressSpec)
    status: networking_v1.IngressStatus = field(default_factory=networking_v1.IngressStatus)
