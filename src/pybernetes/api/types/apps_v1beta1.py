"""apps/v1beta1, as manifests of 2017 have it.

Not generated: the published schema no longer has these. What did not change since is the later version's type.
"""

from __future__ import annotations

from msgspec import field

from pybernetes.api.types import apps_v1, meta_v1
from pybernetes.api.types._base import Type


class Deployment(Type):
    apiVersion: str = field(default_factory=lambda: "apps/v1beta1")
    kind: str = field(default_factory=lambda: "Deployment")
    metadata: meta_v1.ObjectMeta = field(default_factory=meta_v1.ObjectMeta)
    spec: apps_v1.DeploymentSpec = field(default_factory=apps_v1.DeploymentSpec)
    status: apps_v1.DeploymentStatus = field(default_factory=apps_v1.DeploymentStatus)


class StatefulSet(Type):
    apiVersion: str = field(default_factory=lambda: "apps/v1beta1")
    kind: str = field(default_factory=lambda: "StatefulSet")
    metadata: meta_v1.ObjectMeta = field(default_factory=meta_v1.ObjectMeta)
    spec: apps_v1.StatefulSetSpec = field(default_factory=apps_v1.StatefulSetSpec)
    status: apps_v1.StatefulSetStatus = field(default_factory=apps_v1.StatefulSetStatus)
