"""Whole documents, joined from their parts. Runs in a thread: every step that holds the interpreter is a short one.

Parts of built-in kinds (a definition, a path) are made once; when a custom kind comes, only its own are new.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

from pybernetes.api import scheme, version
from pybernetes.apiserver.extensions.openapi import custom, documents, gnostic, operations, schemas
from pybernetes.apiserver.extensions.openapi.operations import Operation
from pybernetes.apiserver.resources import kind as kinds

TOKEN_HEADER = {
    "description": "Bearer Token authentication",
    "in": "header",
    "name": "authorization",
    "type": "apiKey",
}
SCALE = "io.k8s.api.autoscaling.v1.Scale"
# Versions from before 1.16 are served where switched on, but no schema of theirs is published any more.
UNPUBLISHED = b'{"type":"object"}'
_OWN_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
_SUBRESOURCE_VERBS = ("get", "patch", "update")

Paths = dict[str, list[Operation]]


def version_3(part: documents.Part) -> bytes:
    """The document of a group and version as JSON."""
    paths = _paths(part)
    made = {name: orjson.dumps(tree) for name, tree in _custom_definitions(part, 3)}
    names = schemas.closure(_mentioned(paths, made))
    shared = _shared({(part.group, part.version)})
    for name in names - made.keys():
        if name in shared:
            made[name] = orjson.dumps(schemas.definition(name, 3) | {schemas.GVK: shared[name]})
        else:
            made[name] = schemas.encoded(name, 3) if schemas.known(name) else UNPUBLISHED
    components = {"schemas": _object(made), "securitySchemes": orjson.dumps({"BearerToken": TOKEN_HEADER})}
    document = {
        "components": _object(components),
        "info": orjson.dumps({"title": documents.TITLE, "version": version.GIT_VERSION}),
        "openapi": b'"3.0.0"',
        "paths": _object({path: orjson.dumps(operations.path_item(found, 3)) for path, found in paths.items()}),
    }
    return _object(document)


def version_2(parts: Iterable[documents.Part]) -> bytes:
    """The one document of all groups as JSON."""
    paths: dict[str, bytes] = {}
    definitions: dict[str, bytes] = {}
    for name, tree, encoded in _definitions_2(tuple(parts)):
        definitions[name] = orjson.dumps(tree) if tree is not None else encoded
    for part in parts:
        for path, found in _paths(part).items():
            paths[path] = orjson.dumps(operations.path_item(found, 2))
    document = {
        "definitions": _object(definitions),
        "info": orjson.dumps({"title": documents.TITLE, "version": version.GIT_VERSION}),
        "parameters": orjson.dumps(operations.shared_parameters()),
        "paths": _object(paths),
        "security": b'[{"BearerToken":[]}]',
        "securityDefinitions": orjson.dumps({"BearerToken": TOKEN_HEADER}),
        "swagger": b'"2.0"',
    }
    return _object(document)


def version_2_binary(parts: Iterable[documents.Part]) -> bytes:
    """The same as protobuf."""
    definitions = {
        name: gnostic.schema(tree) if tree is not None else _binary(name)
        for name, tree, _ in _definitions_2(tuple(parts))
    }
    paths = {
        path: gnostic.path_item(operations.path_item(found, 2))
        for part in parts
        for path, found in _paths(part).items()
    }
    return gnostic.document(
        title=documents.TITLE,
        version=version.GIT_VERSION,
        paths=sorted(paths.items()),
        definitions=sorted(definitions.items()),
        parameters=operations.shared_parameters(),
        token_header=TOKEN_HEADER,
    )


def _object(members: Mapping[str, bytes]) -> bytes:
    """A JSON object of encoded members, in the order of their names."""
    return b"{%b}" % b",".join(b"%b:%b" % (orjson.dumps(name), members[name]) for name in sorted(members))


@functools.cache
def _binary(name: str) -> bytes:
    return gnostic.schema(schemas.definition(name, 2))


def _definitions_2(parts: tuple[documents.Part, ...]) -> Iterator[tuple[str, dict[str, Any] | None, bytes]]:
    """(name, tree, b"") for what depends on the kinds that are served, (name, None, bytes) for what never changes."""
    own = {name: tree for part in parts for name, tree in _custom_definitions(part, 2)}
    for name, tree in own.items():
        yield name, tree, b""
    shared = _shared({(part.group, part.version) for part in parts if part.version})
    mentioned: set[str] = set()
    for part in parts:
        mentioned |= _mentioned(_paths(part), own)
    for name in schemas.closure(mentioned) - own.keys():
        if name in shared:
            yield name, schemas.definition(name, 2) | {schemas.GVK: shared[name]}, b""
        elif schemas.known(name):
            yield name, None, schemas.encoded(name, 2)
        else:
            yield name, {"type": "object"}, b""


def _shared(groups: set[tuple[str, str]]) -> dict[str, list[dict[str, str]]]:
    """The groups and versions of the kinds that all have."""
    listed = sorted({("", "v1"), *groups})
    return {
        name: [{"group": group, "kind": name.rpartition(".")[2], "version": of} for group, of in listed]
        for name in schemas.SHARED
    }


def _mentioned(paths: Paths, own: Mapping[str, Any]) -> set[str]:
    found = {d for listed in paths.values() for operation in listed for d in operation.answers.values() if d}
    found |= {operation.body for listed in paths.values() for operation in listed if operation.body}
    return found | ({custom.OBJECT_META, custom.LIST_META} if own else set())


def _paths(part: documents.Part) -> Paths:
    paths: Paths = {}
    if not part.group and not part.version:
        return dict(_root(part))
    if not part.version:
        path, operation = operations.group(part.group)
        return {path: [operation]}
    for path, operation in _operations(part):
        paths.setdefault(path, []).append(operation)
    return paths


def _root(part: documents.Part) -> Iterator[tuple[str, list[Operation]]]:
    for path, operation in operations.ROOTS:
        if path == f"/{part.name}/":
            yield path, [operation]


def _operations(part: documents.Part) -> Iterator[tuple[str, Operation]]:
    yield operations.group_version(part.group, part.version)
    parents = {resource.name: resource for resource in part.resources}
    for resource in part.resources:
        parent = parents[resource.name.partition("/")[0]]
        definition = schemas.name_of(resource.type_name) if resource.type_name else ""
        yield from operations.of(parent, operations.Served(resource, definition, definition + "List"))
    for kind in part.custom:
        yield from _custom_operations(kind)


def _custom_operations(kind: kinds.Kind[Any]) -> Iterator[tuple[str, Operation]]:
    resource = kind.resource
    name = custom.name_of(resource.group, resource.version, resource.kind)
    own = _with(resource, resource.name, _OWN_VERBS)
    yield from operations.of(own, operations.Served(own, name, f"{name}List", custom=True))
    for subresource, served, definition in (("status", kind.has_status, name), ("scale", kind.scale, SCALE)):
        if served:
            part = _with(resource, f"{resource.name}/{subresource}", _SUBRESOURCE_VERBS)
            yield from operations.of(own, operations.Served(part, definition, custom=True))


def _with(resource: scheme.Resource, name: str, verbs: tuple[str, ...]) -> scheme.Resource:
    return scheme.Resource(
        group=resource.group,
        version=resource.version,
        name=name,
        kind=resource.kind,
        namespaced=resource.namespaced,
        verbs=verbs,
    )


def _custom_definitions(part: documents.Part, form: int) -> Iterator[tuple[str, dict[str, Any]]]:
    for kind in part.custom:
        resource = kind.resource
        gvk = (resource.group, resource.version, resource.kind)
        selectable = tuple(label for label in kind.field_labels if not label.startswith("metadata."))
        name = custom.name_of(*gvk)
        yield name, custom.definition(kind.schema or {}, gvk, form, selectable)
        yield f"{name}List", custom.list_definition(gvk, resource.name, form, selectable)
