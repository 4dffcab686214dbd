"""What `kubectl get` shows of custom resources: the columns of a version, or its age where it has none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pybernetes.api import codecs, custom
from pybernetes.api.types import apiextensions_v1
from pybernetes.apiserver.extensions.custom import jsonpath
from pybernetes.apiserver.resources import cells
from pybernetes.apiserver.resources import kind as kinds

_NAME = (
    "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a "
    "client to request the generation of an appropriate name automatically. Name is primarily intended for creation "
    "idempotence and configuration definition. Cannot be updated. More info: "
    "https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names"
)
_CREATED = "The time at which the object was created."
AGE = apiextensions_v1.CustomResourceColumnDefinition(
    name="Age", type="date", jsonPath=".metadata.creationTimestamp", description=_CREATED
)


def of(version: apiextensions_v1.CustomResourceDefinitionVersion) -> Sequence[kinds.Column]:
    """The columns' definitions."""
    found = [kinds.Column("Name", format="name", description=_NAME)]
    for column in version.additionalPrinterColumns or [AGE]:
        described = column.description or (f"Custom resource definition column (in JSONPath format): {column.jsonPath}")
        found.append(kinds.Column(column.name, column.type, column.format, described, column.priority))
    return tuple(found)


def row(version: apiextensions_v1.CustomResourceDefinitionVersion) -> Callable[[Any, float], Sequence[kinds.Cell]]:
    """The function that fills the columns in."""
    listed = version.additionalPrinterColumns or [AGE]
    finders = [(_finder(column.jsonPath), column.type) for column in listed]

    def cells_of(obj: custom.Object, now: float) -> Sequence[kinds.Cell]:
        return [obj.metadata.name, *(_cell(find(obj), kind, now) for find, kind in finders)]

    return cells_of


def _finder(path: str) -> Callable[[custom.Object], Any]:
    try:
        find = jsonpath.compiled(path)
    except jsonpath.PathError:
        return lambda _: None
    of_metadata = not path.startswith((".spec", ".status"))

    def value(obj: custom.Object) -> Any:
        tree = codecs.to_tree(obj) if of_metadata else obj.content
        found = find(tree)
        return found[0] if found else None

    return value


def _cell(value: Any, kind: str, now: float) -> kinds.Cell:
    if value is None:
        return None
    if kind == "string":
        return text(value)
    if kind == "date":
        if not isinstance(value, str):
            return None
        try:
            return cells.since(value, now)
        except ValueError:
            return "<invalid>"
    if kind == "boolean":
        return value if isinstance(value, bool) else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return int(value) if kind == "integer" else value


def text(value: Any) -> str:
    """A value as a column of strings shows it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return codecs.encode(value).decode() if isinstance(value, (dict, list)) else str(value)
