"""Where objects live in the store: upstream's layout, so that either side can read the other's data."""

from __future__ import annotations

import functools
from typing import NamedTuple

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


class Place(NamedTuple):
    """What is kept below a prefix. Custom resources, and what is of no resource, go by the words of their keys."""

    group: str
    resource: str


def place(key: str) -> Place:
    """What is kept at a key, or below a prefix of a resource."""
    first, _, rest = key.removeprefix(ROOT).partition("/")
    return _place(first, rest.partition("/")[0])


@functools.lru_cache(maxsize=4096)
def _place(first: str, second: str) -> Place:
    built_in = _built_in()
    whole, short = f"{ROOT}{first}/{second}/", f"{ROOT}{first}/"
    if whole in built_in:
        return built_in[whole]
    if short in built_in or "." not in first:
        return built_in.get(short, Place(first, ""))
    return Place(first, second)


@functools.cache
def _built_in() -> dict[str, Place]:
    return {
        prefix(resource): Place(resource.group, resource.name)
        for resource in scheme.resources()
        if "/" not in resource.name and resource.type_name
    }


def key(prefix: str, namespace: str, name: str) -> str:
    """`/registry/pods/default/web`."""
    return f"{prefix}{namespace}/{name}" if namespace else f"{prefix}{name}"
