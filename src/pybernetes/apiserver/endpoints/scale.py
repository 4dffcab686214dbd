"""The scale subresource: a kind's replica count as an autoscaling/v1 Scale."""

from __future__ import annotations

from typing import Any

from pybernetes.api import codecs, errors, fields
from pybernetes.api.types import autoscaling_v1, meta_v1
from pybernetes.apiserver import request as requests
from pybernetes.apiserver import results
from pybernetes.apiserver.endpoints import bodies, patch, update
from pybernetes.apiserver.endpoints import scope as scopes
from pybernetes.apiserver.resources import kind as kinds
from pybernetes.apiserver.storage import item as items

# What a patch finds where nothing says how many replicas there are.
_UNSET = -(2**31)


async def get(scope: scopes.Scope, request: requests.Request) -> results.Result:
    item = scope.find(request.attributes.namespace, request.attributes.name)
    mapping, obj = _mapping(scope), item.decoded(scope.kind.resource.type)
    if mapping.replicas(obj) is None:
        raise errors.internal(f'the spec replicas field "{mapping.path}" does not exist')
    return results.Made(_scale(mapping, obj))


async def put(scope: scopes.Scope, request: requests.Request) -> results.Result:
    wanted: autoscaling_v1.Scale = bodies.decode(request, scope.kind.resource, autoscaling_v1.Scale)
    return await _write(scope, request, lambda _: wanted)


async def patch_(scope: scopes.Scope, request: requests.Request) -> results.Result:
    kind = patch.patch_type(request, scope.kind.resource)
    if kind == patch.APPLY:
        raise errors.unsupported_media_type(patch.ACCEPTED[:3])
    document = patch.body(request, kind)

    def wanted(current: autoscaling_v1.Scale) -> autoscaling_v1.Scale:
        tree = patch.patched_tree(kind, codecs.to_tree(current), document, autoscaling_v1.Scale)
        patched: autoscaling_v1.Scale = bodies.convert(tree, autoscaling_v1.Scale)
        return patched

    return await _write(scope, request, wanted)


async def _write(scope: scopes.Scope, request: requests.Request, wanted: Any) -> results.Result:
    mapping = _mapping(scope)
    resource = scope.kind.resource

    def transform(item: items.Item) -> Any:
        obj = item.fresh(resource.type)
        current = _scale(mapping, obj)
        scale: autoscaling_v1.Scale = wanted(current)
        if scale.spec.replicas == _UNSET:
            raise errors.bad_request(f'the spec replicas field "{mapping.path}" cannot be empty')
        if scale.spec.replicas < 0:
            path = fields.Path("spec")["replicas"]
            problem = fields.invalid(path, scale.spec.replicas, "must be greater than or equal to 0")
            raise errors.invalid("autoscaling", "Scale", request.attributes.name, [problem])
        if scale.metadata.resourceVersion:
            obj.metadata.resourceVersion = scale.metadata.resourceVersion
        if scale.metadata.uid:
            obj.metadata.uid = scale.metadata.uid
        mapping.set_replicas(obj, scale.spec.replicas)
        return obj

    view = update.View(
        shown=lambda obj: _scale(mapping, obj),
        taken=lambda obj, scale: mapping.set_replicas(obj, scale.spec.replicas),
    )
    written = await update.write(scope, request, transform, "scale", view=view)
    obj = written.item.decoded(resource.type) if isinstance(written, results.Stored) else written.obj
    return results.Made(_scale(mapping, obj))


def _mapping(scope: scopes.Scope) -> kinds.Scale:
    if scope.kind.scale is None:
        raise errors.path_not_found()
    return scope.kind.scale


def _scale(mapping: kinds.Scale, obj: Any) -> autoscaling_v1.Scale:
    meta, replicas = obj.metadata, mapping.replicas(obj)
    return autoscaling_v1.Scale(
        metadata=meta_v1.ObjectMeta(
            name=meta.name,
            namespace=meta.namespace,
            uid=meta.uid,
            resourceVersion=meta.resourceVersion,
            creationTimestamp=meta.creationTimestamp,
        ),
        spec=autoscaling_v1.ScaleSpec(replicas=_UNSET if replicas is None else replicas),
        status=autoscaling_v1.ScaleStatus(replicas=mapping.status_replicas(obj), selector=mapping.selector(obj)),
    )
