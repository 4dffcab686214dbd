"""The tables of the wire format, and which message a kind is."""

from __future__ import annotations

import functools
from typing import NamedTuple

from pybernetes.api import scheme
from pybernetes.api.types import _protobuf

MAGIC = b"k8s\x00"
MEDIA_TYPE = "application/vnd.kubernetes.protobuf"

META = "apimachinery.pkg.apis.meta.v1."
TIME = META + "Time"
MICRO_TIME = META + "MicroTime"
FIELDS = META + "FieldsV1"
QUANTITY = "apimachinery.pkg.api.resource.Quantity"
INT_OR_STRING = "apimachinery.pkg.util.intstr.IntOrString"
RAW_EXTENSION = "apimachinery.pkg.runtime.RawExtension"
EXTENSIONS = "api.apiextensions.v1."
JSON = EXTENSIONS + "JSON"
OR_ARRAY, OR_BOOL, OR_STRINGS = (EXTENSIONS + f"JSONSchemaPropsOr{name}" for name in ("Array", "Bool", "StringArray"))

# Lists that have a name in the wire format and none in JSON.
NAMED_LISTS = (".ExtraValue", ".Verbs")
# Kinds that are of no group: their group and version are those of what they come with.
_SHARED = ("Status", "PartialObjectMetadata", "PartialObjectMetadataList")
_PACKAGES = {"internal": "apiserverinternal", "": "core"}


class Field(NamedTuple):
    """One field of a message; "" is the name of a message whose fields are the outer one's in JSON."""

    number: int
    name: str
    type: str
    repeated: bool
    map: bool


@functools.cache
def fields(message: str) -> tuple[Field, ...]:
    """The fields of a message. Raises KeyError."""
    found = []
    for text in _protobuf.MESSAGES[message].split():
        number, name, kind = text.split(":")
        plain = kind.removesuffix("[]").removesuffix("{}")
        found.append(Field(int(number), name, plain, kind.endswith("[]"), kind.endswith("{}")))
    return tuple(found)


@functools.lru_cache(maxsize=2048)
def message_name(api_version: str, kind: str) -> str | None:
    """The message that a kind is, None for one without a binary form (custom resources)."""
    if (META + kind) in _protobuf.MESSAGES and (kind.endswith("Options") or kind in _SHARED):
        return META + kind
    resource = scheme.by_kind(api_version, kind)
    group, _, version = api_version.rpartition("/")
    first = group.split(".")[0]
    package = resource.type_name.split("_")[0] if resource is not None else _PACKAGES.get(first, first)
    name = f"api.{package}.{version}.{kind}"
    return name if name in _protobuf.MESSAGES else None
