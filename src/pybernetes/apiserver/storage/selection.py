"""Which objects a list or watch is about: namespace, labels, fields; one compiled predicate per distinct selection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from pybernetes.api import selectors
from pybernetes.apiserver.storage import item as items


class Selection(NamedTuple):
    """Hashable, so that equal watches share one evaluation. Selector texts are canonical; "" selects everything."""

    namespace: str = ""
    labels: str = ""
    fields: str = ""


EVERYTHING = Selection()
Predicate = Callable[[items.Item], bool]


class Selectable(NamedTuple):
    """What a predicate needs to know of a resource: its type, its own field labels, and how to read them."""

    type: Any
    values: Callable[[Any], Any] | None
    namespaced: bool


def predicate(selection: Selection, selectable: Selectable) -> Predicate | None:
    """None when everything under the namespace's prefix matches."""
    if not selection.labels and not selection.fields:
        return None
    tests: list[Predicate] = []
    if selection.labels:
        wanted = selectors.parse(selection.labels)
        tests.append(lambda item: wanted.matches(item.labels()))
    if selection.fields:
        tests.append(_fields_test(selectors.parse_fields(selection.fields), selectable))
    if len(tests) == 1:
        return tests[0]
    first, second = tests
    return lambda item: first(item) and second(item)


def _fields_test(wanted: selectors.FieldSelector, selectable: Selectable) -> Predicate:
    own = {"metadata.name", "metadata.namespace"}
    by_key = all(term.field in own for term in wanted.terms)

    def values_of(item: items.Item) -> dict[str, str]:
        *_, namespace, name = item.key.split("/")
        values = {"metadata.name": name}
        if selectable.namespaced:
            values["metadata.namespace"] = namespace
        if not by_key and selectable.values is not None:
            values.update(selectable.values(item.peek(selectable.type)))
        return values

    return lambda item: wanted.matches(values_of(item))
