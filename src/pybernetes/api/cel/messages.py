"""Declarations as message types, which is how the checker of the language knows objects and their fields.

A field of a message cannot be a list of lists or a map of lists: below those, types are left open.
"""

from __future__ import annotations

from cel_expr_python import cel
from google.protobuf import (
    any_pb2,
    descriptor_pb2,
    descriptor_pool,
    duration_pb2,
    empty_pb2,
    struct_pb2,
    timestamp_pb2,
    wrappers_pb2,
)

from pybernetes.api.cel import declarations

_Field = descriptor_pb2.FieldDescriptorProto
_KNOWN = (any_pb2, duration_pb2, empty_pb2, struct_pb2, timestamp_pb2, wrappers_pb2)
_SCALARS = {
    "bool": _Field.TYPE_BOOL,
    "bytes": _Field.TYPE_BYTES,
    "double": _Field.TYPE_DOUBLE,
    "int": _Field.TYPE_INT64,
    "string": _Field.TYPE_STRING,
}
_WELL_KNOWN = {
    "dyn": ".google.protobuf.Value",
    "duration": ".google.protobuf.Duration",
    "timestamp": ".google.protobuf.Timestamp",
    # As elements of lists and maps only.
    "list": ".google.protobuf.ListValue",
    "map": ".google.protobuf.Struct",
}
_TYPES = {
    "bool": cel.Type.BOOL,
    "bytes": cel.Type.BYTES,
    "double": cel.Type.DOUBLE,
    "dyn": cel.Type.DYN,
    "duration": cel.Type.DURATION,
    "int": cel.Type.INT,
    "string": cel.Type.STRING,
    "timestamp": cel.Type.TIMESTAMP,
}


def pool() -> descriptor_pool.DescriptorPool:
    """A pool that has the well-known types."""
    made = descriptor_pool.DescriptorPool()
    for module in _KNOWN:
        made.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
    return made


def declare(into: descriptor_pool.DescriptorPool, declared: declarations.Declaration, name: str) -> cel.Type:
    """Enter the message types of a declaration under that name; its type."""
    file = descriptor_pb2.FileDescriptorProto(name=f"{name}.proto", syntax="proto3")
    file.dependency.extend(module.DESCRIPTOR.name for module in _KNOWN)
    found = _type(file, declared, name)
    into.AddSerializedFile(file.SerializeToString())
    return found


def _type(file: descriptor_pb2.FileDescriptorProto, declared: declarations.Declaration, name: str) -> cel.Type:
    if declared.kind == "object":
        _message(file.message_type.add(name=name), declared, f".{name}")
        return cel.Type(name)
    if declared.element is not None:
        inner = _type(file, declared.element, f"{name}Element")
        return cel.Type.List(inner) if declared.kind == "list" else cel.Type.Map(cel.Type.STRING, inner)
    return _TYPES.get(declared.kind) or cel.Type(declared.kind)


def _message(message: descriptor_pb2.DescriptorProto, declared: declarations.Declaration, path: str) -> None:
    for number, (name, inner) in enumerate(declared.fields.items(), start=1):
        made = message.field.add(name=name, number=number, label=_Field.LABEL_OPTIONAL)
        if inner.kind == "list" and inner.element is not None:
            made.label = _Field.LABEL_REPEATED
            _fill(message, made, inner.element, path)
        elif inner.kind == "map" and inner.element is not None:
            made.label = _Field.LABEL_REPEATED
            made.type = _Field.TYPE_MESSAGE
            # What the language calls the type of a map's entries, and tells maps by.
            entry = message.nested_type.add(name=_entry_name(name))
            entry.options.map_entry = True
            entry.field.add(name="key", number=1, type=_Field.TYPE_STRING, label=_Field.LABEL_OPTIONAL)
            value = entry.field.add(name="value", number=2, label=_Field.LABEL_OPTIONAL)
            made.type_name = f"{path}.{entry.name}"
            _fill(message, value, inner.element, path, suffix=f"Of{number}")
        else:
            _fill(message, made, inner, path)


def _entry_name(field: str) -> str:
    """As protoc derives it: `some_name` has entries of the type `SomeNameEntry`."""
    text = "".join(part[:1].upper() + part[1:] for part in field.split("_"))
    return f"{text}Entry"


def _fill(
    message: descriptor_pb2.DescriptorProto,
    made: descriptor_pb2.FieldDescriptorProto,
    declared: declarations.Declaration,
    path: str,
    *,
    suffix: str = "",
) -> None:
    if declared.kind in _SCALARS:
        made.type = _SCALARS[declared.kind]
        return
    made.type = _Field.TYPE_MESSAGE
    if declared.kind in _WELL_KNOWN:
        made.type_name = _WELL_KNOWN[declared.kind]
        return
    name = f"{made.name}{suffix}__type"
    made.type_name = f"{path}.{name}"
    _message(message.nested_type.add(name=name), declared, made.type_name)
