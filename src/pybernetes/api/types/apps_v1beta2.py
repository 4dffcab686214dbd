"""apps/v1beta2, as manifests of 2017 have it.

Not generated: the published schema no longer has these. What did not change since is the later version's type.
"""

from __future__ import annotations

from msgspec import field

from pybernetes.api.types import apps_v1, meta_v1
from pybernetes.api.types._base import Type


class DaemonSet(Type):
    apiVersion: str = field(default_factory=lambda: "apps/v1beta2")
    kind: str = field(default_factory=lambda: "DaemonSet")
    metadata: meta_v1.ObjectMeta = field(default_factory=meta_v1.ObjectMeta)
    spec: apps_v1.DaemonSetSpec = field(default_factory=apps_v1.DaemonSetSpec)
    status: apps_v1.DaemonSetStatus = field(default_factory=apps_v1.DaemonSetStatus)


class Deployment(Type):
    apiVersion: str = field(default_factory=lambda: "apps/v1beta2")
    kind: str = field(default_factory=lambda: "Deployment")
    metadata: meta_v1.ObjectMeta = field(default_factory=meta_v1.ObjectMeta)
    spec: apps_v1.DeploymentSpec = field(default_factory=apps_v1.DeploymentSpec)
    status: apps_v1.DeploymentStatus = field(default_factory=apps_v1.DeploymentStatus)


class ReplicaSet(Type):
    apiVersion: str = field(default_factory=lambda: "apps/v1beta2")
    kind: str = field(default_factory=lambda: "ReplicaSet")
    metadata: meta_v1.ObjectMeta = field(default_factory=meta_v1.ObjectMeta)
    spec: apps_v1.ReplicaSetSpec = field(default_factory=apps_v1.ReplicaSetSpec)
    status: apps_v1.ReplicaSetStatus = field(default_factory=apps_v1.ReplicaSetStatus)


class StatefulSet(Type):
    apiVersion: str = field(default_factory=lambda: "apps/v1beta2")
    kind: str = field(default_factory=lambda: "StatefulSet")
    metadata: meta_v1.ObjectMeta = field(default_factory=meta_v1.ObjectMeta)
    spec: apps_v1.StatefulSetSpec = field(default_factory=apps_v1.StatefulSetSpec)
    status: apps_v1.StatefulSetStatus = field(default_factory=apps_v1.StatefulSetStatus)
