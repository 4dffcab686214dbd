"""Which groups, versions and resources are served: the legacy documents and the aggregated one."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Protocol

import msgspec

from pybernetes.api import scheme, storage_versions
from pybernetes.apiserver import request as requests
from pybernetes.apiserver import results
from pybernetes.apiserver.extensions import versions as order
from pybernetes.apiserver.extensions.aggregation import remotes as remotes_
from pybernetes.apiserver.extensions.aggregation import shown

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


class Served(Protocol):
    """Where the resources come from; `generation` changes with them."""

    generation: int

    def resources(self) -> Sequence[scheme.Resource]:
        """In discovery order, subresources (`pods/log`) among them; custom ones, which have a carrier, come last."""
        ...

    def stored_as(self, resource: scheme.Resource) -> str:
        """`apps/v1/Deployment`: what the objects of a resource are stored as; empty for what is not stored."""
        ...


class Remotes(Protocol):
    """Where the groups and versions of other servers come from."""

    generation: int
    remotes: dict[remotes_.Key, remotes_.Remote]


class Discovery:
    """The documents are made when they are asked for first, and again after the resources have changed."""

    def __init__(self, served: Served, others: Remotes, *, address: str) -> None:
        self._served = served
        self._others = others
        self._address = address
        self._generation = (-1, -1)
        self._groups: dict[str, dict[str, list[scheme.Resource]]] = {}
        self._documents: dict[str, bytes] = {}
        self._etags: dict[str, str] = {}

    def _refresh(self) -> None:
        self._generation = (self._served.generation, self._others.generation)
        self._groups = shown.merged(grouped(self._served.resources()), self._others.remotes.values())
        self._documents.clear()
        self._etags.clear()
        self._build(self._address)

    def answer(self, request: requests.Request) -> results.Document | None:
        """The document for a path, None if the path is not one of discovery."""
        if self._generation != (self._served.generation, self._others.generation):
            self._refresh()
        path = request.path.rstrip("/") or "/"
        if path in ("/api", "/apis") and "as=APIGroupDiscoveryList" in request.header("accept"):
            return self._aggregated(path, request)
        body = self._documents.get(path)
        return None if body is None else results.Document(body)

    def _aggregated(self, path: str, request: requests.Request) -> results.Document:
        key = f"{path}#aggregated"
        etag = self._etags[key]
        headers = (("ETag", etag), ("Vary", "Accept"))
        if request.header("if-none-match") == etag:
            return results.Document(b"", AGGREGATED, 304, headers)
        return results.Document(self._documents[key], AGGREGATED, 200, headers)

    def _build(self, address: str) -> None:
        add = self._documents.__setitem__
        add(
            "/api",
            _json(
                {
                    "kind": "APIVersions",
                    "versions": list(self._groups.get("", ())),
                    "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
                }
            ),
        )
        groups = [_group(name, list(versions)) for name, versions in self._groups.items() if name]
        add("/apis", _json({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}))
        for name, versions in self._groups.items():
            if name:
                add(f"/apis/{name}", _json({"kind": "APIGroup", "apiVersion": "v1", **_group(name, list(versions))}))
            for version, resources in versions.items():
                if (name, version) in self._others.remotes:
                    # Its server is asked.
                    continue
                path = f"/apis/{name}/{version}" if name else f"/api/{version}"
                add(path, _json(_resource_list(name, version, resources, self._served)))
        for path, wanted in (("/api", [""]), ("/apis", [name for name in self._groups if name])):
            stale = {remote.key for remote in self._others.remotes.values() if not remote.available}
            items = [_aggregated_group(name, self._groups[name], stale) for name in wanted if name in self._groups]
            body = _json(
                {
                    "kind": "APIGroupDiscoveryList",
                    "apiVersion": "apidiscovery.k8s.io/v2",
                    "metadata": {},
                    "items": items,
                }
            )
            add(f"{path}#aggregated", body)
            self._etags[f"{path}#aggregated"] = f'"{hashlib.sha256(body).hexdigest().upper()}"'


def grouped(resources: Iterable[scheme.Resource]) -> dict[str, dict[str, list[scheme.Resource]]]:
    """By group and version. Groups of custom resources follow the built-in ones; newer versions come first."""
    built_in: dict[str, dict[str, list[scheme.Resource]]] = {}
    custom: dict[str, dict[str, list[scheme.Resource]]] = {}
    group_is_custom: dict[str, bool] = {}
    for resource in resources:
        of = custom if group_is_custom.setdefault(resource.group, resource.carrier is not None) else built_in
        of.setdefault(resource.group, {}).setdefault(resource.version, []).append(resource)
    for group, found in custom.items():
        custom[group] = {version: found[version] for version in sorted(found, key=order.priority, reverse=True)}
    # As the names of the APIServices are ordered, which have the version in front.
    first = sorted(custom, key=lambda group: min(f"{version}.{group}" for version in custom[group]))
    return built_in | {group: custom[group] for group in first}


def _json(document: Any) -> bytes:
    return msgspec.json.encode(document) + b"\n"


def _group(name: str, versions: list[str]) -> dict[str, Any]:
    listed = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": listed, "preferredVersion": listed[0]}


def _own(resource: scheme.Resource) -> tuple[str, str]:
    """The group and version of the kind that a subresource carries, where they are not the resource's."""
    if not resource.kind_version:
        return resource.group, resource.version
    group, _, version = resource.kind_version.rpartition("/")
    return group, version


