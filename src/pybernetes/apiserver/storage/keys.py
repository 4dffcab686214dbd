"""Where objects live in the store: upstream's layout, so that either side can read the other's data."""

from __future__ import annotations

from pybernetes.api import scheme

ROOT = "/registry/"

# Resources that upstream keeps under another name than their own.
_RENAMED = {
    "nodes": "minions",
    "services": "services/specs",
    "endpoints": "services/endpoints",
    "replicationcontrollers": "controllers",
    "ingresses": "ingress",
}
_WITH_GROUP = ("apiregistration.k8s.io", "apiextensions.k8s.io")


def prefix(resource: scheme.Resource) -> str:
    """`/registry/pods/`; custom resources are `/registry/<group>/<plural>/`."""
    if resource.group in _WITH_GROUP or not resource.type_name:
        return f"{ROOT}{resource.group}/{resource.name}/"
    return f"{ROOT}{_RENAMED.get(resource.name, resource.name)}/"


def key(prefix: str, namespace: str, name: str) -> str:
    """`/registry/pods/default/web`."""
    return f"{prefix}{namespace}/{name}" if namespace else f"{prefix}{name}"
