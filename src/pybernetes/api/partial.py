"""PartialObjectMetadata: any object, seen as its metadata alone. The published schema has no such kind."""

from __future__ import annotations

from msgspec import field

from pybernetes.api.types import _base, meta_v1


class PartialObjectMetadata(_base.Type):
    apiVersion: str = field(default_factory=lambda: "meta.k8s.io/v1")
    kind: str = field(default_factory=lambda: "PartialObjectMetadata")
    metadata: meta_v1.ObjectMeta = field(default_factory=meta_v1.ObjectMeta)
