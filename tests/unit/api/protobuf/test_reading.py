from __future__ import annotations

import base64
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.api import codecs, protobuf
from pybernetes.api.protobuf import reading
from pybernetes.api.types import _protobuf, apps_v1, core_v1


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number: int, value: int | str | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def envelope(api_version: str, kind: str, raw: bytes) -> bytes:
    return protobuf.MAGIC + field(1, field(1, api_version) + field(2, kind)) + field(2, raw)


def numbers(message: str) -> dict[str, int]:
    rows = (row.split(":") for row in _protobuf.MESSAGES[message].split())
    return {name: int(number) for number, name, _ in rows}


META = numbers("apimachinery.pkg.apis.meta.v1.ObjectMeta")


def test_a_config_map() -> None:
    entry = field(1, "key") + field(2, "value")
    at = numbers("api.core.v1.ConfigMap")
    meta = field(META["name"], "settings") + field(META["labels"], field(1, "a") + field(2, "b"))
    raw = field(at["metadata"], meta) + field(at["data"], entry) + field(at["immutable"], 1)
    assert protobuf.decode(envelope("v1", "ConfigMap", raw)) == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "settings", "labels": {"a": "b"}},
        "data": {"key": "value"},
        "immutable": True,
    }


def test_bytes_become_base64() -> None:
    at = numbers("api.core.v1.Secret")
    raw = field(at["data"], field(1, "k") + field(2, b"\x00\xff"))
    assert protobuf.decode(envelope("v1", "Secret", raw))["data"] == {"k": base64.b64encode(b"\x00\xff").decode()}


def test_a_deployment_with_numbers_times_and_int_or_strings() -> None:
    at, spec = numbers("api.apps.v1.Deployment"), numbers("api.apps.v1.DeploymentSpec")
    strategy = numbers("api.apps.v1.DeploymentStrategy")
    rolling = numbers("api.apps.v1.RollingUpdateDeployment")
    percent = field(1, 1) + field(3, "25%")
    raw = field(at["metadata"], field(META["name"], "web") + field(META["creationTimestamp"], field(1, 1_700_000_000)))
    raw += field(
        at["spec"],
        field(spec["replicas"], 3)
        + field(
            spec["strategy"],
            field(
                strategy["rollingUpdate"],
                field(rolling["maxSurge"], percent) + field(rolling["maxUnavailable"], field(2, 1)),
            ),
        ),
    )
    tree = protobuf.decode(envelope("apps/v1", "Deployment", raw))
    deployment = codecs.from_tree(apps_v1.Deployment, tree)
    assert deployment.metadata.creationTimestamp == "2023-11-14T22:13:20Z"
    assert deployment.spec.replicas == 3
    assert deployment.spec.strategy.rollingUpdate is not None
    assert deployment.spec.strategy.rollingUpdate.maxSurge == "25%"
    assert deployment.spec.strategy.rollingUpdate.maxUnavailable == 1


def test_negative_numbers() -> None:
    at, spec = numbers("api.core.v1.Pod"), numbers("api.core.v1.PodSpec")
    raw = field(at["spec"], field(spec["priority"], -5))
    assert protobuf.decode(envelope("v1", "Pod", raw))["spec"] == {"priority": -5}


def test_delete_options_of_any_group() -> None:
    at = numbers("apimachinery.pkg.apis.meta.v1.DeleteOptions")
    raw = field(at["gracePeriodSeconds"], 0) + field(at["propagationPolicy"], "Foreground")
    tree = protobuf.decode(envelope("apps/v1", "DeleteOptions", raw))
    assert tree["gracePeriodSeconds"] == 0
    assert tree["propagationPolicy"] == "Foreground"


def test_unknown_fields_are_skipped_whatever_their_wire_type() -> None:
    raw = varint(999 << 3) + b"\x01" + varint(998 << 3 | 1) + b"12345678" + varint(997 << 3 | 5) + b"1234"
    assert protobuf.decode(envelope("v1", "ConfigMap", raw)) == {"apiVersion": "v1", "kind": "ConfigMap"}


def test_kinds_without_a_binary_form_travel_as_json() -> None:
    assert protobuf.decode(envelope("example.com/v1", "Widget", b'{"spec":1}'))["spec"] == 1


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        protobuf.MAGIC + b"\xff",
        envelope("v1", "Pod", b"\x0a\xff\xff\xff\xff\x0f"),
        envelope("v1", "Pod", b"\xff" * 12),
        envelope("v1", "Pod", b"\x0b"),
        envelope("v1", "Pod", field(1, 7)),
        envelope("v1", "Pod", field(1, field(META["name"], b"\xff"))),
        envelope("v1", "Pod", field(1, field(META["creationTimestamp"], field(1, 1 << 62)))),
        envelope("v1", "Pod", field(1, field(META["deletionTimestamp"], field(1, -(1 << 62))))),
        envelope("example.com/v1", "Widget", b"[1]"),
    ],
)
def test_what_is_no_message_is_a_decode_error(data: bytes) -> None:
    with pytest.raises(codecs.DecodeError):
        protobuf.decode(data)


@given(st.binary(max_size=120))
def test_random_bytes_are_never_worse_than_a_decode_error(data: bytes) -> None:
    for kind in (core_v1.Pod, core_v1.Event, apps_v1.Deployment):
        resource = kind()
        try:
            protobuf.decode(envelope(resource.apiVersion, resource.kind, data))
            protobuf.decode(protobuf.MAGIC + data)
        except codecs.DecodeError:
            continue


_MESSAGES = st.recursive(
    st.integers(-(2**63), 2**64 - 1) | st.binary(max_size=12),
    lambda inner: st.lists(st.tuples(st.integers(1, 30), inner), max_size=4).map(
        lambda pairs: b"".join(field(number, value) for number, value in pairs)
    ),
    max_leaves=12,
)


@given(_MESSAGES, st.sampled_from([("v1", "Pod"), ("v1", "Event"), ("v1", "Node"), ("apps/v1", "Deployment")]))
def test_well_formed_nonsense_is_never_worse_than_a_decode_error(raw: int | bytes, kind: tuple[str, str]) -> None:
    try:
        protobuf.decode(envelope(*kind, raw if isinstance(raw, bytes) else field(2, raw)))
    except codecs.DecodeError:
        return


def test_every_message_names_messages_that_exist() -> None:
    for message, rows in _protobuf.MESSAGES.items():
        for row in rows.split():
            kind = row.split(":")[2].removesuffix("[]").removesuffix("{}")
            assert kind in reading._SCALARS or kind in _protobuf.MESSAGES, f"{message}: {row}"


def test_doubles() -> None:
    assert reading._SCALARS["double"](struct.pack("<d", 1.5)) == 1.5
