"""/openapi/v3 (and the frame of v2): schemas of the served kinds and their paths, made from the types when asked."""

from __future__ import annotations

import hashlib
import types
import typing
from collections.abc import Iterable
from typing import Any

import msgspec

from pybernetes.api import codecs, quantity, scheme
from pybernetes.api.types import _merge
from pybernetes.apiserver import request as requests
from pybernetes.apiserver import results

QUERY = {
    "patch": ("dryRun", "fieldManager", "fieldValidation", "force"),
    "post": ("dryRun", "fieldManager", "fieldValidation"),
    "put": ("dryRun", "fieldManager", "fieldValidation"),
    "get": ("continue", "fieldSelector", "labelSelector", "limit", "resourceVersion", "watch"),
    "delete": ("dryRun", "gracePeriodSeconds", "orphanDependents", "propagationPolicy"),
}
METHODS = {"get": "get", "list": "get", "create": "post", "update": "put", "patch": "patch", "delete": "delete"}
ON_COLLECTION = ("list", "create", "deletecollection")
# kubectl asks for version 2, in its own protobuf form, before it applies a `List`. A kind that the document does not
# define is left to the server's field validation, which knows better; so it says no more than which API this is.
TITLE, VERSION = b"Kubernetes", b"v1.36.2"
PROTOBUF_V2 = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"


class OpenApi:
    """Documents per group and version, built at first use and kept."""

    def __init__(self, resources: Iterable[scheme.Resource]) -> None:
        self._versions: dict[str, list[scheme.Resource]] = {}
        for resource in resources:
            path = f"apis/{resource.group}/{resource.version}" if resource.group else f"api/{resource.version}"
            self._versions.setdefault(path, []).append(resource)
        self._documents: dict[str, bytes] = {}

    def answer(self, request: requests.Request) -> results.Document | None:
        """The document for a path, None if the path is not one of OpenAPI."""
        if request.path == "/openapi/v2":
            return _version_2(request.headers.get("accept", ""))
        if request.path == "/openapi/v3":
            return results.Document(self._index())
        if request.path.startswith("/openapi/v3/"):
            path = request.path.removeprefix("/openapi/v3/")
            if path in self._versions:
                return results.Document(self._document(path))
        return None

    def _index(self) -> bytes:
        paths = {}
        for path, resources in self._versions.items():
            # The documents follow from the names of the resources, so their hash can be had without building them.
            digest = hashlib.sha256(repr([r.name for r in resources]).encode()).hexdigest().upper()
            paths[path] = {"serverRelativeURL": f"/openapi/v3/{path}?hash={digest}"}
        return msgspec.json.encode({"paths": paths})

    def _document(self, path: str) -> bytes:
        found = self._documents.get(path)
        if found is None:
            schemas = _Schemas()
            paths: dict[str, Any] = {}
            for resource in self._versions[path]:
                _add_paths(paths, resource)
                if resource.type_name:
                    schemas.add(resource.type, _gvk(resource))
            document = {
                "openapi": "3.0.0",
                "info": {"title": "Kubernetes", "version": "v1.36.2"},
                "paths": paths,
                "components": {"schemas": dict(sorted(schemas.built.items()))},
            }
            found = self._documents[path] = msgspec.json.encode(document)
        return found


def _version_2(accept: str) -> results.Document:
    if "proto-openapi.spec.v2" in accept:
        info = _delimited(1, TITLE) + _delimited(2, VERSION)
        return results.Document(_delimited(1, b"2.0") + _delimited(2, info) + _delimited(8, b""), PROTOBUF_V2)
    info_tree = {"title": TITLE.decode(), "version": VERSION.decode()}
    return results.Document(msgspec.json.encode({"swagger": "2.0", "info": info_tree, "paths": {}}))


def _delimited(field: int, value: bytes) -> bytes:
    """A protobuf field of fewer than 128 bytes."""
    return bytes((field << 3 | 2, len(value))) + value


def _gvk(resource: scheme.Resource) -> dict[str, str]:
    group, version = resource.group, resource.version
    if resource.kind_version:
        group, _, version = resource.kind_version.rpartition("/")
    return {"group": group, "version": version, "kind": resource.kind}