def _resource_list(group: str, version: str, resources: list[scheme.Resource], served: Served) -> dict[str, Any]:
    listed = []
    for resource in resources:
        entry: dict[str, Any] = {
            "name": resource.name,
            "singularName": resource.singular,
            "namespaced": resource.namespaced,
            "kind": resource.kind,
            "verbs": list(resource.verbs),
        }
        own_group, own_version = _own(resource)
        if (own_group, own_version) != (group, version):
            entry["group"], entry["version"] = own_group, own_version
        if resource.short_names:
            entry["shortNames"] = list(resource.short_names)
        if resource.categories:
            entry["categories"] = list(resource.categories)
        if stored := served.stored_as(resource):
            entry["storageVersionHash"] = storage_versions.digest(stored)
        listed.append(entry)
    group_version = f"{group}/{version}" if group else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": listed}


def _aggregated_group(
    name: str, versions: dict[str, list[scheme.Resource]], stale: Collection[tuple[str, str]]
) -> dict[str, Any]:
    meta = {"name": name} if name else {}
    return {
        "metadata": meta,
        "versions": [
            {
                "version": version,
                "resources": _aggregated_resources(resources),
                "freshness": "Stale" if (name, version) in stale else "Current",
            }
            for version, resources in versions.items()
        ],
    }


def _aggregated_resources(resources: list[scheme.Resource]) -> list[dict[str, Any]]:
    entries: dict[str, dict[str, Any]] = {}
    for resource in resources:
        name, _, subresource = resource.name.partition("/")
        own_group, own_version = _own(resource)
        response = {"group": own_group, "version": own_version, "kind": resource.kind}
        if subresource:
            parent = entries.setdefault(name, {"resource": name, "scope": _scope(resource), "verbs": []})
            parent.setdefault("subresources", []).append(
                {"subresource": subresource, "responseKind": response, "verbs": list(resource.verbs)}
            )
            continue
        entry = entries.setdefault(name, {})
        entry.update(
            {
                "resource": name,
                "responseKind": response,
                "scope": _scope(resource),
                "singularResource": resource.singular,
                "verbs": list(resource.verbs),
            }
        )
        if resource.short_names:
            entry["shortNames"] = list(resource.short_names)
        if resource.categories:
            entry["categories"] = list(resource.categories)
    return list(entries.values())


def _scope(resource: scheme.Resource) -> str:
    return "Namespaced" if resource.namespaced else "Cluster"
