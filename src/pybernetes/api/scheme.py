"""Kind <-> type <-> resource: which Python type carries a kind, and under which path it is served.

The table of built-in resources is generated (`types/_resources.py`); types are imported when first asked for, so that
a program pays only for the groups it uses. Custom resources make their own `Resource` with `type_name=""`; their
`carrier` is the type of their objects, or None to a client, which reads them as plain JSON trees.
"""

from __future__ import annotations

import functools
import importlib
from typing import Any
from urllib.parse import quote

import msgspec

from pybernetes.api.types import _resources


class Resource(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A resource of the API: `Resource(group="apps", version="v1", name="deployments", kind="Deployment", ...)`.

    `kind_version` is the kind's own group and version where a subresource carries a kind of another one.
    """

    group: str
    version: str
    name: str
    kind: str
    namespaced: bool
    singular: str = ""
    verbs: tuple[str, ...] = ()
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    type_name: str = ""
    kind_version: str = ""
    partial: bool = False
    carrier: Any = None

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def group_resource(self) -> str:
        """As errors name it: `deployments.apps`, `pods`."""
        return f"{self.name}.{self.group}" if self.group else self.name

    @functools.cached_property
    def type(self) -> Any:
        """The type that carries it; `dict` for unknown ones, PartialObjectMetadata for `metadata_only`."""
        if self.partial:
            return importlib.import_module("pybernetes.api.partial").PartialObjectMetadata
        if self.carrier is not None:
            return self.carrier
        return load_type(self.type_name) if self.type_name else dict

    def metadata_only(self) -> Resource:
        """The same resource, read as PartialObjectMetadata."""
        return msgspec.structs.replace(self, partial=True)

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The URL path: `/apis/apps/v1/namespaces/default/deployments/web/scale`."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        middle = f"/namespaces/{_quoted(namespace)}" if self.namespaced and namespace else ""
        tail = f"/{_quoted(name, ':')}" if name else ""
        return f"{root}{middle}/{self.name}{tail}" + (f"/{subresource}" if subresource else "")


@functools.lru_cache(maxsize=4096)
def _quoted(text: str, safe: str = "") -> str:
    return quote(text, safe=safe)


def load_type(type_name: str) -> Any:
    """`core_v1.Pod` -> the class."""
    module, name = type_name.split(".")
    return getattr(importlib.import_module(f"pybernetes.api.types.{module}"), name)


def _words(text: str) -> tuple[str, ...]:
    return tuple(filter(None, text.split(",")))


@functools.cache
def resources() -> tuple[Resource, ...]:
    """Every built-in resource, in discovery order; subresources are named `pods/status`."""
    return tuple(
        Resource(
            group=group,
            version=version,
            name=name,
            kind=kind,
            namespaced=namespaced,
            singular=singular,
            verbs=_words(verbs),
            short_names=_words(short),
            categories=_words(categories),
            type_name=type_name,
            kind_version=own,
        )
        for (
            group,
            version,
            name,
            kind,
            singular,
            namespaced,
            verbs,
            short,
            categories,
            own,
            type_name,
        ) in _resources.ROWS
    )


@functools.cache
def _by_name() -> dict[tuple[str, str, str], Resource]:
    return {(r.group, r.version, r.name): r for r in resources()}


@functools.cache
def _by_kind() -> dict[tuple[str, str], Resource]:
    return {(r.api_version, r.kind): r for r in reversed(resources()) if "/" not in r.name}


@functools.cache
def _by_type_name() -> dict[str, Resource]:
    return {r.type_name: r for r in reversed(resources()) if "/" not in r.name}


def by_name(group: str, version: str, name: str) -> Resource | None:
    """Look up by `("apps", "v1", "deployments")`."""
    return _by_name().get((group, version, name))


def by_kind(api_version: str, kind: str) -> Resource | None:
    """Look up by `("apps/v1", "Deployment")`."""
    return _by_kind().get((api_version, kind))


@functools.cache
def by_type(of: type) -> Resource:
    """Look up by the type itself, e.g. `core_v1.Pod`. Raises KeyError for types that no resource serves."""
    return _by_type_name()[f"{of.__module__.rsplit('.', 1)[1]}.{of.__name__}"]
