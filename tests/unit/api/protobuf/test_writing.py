"""What is written reads back as the same tree; a few bytes are checked against upstream's own."""

from __future__ import annotations

import base64
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.api import codecs, protobuf, times
from pybernetes.api.protobuf import tables, writing
from pybernetes.api.types import _protobuf, core_v1

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8)
JSON_VALUES = st.recursive(
    st.booleans() | st.integers(-(2**31), 2**31) | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "string": TEXT,
    "bytes": st.binary(max_size=8).map(lambda data: base64.b64encode(data).decode()),
    "bool": st.booleans(),
    "int32": st.integers(-(2**31), 2**31 - 1),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "double": st.floats(allow_nan=False),
    tables.TIME: st.integers(0, 2**33).map(times.to_time),
    tables.MICRO_TIME: st.integers(0, 2**31).map(lambda second: times.to_micro_time(second + 0.5)),
    tables.FIELDS: st.dictionaries(TEXT, JSON_VALUES, min_size=1, max_size=2),
    tables.QUANTITY: st.sampled_from(["1", "250m", "2Gi"]),
    tables.INT_OR_STRING: st.integers(-(2**31), 2**31 - 1) | TEXT,
    tables.RAW_EXTENSION: st.dictionaries(TEXT, JSON_VALUES, min_size=1, max_size=2),
    tables.JSON: JSON_VALUES,
    tables.OR_ARRAY: st.just({"type": "string"}) | st.just([{"type": "string"}, {"type": "object"}]),
    tables.OR_BOOL: st.booleans() | st.just({"type": "string"}),
    tables.OR_STRINGS: st.just(["a", "b"]) | st.just({"type": "string"}),
}


def trees(message: str, depth: int) -> st.SearchStrategy[Any]:
    if message in VALUES:
        return VALUES[message]
    fields = tables.fields(message)
    if message.endswith(tables.NAMED_LISTS):
        return st.lists(TEXT, max_size=2)
    if depth == 0:
        return st.just({})
    named = {field.name: values(field, depth) for field in fields if field.name}
    found: st.SearchStrategy[Any] = st.fixed_dictionaries({}, optional=named)
    for field in fields:
        if not field.name:
            found = st.tuples(found, trees(field.type, depth)).map(lambda pair: pair[0] | pair[1])
    return found


def values(field: tables.Field, depth: int) -> st.SearchStrategy[Any]:
    one = trees(field.type, depth - 1)
    if field.map:
        return st.dictionaries(TEXT, one, min_size=1, max_size=2)
    return st.lists(one, min_size=1, max_size=2) if field.repeated else one


KINDS = (
    ("v1", "Pod"),
    ("v1", "Service"),
    ("apps/v1", "Deployment"),
    ("batch/v1", "CronJob"),
    ("rbac.authorization.k8s.io/v1", "ClusterRole"),
    ("flowcontrol.apiserver.k8s.io/v1", "FlowSchema"),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
    ("apiregistration.k8s.io/v1", "APIService"),
    ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy"),
    ("authentication.k8s.io/v1", "TokenReview"),
    ("v1", "Status"),
)


@given(st.data(), st.sampled_from(KINDS))
def test_what_is_written_reads_back(data: st.DataObject, kind: tuple[str, str]) -> None:
    message = tables.message_name(*kind)
    assert message is not None
    tree = {"apiVersion": kind[0], "kind": kind[1], **data.draw(trees(message, 4))}
    assert protobuf.decode(protobuf.encode(tree)) == tree


@pytest.mark.parametrize("message", sorted(_protobuf.MESSAGES))
def test_every_message_can_be_written(message: str) -> None:
    empty: Any = [] if message.endswith(tables.NAMED_LISTS) else {}
    assert isinstance(writing._message(message)(empty), bytes)


def test_the_bytes_of_a_small_object() -> None:
    tree = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "v"}}
    inner = b"\x0a\x03\x0a\x01a" + b"\x12\x06\x0a\x01k\x12\x01v"
    meta = b"\x0a\x02v1\x12\x09ConfigMap"
    expected = b"k8s\x00\x0a\x0f" + meta + b"\x12" + bytes((len(inner),)) + inner + b"\x1a\x00\x22\x00"
    assert protobuf.encode(tree) == expected


def test_a_list_is_made_of_encoded_items() -> None:
    items = [{"metadata": {"name": name}} for name in ("a", "b")]
    encoded = [protobuf.raw("v1", "Pod", item) for item in items]
    body = protobuf.list_of("v1", "PodList", {"resourceVersion": "7"}, encoded)
    assert protobuf.decode(body) == {
        "apiVersion": "v1",
        "kind": "PodList",
        "metadata": {"resourceVersion": "7"},
        "items": items,
    }


def test_an_event_of_a_watch_stands_behind_its_length() -> None:
    pod = protobuf.encode({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}})
    framed = protobuf.watch_event("ADDED", pod)
    (length,) = struct.unpack(">I", framed[:4])
    assert length == len(framed) - 4
    assert framed[4:11] == b"\x0a\x05ADDED"
    assert framed.endswith(pod)


def test_a_real_pod() -> None:
    pod = core_v1.Pod(spec=core_v1.PodSpec(containers=[core_v1.Container(name="a", image="b", tty=False)]))
    pod.spec.terminationGracePeriodSeconds = 0
    tree = codecs.to_tree(pod)
    read = protobuf.decode(protobuf.encode(tree))
    assert codecs.encode(codecs.from_tree(core_v1.Pod, read)) == codecs.encode(pod)


def test_kinds_without_a_binary_form_are_told() -> None:
    with pytest.raises(KeyError):
        protobuf.encode({"apiVersion": "example.com/v1", "kind": "Thing"})


def test_numbers_below_zero_take_ten_bytes() -> None:
    assert writing.varint(-1) == b"\xff" * 9 + b"\x01"
