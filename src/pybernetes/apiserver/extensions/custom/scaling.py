"""The scale subresource of custom resources: replica counts and selector, wherever the definition says they are."""

from __future__ import annotations

from typing import Any

from pybernetes.api import custom, fields
from pybernetes.api.types import apiextensions_v1
from pybernetes.apiserver.resources import kind as kinds

_MOST = 2**31 - 1
_GO_TYPES = {str: "string", bool: "bool", int: "int64", float: "float64", dict: "map[string]interface {}"}


def of(scale: apiextensions_v1.CustomResourceSubresourceScale | None) -> kinds.Scale | None:
    """The mapping to autoscaling/v1 Scale."""
    if scale is None:
        return None
    spec, status, selector = (_steps(path) for path in (scale.specReplicasPath, scale.statusReplicasPath, ""))
    if scale.labelSelectorPath:
        selector = _steps(scale.labelSelectorPath)

    def set_replicas(obj: custom.Object, count: int) -> None:
        tree = obj.content
        for step in spec[:-1]:
            tree = tree.setdefault(step, {})
        tree[spec[-1]] = count

    def selected(obj: custom.Object) -> str:
        found = _at(obj.content, selector) if selector else None
        return found if isinstance(found, str) else ""

    return kinds.Scale(
        replicas=lambda obj: _number(obj.content, spec),
        set_replicas=set_replicas,
        status_replicas=lambda obj: _number(obj.content, status) or 0,
        selector=selected,
        path=scale.specReplicasPath,
    )


def validate(
    content: custom.Tree, scale: apiextensions_v1.CustomResourceSubresourceScale | None, *, status_only: bool
) -> list[fields.FieldError]:
    """What stands where replica counts and selector are expected is such."""
    if scale is None:
        return []
    problems = [] if status_only else _count(content, scale.specReplicasPath)
    problems += _count(content, scale.statusReplicasPath)
    if scale.labelSelectorPath:
        found = _at(content, _steps(scale.labelSelectorPath))
        if found is not None and not isinstance(found, str):
            path = fields.Path(scale.labelSelectorPath)
            problems.append(fields.invalid(path, "", _accessor(scale.labelSelectorPath, found, "string")))
    return problems


def _count(content: custom.Tree, path: str) -> list[fields.FieldError]:
    found = _at(content, _steps(path))
    if found is None:
        return []
    if isinstance(found, bool) or not isinstance(found, int):
        return [fields.invalid(fields.Path(path), 0, _accessor(path, found, "int64"))]
    if found < 0:
        return [fields.invalid(fields.Path(path), found, "should be a non-negative integer")]
    if found > _MOST:
        return [fields.invalid(fields.Path(path), found, f"should be less than or equal to {_MOST}")]
    return []


def _accessor(path: str, found: Any, wanted: str) -> str:
    kind = _GO_TYPES.get(type(found), "[]interface {}")
    shown = fields.invalid(fields.Path(), found, "").message.removeprefix("Invalid value: ").removesuffix(": ")
    shown = shown.strip('"')
    return f"{path} accessor error: {shown} is of the type {kind}, expected {wanted}"


def _steps(path: str) -> list[str]:
    return path.removeprefix(".").split(".")


def _at(tree: Any, steps: list[str]) -> Any:
    for step in steps:
        if not isinstance(tree, dict):
            return None
        tree = tree.get(step)
    return tree


def _number(tree: custom.Tree, steps: list[str]) -> int | None:
    found = _at(tree, steps)
    return found if isinstance(found, int) and not isinstance(found, bool) else None
