"""The binary form, checked against bytes that gnostic's own code reads: field numbers are the contract."""

from __future__ import annotations

from pybernetes.apiserver.extensions.openapi import gnostic


def test_a_schema() -> None:
    written = gnostic.schema({"type": "object", "description": "d", "properties": {"a": {"type": "string"}}})
    inner = b"\xb2\x01\x08\x0a\x06string"
    named = b"\x0a\x01a\x12" + bytes((len(inner),)) + inner
    entry = b"\x0a" + bytes((len(named),)) + named
    assert written == b"\xb2\x01\x08\x0a\x06object" + b"\x22\x01d" + b"\xca\x01" + bytes((len(entry),)) + entry


def test_extensions_travel_as_yaml() -> None:
    written = gnostic.schema({"x-kubernetes-list-type": "map"})
    value = b"\x12\x08" + b'\x12\x06"map"\n'
    named = b"\x0a\x16x-kubernetes-list-type" + value
    assert written == b"\xfa\x01" + bytes((len(named),)) + named


def test_references_and_bodies() -> None:
    assert gnostic.parameter({"in": "body", "name": "body", "required": True}).startswith(b"\x0a")
    assert gnostic.parameter({"in": "query", "name": "limit", "type": "integer"}).startswith(b"\x12")


def test_what_has_no_number_is_left_out() -> None:
    assert gnostic.schema({"nullable": True, "oneOf": []}) == b""


def test_values_or_none() -> None:
    assert gnostic.schema({"additionalProperties": True}) == b"\xaa\x01\x02\x10\x01"
    assert gnostic.schema({"maxLength": 5}) == b"\x58\x05"
