"""What a version's schema does when its objects are read: the bridge from `api.custom` to the schema model."""

from __future__ import annotations

import functools
from typing import Any

from pybernetes.api import shape, strictness
from pybernetes.api.types import meta_v1
from pybernetes.apiserver.extensions.custom import defaulting, pruning, shapes
from pybernetes.apiserver.extensions.custom import schema as schemas

# From here on Go writes whole numbers with an exponent, and reads them as floats.
_LARGE = 1e21


class SchemaForm:
    """The `custom.Form` of a schema, given as its tree; `{}` knows no fields. Compiled when first asked."""

    def __init__(self, tree: schemas.Tree) -> None:
        self.tree = tree

    @functools.cached_property
    def schema(self) -> schemas.Schema:
        return schemas.Schema(self.tree)

    def settled(self, content: schemas.Tree) -> schemas.Tree:
        result = self.pruned(content)
        defaulting.default(result, self.schema)
        return result

    def pruned(self, content: schemas.Tree) -> schemas.Tree:
        """Without defaults: for what comes out of a conversion."""
        result: schemas.Tree = whole(pruning.pruned(content, self.schema, root=True))
        return result

    def unknown(self, document: schemas.Tree) -> list[str]:
        found = pruning.Unknown()
        content = {name: value for name, value in document.items() if name not in schemas.META}
        pruning.pruned(content, self.schema, unknown=found, root=True)
        metadata = document.get("metadata")
        own = strictness.unknown_fields(meta_v1.ObjectMeta, metadata, "metadata") if metadata else []
        return [*own, *found.paths()]

    def shape(self) -> shape.Shape:
        return shapes.of(self.schema, root=True)


def whole(value: Any) -> Any:
    """A fresh tree in which whole numbers are integers, as they are once they have been written and read."""
    if isinstance(value, dict):
        return {name: whole(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [whole(item) for item in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < _LARGE:
        return int(value)
    return value
