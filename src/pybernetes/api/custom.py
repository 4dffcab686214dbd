"""Objects of custom resources: typed where all objects are alike (`metadata`), a plain tree where only a schema knows.

Endpoints, managed fields and the collections treat them as any other object; `codecs`, `shape` and `strictness` ask
here for what the fields of a type would tell. A version of a CustomResourceDefinition is a class of its own, made by
`define`, so that what identifies a type elsewhere (decoders, shapes) identifies a version and its schema here.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, ClassVar, Protocol

from pybernetes.api.types import meta_v1

Tree = dict[str, Any]
# The members that are attributes of their own; the others are the content.
OWN = ("apiVersion", "kind", "metadata")


class Form(Protocol):
    """What the schema of a version does to its objects. Trees that are given are not changed."""

    def settled(self, content: Tree) -> Tree:
        """The content as it is after reading: pruned, embedded metadata normalised, defaults filled in.

        Raises ValueError for what cannot be read.
        """
        ...

    def unknown(self, document: Tree) -> list[str]:
        """Paths of the fields of a whole document that reading it drops."""
        ...

    def shape(self) -> Any:
        """The version's `shape.Shape`."""
        ...


class Object:
    """One object. `content` holds its members but for apiVersion, kind and metadata."""

    __slots__ = ("apiVersion", "content", "kind", "metadata")

    DECLARED: ClassVar[tuple[str, str]] = ("", "")
    FORM: ClassVar[Form]

    def __init__(
        self, metadata: meta_v1.ObjectMeta | None = None, content: Tree | None = None, *, kind: str = ""
    ) -> None:
        self.apiVersion, declared = self.DECLARED
        self.kind = kind or declared
        self.metadata = meta_v1.ObjectMeta() if metadata is None else metadata
        self.content: Tree = {} if content is None else content

    def members(self) -> Tree:
        """As it is encoded: what the store's splice of the resourceVersion relies on comes first."""
        return {"apiVersion": self.apiVersion, "kind": self.kind, "metadata": self.metadata, **self.content}

    @property
    def status(self) -> Any:
        """None where there is none."""
        return self.content.get("status")

    @status.setter
    def status(self, value: Any) -> None:
        if value is None:
            self.content.pop("status", None)
        else:
            self.content["status"] = value

    def carry(self, old: Object, *, keep: Collection[str]) -> None:
        """Take every member of the content from the old object, but for those to keep."""
        kept = {name: value for name, value in self.content.items() if name in keep}
        self.content = {name: value for name, value in old.content.items() if name not in keep} | kept


def define(api_version: str, kind: str, form: Form) -> type[Object]:
    """The class of one version: `define("example.com/v1", "Widget", form)`."""
    return type(kind, (Object,), {"__slots__": (), "DECLARED": (api_version, kind), "FORM": form})


def is_custom(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Object)
