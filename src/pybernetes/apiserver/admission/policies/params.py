"""The parameters of a policy: objects of its paramKind, which a binding names or selects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from pybernetes.api import codecs, selectors
from pybernetes.api.types import admissionregistration_v1
from pybernetes.apiserver import registry as registries
from pybernetes.apiserver.extensions.custom import collections as custom_collections
from pybernetes.apiserver.resources import kind as kinds
from pybernetes.apiserver.storage import selection


class ParamsError(Exception):
    """Why there are no parameters to be had."""


class Param(NamedTuple):
    """`name` tells it from others; `tree` is None where a policy or its binding asks for none."""

    name: str
    tree: Any


NONE = Param("", None)


async def of(
    registry: registries.Registry,
    param_kind: admissionregistration_v1.ParamKind | None,
    reference: admissionregistration_v1.ParamRef | None,
    namespace: str,
) -> Sequence[Param]:
    """The policy is asked once for each. Raises ParamsError."""
    if param_kind is None:
        return (NONE,)
    kind = registry.of_kind(param_kind.apiVersion, param_kind.kind)
    if kind is None:
        raise ParamsError(
            f"failed to find resource referenced by paramKind: '{param_kind.apiVersion}, Kind={param_kind.kind}'"
        )
    if reference is None:
        return (NONE,)
    if not kind.resource.namespaced:
        if reference.namespace:
            raise ParamsError("paramRef.namespace must not be provided for a cluster-scoped `paramKind`")
        namespace = ""
    else:
        namespace = reference.namespace or namespace
        if not namespace:
            raise ParamsError("cannot use namespaced paramRef in policy binding that matches cluster-scoped resources")
    found = await _found(registry, kind, reference, namespace)
    if not found and reference.parameterNotFoundAction == "Deny":
        raise ParamsError("no params found for policy binding with `Deny` parameterNotFoundAction")
    return found


async def _found(
    registry: registries.Registry,
    kind: kinds.Kind[Any],
    reference: admissionregistration_v1.ParamRef,
    namespace: str,
) -> list[Param]:
    collection = registry.of(kind)
    if isinstance(collection, custom_collections.Version):
        await collection.ready()
    if reference.name:
        item = collection.get(namespace, reference.name)
        items: Sequence[Any] = [] if item is None else [item]
    else:
        labels = str(selectors.from_object(reference.selector))
        items = collection.select(selection.Selection(namespace=namespace, labels=labels)).items
    return [Param(f"{namespace}/{item.name}", codecs.decode_tree(item.data)) for item in items]