def _add_paths(paths: dict[str, Any], resource: scheme.Resource) -> None:
    name, _, subresource = resource.name.partition("/")
    named = msgspec.structs.replace(resource, name=name)
    space = "{namespace}" if resource.namespaced else ""
    collection = named.path(space).replace("%7B", "{").replace("%7D", "}")
    one = f"{collection}/{{name}}" + (f"/{subresource}" if subresource else "")
    for verb in resource.verbs:
        method = METHODS.get(verb)
        if method is None:
            continue
        path = collection if verb in ON_COLLECTION and not subresource else one
        operation = {
            "parameters": [
                {"name": option, "in": "query", "schema": {"type": "string", "uniqueItems": True}}
                for option in QUERY[method]
            ],
            "responses": {"200": {"description": "OK"}},
            "x-kubernetes-action": verb,
            "x-kubernetes-group-version-kind": _gvk(resource),
        }
        if method in ("post", "put", "patch") and resource.type_name:
            reference = {"$ref": f"#/components/schemas/{schema_name(resource.type)}"}
            operation["requestBody"] = {"content": {"*/*": {"schema": reference}}}
        paths.setdefault(path, {})[method] = operation


def schema_name(kind: type) -> str:
    """`core_v1.Pod` -> `io.k8s.api.core.v1.Pod`."""
    module = kind.__module__.rsplit(".", 1)[1]
    group, _, version = module.partition("_")
    root = {
        "meta": "io.k8s.apimachinery.pkg.apis.meta",
        "apiextensions": "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions",
        "apiregistration": "io.k8s.kube-aggregator.pkg.apis.apiregistration",
    }.get(group, f"io.k8s.api.{group}")
    return f"{root}.{version}.{kind.__name__}"


class _Schemas:
    """Schemas of types and of all they hold."""

    def __init__(self) -> None:
        self.built: dict[str, Any] = {}

    def add(self, kind: Any, gvk: dict[str, str] | None = None) -> str:
        name = schema_name(kind)
        if name not in self.built:
            self.built[name] = {}
            facts = _merge.FACTS.get(f"{kind.__module__.rsplit('.', 1)[1]}.{kind.__name__}", {})
            properties = {}
            for field, annotation in codecs.field_types(kind).items():
                properties[field] = self.property(annotation) | _extensions(facts.get(field))
            self.built[name] = {"type": "object", "properties": properties}
        if gvk is not None:
            listed = self.built[name].setdefault("x-kubernetes-group-version-kind", [])
            if gvk not in listed:
                listed.append(gvk)
        return name

    def property(self, annotation: Any) -> dict[str, Any]:
        if isinstance(annotation, types.UnionType):
            members = [member for member in typing.get_args(annotation) if member is not types.NoneType]
            if len(members) > 1:
                return {"x-kubernetes-int-or-string": True, "oneOf": [{"type": "integer"}, {"type": "string"}]}
            annotation = members[0]
        if typing.get_origin(annotation) is typing.Annotated:
            if typing.get_args(annotation)[0] is str:
                return {"type": "string", "format": "date-time"}
            return {"type": "integer", "format": "int32"}
        holder, held = codecs.element_type(annotation)
        if holder is list:
            return {"type": "array", "items": self.property(held)}
        if holder is dict:
            return {"type": "object", "additionalProperties": self.property(held)}
        if codecs.is_struct(holder):
            return {"allOf": [{"$ref": f"#/components/schemas/{self.add(holder)}"}], "default": {}}
        if holder is quantity.Quantity:
            return {"oneOf": [{"type": "string"}, {"type": "number"}]}
        simple = {str: "string", bool: "boolean", float: "number"}.get(holder)
        if simple is not None:
            return {"type": simple}
        return {"type": "integer", "format": "int64"} if holder is int else {"type": "object"}


def _extensions(fact: tuple[str, tuple[str, ...], str, str] | None) -> dict[str, Any]:
    if fact is None:
        return {}
    kind, keys, strategy, merge_key = fact
    found: dict[str, Any] = {}
    if kind:
        found["x-kubernetes-map-type" if kind in ("granular",) else "x-kubernetes-list-type"] = kind
    if keys:
        found["x-kubernetes-list-map-keys"] = list(keys)
    if strategy:
        found["x-kubernetes-patch-strategy"] = strategy
    if merge_key:
        found["x-kubernetes-patch-merge-key"] = merge_key
    return found
