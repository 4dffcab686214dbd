"""Types of which expressions know only what functions tell: a message with a text for each."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

from cel_expr_python import cel
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

QUANTITY, URL, SEMVER = "kubernetes.Quantity", "kubernetes.URL", "kubernetes.Semver"
IP, CIDR = "net.IP", "net.CIDR"
# What an authorizer is asked with, step by step; `authorizers.py` has the functions.
AUTHORIZATION = tuple(
    f"kubernetes.authorization.{name}"
    for name in ("Authorizer", "PathCheck", "GroupCheck", "ResourceCheck", "Decision")
)
NAMES = (QUANTITY, URL, SEMVER, IP, CIDR, *AUTHORIZATION)


class Call(NamedTuple):
    """One way to call a function, by upstream's id of it. What `impl` raises is the error of the expression."""

    name: str
    id: str
    returns: Any
    parameters: tuple[Any, ...]
    impl: Callable[..., Any]
    is_member: bool = True


def type_of(name: str) -> Any:
    return cel.Type(name)


def make(name: str, text: str) -> Any:
    """A value of the type; values of equal texts are equal."""
    return _class(name)(text=text)


def declare(pool: descriptor_pool.DescriptorPool) -> None:
    """Enter the types."""
    for data in _files():
        pool.AddSerializedFile(data)


@functools.cache
def _files() -> tuple[bytes, ...]:
    kind = descriptor_pb2.FieldDescriptorProto
    found = []
    for package in ("kubernetes", "net", "kubernetes.authorization"):
        file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto3")
        for name in NAMES:
            if name.rpartition(".")[0] == package:
                message = file.message_type.add(name=name.rpartition(".")[2])
                message.field.add(name="text", number=1, type=kind.TYPE_STRING, label=kind.LABEL_OPTIONAL)
        found.append(file.SerializeToString())
    return tuple(found)


@functools.cache
def _class(name: str) -> Any:
    pool = descriptor_pool.DescriptorPool()
    declare(pool)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))


def accepts(parse: Callable[..., Any]) -> Callable[..., bool]:
    """Whether a text is one: `isQuantity` from `quantity`."""

    def check(*arguments: Any) -> bool:
        try:
            parse(*arguments)
        except ValueError:
            return False
        return True

    return check


def comparisons(name: str, prefix: str, order: Callable[[Any], Any]) -> list[Call]:
    """isGreaterThan, isLessThan and compareTo of a type; `order` gives what values are compared by."""
    kind = type_of(name)

    def compare(left: Any, right: Any) -> int:
        one, other = order(left), order(right)
        return int(one > other) - int(one < other)

    pair = (kind, kind)
    return [
        Call("isGreaterThan", f"{prefix}_is_greater_than", cel.Type.BOOL, pair, lambda a, b: compare(a, b) > 0),
        Call("isLessThan", f"{prefix}_is_less_than", cel.Type.BOOL, pair, lambda a, b: compare(a, b) < 0),
        Call("compareTo", f"{prefix}_compare_to", cel.Type.INT, pair, compare),
    ]
