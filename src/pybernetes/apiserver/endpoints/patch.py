"""PATCH: JSON, merge and strategic merge patches, and server-side apply, all through the write of `update`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pybernetes.api import apply, codecs, errors, fields, scheme, strictness, times, wording
from pybernetes.api.patch import json_patch, merge, strategic
from pybernetes.apiserver import request as requests
from pybernetes.apiserver import results
from pybernetes.apiserver.authz import authorizer as authorizers
from pybernetes.apiserver.endpoints import bodies, create, metadata, options, update
from pybernetes.apiserver.endpoints import scope as scopes
from pybernetes.apiserver.storage import item as items

JSON_PATCH = "application/json-patch+json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
ACCEPTED = (JSON_PATCH, MERGE, STRATEGIC, APPLY)
SUBRESOURCE_FIELDS = {"status": ("status",), "scale": ("spec",)}


async def patch(scope: scopes.Scope, request: requests.Request) -> results.Result:
    """Patch the object, or the part of it that the subresource names."""
    kind = patch_type(request, scope.kind.resource)
    options.check(request, "PatchOptions", applies=kind == APPLY)
    if kind == APPLY:
        return await _apply(scope, request)
    document = body(request, kind)
    of = scope.kind.resource.type

    def transform(item: items.Item) -> Any:
        obj = _by_members(kind, item, document, of, request.attributes.subresource)
        if obj is None:
            patched = patched_tree(kind, codecs.decode_tree(item.data), document, of)
            obj = bodies.known(codecs.encode(patched), of)
        if obj is not None:
            _check_identity(scope, request, obj)
            _check_strictly(request, kind, document, None, of)
            return obj
        obj = _object(scope, request, patched)
        _check_strictly(request, kind, document, patched, of)
        return obj

    return await update.write(scope, request, transform, request.attributes.subresource)


def _by_members(kind: str, item: items.Item, document: Any, of: Any, subresource: str) -> Any:
    """The patched object, where the patch is about known members of it: only those are taken apart, and of the others
    those left out that a write of the status leaves as they are. None where the whole has to be looked at."""
    if kind == JSON_PATCH or not isinstance(document, dict) or not codecs.is_struct(of):
        return None
    if not document.keys() <= codecs.field_types(of).keys():
        return None
    parts: dict[str, Any] = codecs.members(item.data)
    if subresource == "status":
        parts = {name: part for name, part in parts.items() if name in update.OF_STATUS or name in document}
    touched = {name: codecs.decode_tree(memoryview(parts.pop(name))) for name in document if name in parts}
    return bodies.known(codecs.encode(parts | patched_tree(kind, touched, document, of)), of)


def _check_strictly(request: requests.Request, kind: str, document: Any, patched: Any, of: Any) -> None:
    """Report unknown fields of the patched tree (None if it is known to have none) and repeated ones of the patch."""
    mode = options.validation(request)
    if mode == options.IGNORE:
        return
    texts = bodies.strict_errors(request, patched, of)
    if texts and mode == options.WARN:
        request.warnings.extend(text for text in texts if text not in request.warnings)
    elif texts:
        shown = wording.go_value(document) if kind == STRATEGIC else codecs.encode(patched).decode()
        why = f"strict decoding error: {bodies.strict_text(texts)}"
        raise errors.invalid("", "", "", [fields.invalid(fields.Path("patch"), shown, why)])


def patch_type(request: requests.Request, resource: scheme.Resource) -> str:
    """A schema does not say how lists merge in the strategic way, so custom resources do without it."""
    kind = bodies.media_type(request)
    accepted = tuple(name for name in ACCEPTED if name != STRATEGIC) if resource.carrier is not None else ACCEPTED
    if kind not in accepted:
        raise errors.unsupported_media_type(accepted)
    return kind


def body(request: requests.Request, kind: str) -> Any:
    """The patch document."""
    if not isinstance(request.body, bytes):
        return codecs.to_tree(request.body)
    try:
        return codecs.decode_yaml(request.body) if kind == APPLY else codecs.decode_tree(request.body)
    except codecs.DecodeError as error:
        raise errors.bad_request(f"error decoding YAML: {error}" if kind == APPLY else str(error)) from None


def patched_tree(kind: str, tree: Any, document: Any, of: Any) -> Any:
    """A tree patched by a document of one of the three patch types."""
    apply_to: Callable[[Any, Any], Any] = {JSON_PATCH: json_patch.apply, MERGE: merge.apply}.get(
        kind, lambda tree, document: strategic.apply(tree, document, of)
    )
    return apply_to(tree, document)


def _object(scope: scopes.Scope, request: requests.Request, tree: Any) -> Any:
    obj = bodies.convert(tree, scope.kind.resource.type)
    _check_identity(scope, request, obj)
    return obj


def _check_identity(scope: scopes.Scope, request: requests.Request, obj: Any) -> None:
    attributes = request.attributes
    if obj.metadata.name != attributes.name:
        path = fields.Path("metadata")["name"]
        raise scope.invalid(attributes.name, [fields.invalid(path, obj.metadata.name, "field is immutable")])
    metadata.check_namespace(scope, obj, attributes.namespace)


async def _apply(scope: scopes.Scope, request: requests.Request) -> results.Result:
    attributes = request.attributes
    config = body(request, APPLY)
    manager = request.query.get("fieldManager", "")
    if not isinstance(config, dict):
        raise errors.bad_request("error decoding YAML: the body is not an object")
    # Decoding checks kind and types before anything is merged.
    of = scope.kind.resource.type
    stated = bodies.convert(config, of)
    _check_declared(request, config, of)
    metadata.check_namespace(scope, stated, attributes.namespace)
    if stated.metadata.name and stated.metadata.name != attributes.name:
        raise errors.bad_request(
            f"the name of the object ({stated.metadata.name}) does not match the name on the URL ({attributes.name})"
        )
    config["metadata"] = {**(config.get("metadata") or {}), "name": attributes.name}

    def applied(live: Any) -> Any:
        result = apply.applied(
            live,
            config,
            scope.kind.resource.type,
            manager=manager,
            api_version=scope.kind.resource.api_version,
            time=times.to_time(scope.clock.time()),
            force=request.flag("force"),
            subresource=attributes.subresource,
            ignore=_ignored(scope, config, attributes.subresource),
        )
        return _object(scope, request, result)

    if scope.collection.get(attributes.namespace, attributes.name) is None:
        if attributes.subresource:
            raise scope.not_found(attributes.name)
        if stated.metadata.uid:
            why = (
                f"uid mismatch: the provided object specified uid {stated.metadata.uid}, "
                "and no existing object was found"
            )
            resource = scope.kind.resource
            raise errors.conflict(resource.group, resource.name, attributes.name, why)
        await authorizers.require(scope.authorizer, request.user, attributes._replace(verb="create"))
        return await create.create_object(scope, request, applied(None), attributes.namespace, applied=True)

    def transform(item: items.Item) -> Any:
        return applied(codecs.decode_tree(item.data))

    return await update.write(scope, request, transform, attributes.subresource, applied=True)


def _check_declared(request: requests.Request, config: dict[str, Any], of: Any) -> None:
    """An applied field must be one of the schema's, whatever `fieldValidation` says; twice it may be."""
    unknown = strictness.unknown_fields(of, config)
    if unknown:
        meta = config.get("metadata")
        meta = meta if isinstance(meta, dict) else {}
        who = (
            f"{meta.get('namespace', '')}/{meta.get('name', '')}; {config.get('apiVersion')}, Kind={config.get('kind')}"
        )
        listed = "\n  ".join(f".{path}: field not declared in schema" for path in unknown)
        text = f"errors:\n  {listed}" if len(unknown) > 1 else listed
        raise errors.bad_request(f"failed to create typed patch object ({who}): {text}")
    mode = options.validation(request)
    if mode == options.IGNORE or not isinstance(request.body, bytes):
        return
    lines = strictness.duplicates(request.body, is_yaml=True)
    if lines and mode == options.STRICT:
        listed = "\n  ".join(lines)
        raise errors.bad_request(
            f"error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:\n  {listed}"
        )
    request.warnings.extend(lines)


def _ignored(scope: scopes.Scope, config: dict[str, Any], subresource: str) -> tuple[str, ...]:
    """Top-level fields that this request cannot write, so an applier does not come to own them."""
    if not subresource:
        return ("status",) if scope.kind.has_status else ()
    writable = ("apiVersion", "kind", "metadata", *SUBRESOURCE_FIELDS.get(subresource, ()))
    return tuple(name for name in config if name not in writable)
