from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.api import codecs
from pybernetes.api.quantity import Quantity
from pybernetes.api.types import apps_v1, core_v1, meta_v1, rbac_v1


def test_an_object_survives_the_round_trip() -> None:
    pod = core_v1.Pod(
        metadata=meta_v1.ObjectMeta(name="web", labels={"a": "b"}),
        spec=core_v1.PodSpec(
            containers=[
                core_v1.Container(
                    name="c", resources=core_v1.ResourceRequirements(requests={"cpu": Quantity.parse("100m")})
                )
            ]
        ),
    )
    decoded = codecs.decode(core_v1.Pod, codecs.encode(pod))
    assert decoded == pod
    assert isinstance(decoded.spec.containers[0].resources.requests["cpu"], Quantity)


def test_a_copy_shares_nothing() -> None:
    pod = core_v1.Pod(metadata=meta_v1.ObjectMeta(labels={"a": "b"}))
    copied = codecs.copy(pod)
    copied.metadata.labels["a"] = "c"
    assert pod.metadata.labels == {"a": "b"}


def test_nulls_are_taken_for_left_out() -> None:
    pod = codecs.decode(core_v1.Pod, b'{"metadata":null,"spec":{"containers":null,"nodeName":null,"hostNetwork":null}}')
    assert pod.metadata == meta_v1.ObjectMeta()
    assert pod.spec.containers == []
    assert pod.spec.nodeName == ""


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nonsense",
        b'{"kind":"\xff"}',
        b'{"kind":"\\ud800"}',
        b'{"spec":{"replicas":"many"}}',
        b'{"spec":{"replicas":4294967296}}',
        b'{"unknown":' + b"[" * 5000 + b"]" * 5000 + b"}",
        b'{"metadata":{"managedFields":[{"fieldsV1":' + b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"}]}}",
        b"[" * 200_000,
    ],
)
def test_what_is_no_object_is_a_decode_error(body: bytes) -> None:
    with pytest.raises(codecs.DecodeError):
        codecs.decode(apps_v1.Deployment, body)


@given(st.binary(max_size=200))
def test_random_bytes_are_objects_or_decode_errors(body: bytes) -> None:
    for decode in (lambda b: codecs.decode(core_v1.Pod, b), codecs.decode_tree, codecs.decode_yaml):
        try:
            decode(body)
        except codecs.DecodeError:
            continue


_SCALARS = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=5)
_TREES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
_NAMES = st.sampled_from(
    ["metadata", "spec", "status", "name", "labels", "containers", "ports", "template", "replicas", "annotations"]
)
_SHAPED = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=4), max_leaves=15
)


@given(_SHAPED)
def test_random_trees_are_objects_or_decode_errors(tree: Any) -> None:
    try:
        obj = codecs.from_tree(apps_v1.Deployment, tree)
    except codecs.DecodeError:
        return
    assert codecs.decode(apps_v1.Deployment, codecs.encode(obj)) == obj


_KEYS = st.from_regex(r"[a-z]{1,5}", fullmatch=True)
_TEXTS = st.dictionaries(_KEYS, st.text(max_size=8), max_size=3)
_META = st.builds(meta_v1.ObjectMeta, name=_KEYS, labels=_TEXTS, annotations=_TEXTS, generation=st.integers(0, 2**62))
_CONTAINERS = st.builds(
    core_v1.Container,
    name=_KEYS,
    image=st.text(max_size=8),
    command=st.lists(st.text(max_size=4), max_size=3),
    env=st.lists(st.builds(core_v1.EnvVar, name=_KEYS, value=st.text(max_size=4)), max_size=2),
)
_PODS = st.builds(
    core_v1.Pod,
    metadata=_META,
    spec=st.builds(
        core_v1.PodSpec,
        containers=st.lists(_CONTAINERS, max_size=2),
        nodeName=_KEYS,
        hostNetwork=st.booleans(),
        terminationGracePeriodSeconds=st.none() | st.integers(0, 2**40),
    ),
)


@given(_PODS)
def test_generated_objects_survive_every_round_trip(pod: core_v1.Pod) -> None:
    data = codecs.encode(pod)
    assert codecs.decode(core_v1.Pod, data) == pod
    assert codecs.from_tree(core_v1.Pod, codecs.to_tree(pod)) == pod
    assert codecs.encode(codecs.copy(pod)) == data
    assert codecs.decode_yaml(codecs.encode_yaml(codecs.to_tree(pod))) == codecs.to_tree(pod)


@dataclasses.dataclass
class Yaml:
    text: bytes
    tree: Any


@pytest.mark.parametrize(
    "case",
    [
        Yaml(b"mode: 0644", {"mode": 420}),
        Yaml(b"port: 22:22", {"port": "22:22"}),
        Yaml(b"port: 8080:80.5", {"port": "8080:80.5"}),
        Yaml(b"when: 2020-01-01", {"when": "2020-01-01"}),
        Yaml(b"when: 2020-01-01T00:00:00Z", {"when": "2020-01-01T00:00:00Z"}),
        Yaml(b"2: a\ntrue: b", {"2": "a", "true": "b"}),
        Yaml(b"on: yes", {"true": True}),
        Yaml(b"a: 1.5\nb: .5\nc: -3\nd: 0x1f\ne: 1e+3", {"a": 1.5, "b": 0.5, "c": -3, "d": 31, "e": 1000.0}),
        Yaml(b"ip: 10.0.0.1\nversion: 1.2.3", {"ip": "10.0.0.1", "version": "1.2.3"}),
        Yaml(b"a: !!binary aGk=", {"a": "hi"}),
        Yaml(b'{"a": [1, null]}', {"a": [1, None]}),
        Yaml(b"{a: 1}", {"a": 1}),
        Yaml(b"a: &x [1]\nb: *x", {"a": [1], "b": [1]}),
        Yaml(b"", None),
    ],
    ids=lambda case: case.text.decode(),
)
def test_yaml_is_read_as_upstream_reads_it(case: Yaml) -> None:
    assert codecs.decode_yaml(case.text) == case.tree


def test_aliased_parts_are_not_shared() -> None:
    tree = codecs.decode_yaml(b"a: &x [1]\nb: *x")
    tree["a"].append(2)
    assert tree["b"] == [1]


@pytest.mark.parametrize(
    "body",
    [
        b"a: [",
        b"a: b: c",
        b"\tx",
        b"a\n---\nb",
        b"!!int foo",
        b"!!bool maybe",
        b"!!float x",
        b"!!timestamp 2020-01-01",
        b"!!set {b}",
        b"!!python/object:os.system x",
        b"a: .nan",
        b"a: .inf",
        b"? [1]\n: 2",
        b"a: &a [*a]",
        b"a: *unknown",
        # Composed by recursion in C: without a limit, these end the process.
        b"[" * 100_000,
        b"[" * 50_000 + b"]" * 50_000,
        b"- " * 50_000 + b"a",
        b"? " * 50_000 + b"a",
        b"{a: " * 50_000,
    ],
    ids=lambda body: repr(body[:20]),
)
def test_what_is_no_yaml_is_a_decode_error(body: bytes) -> None:
    with pytest.raises(codecs.DecodeError, match="error converting YAML to JSON"):
        codecs.decode_yaml(body)


def test_few_bytes_of_aliases_do_not_grow_without_end() -> None:
    lines = [b"a: &a [x,x,x,x,x,x,x,x,x]"]
    for letter, before in zip(b"bcdefghij", b"abcdefghi", strict=True):
        lines.append(b"%c: &%c [%b]" % (letter, letter, b",".join([b"*%c" % before] * 9)))
    with pytest.raises(codecs.DecodeError, match="excessive aliasing"):
        codecs.decode_yaml(b"\n".join(lines))


@given(_TREES)
def test_trees_survive_yaml(tree: Any) -> None:
    plain = codecs.decode_tree(codecs.encode(tree)) if _fits(tree) else None
    assert codecs.decode_yaml(codecs.encode_yaml(plain)) == plain


def _fits(tree: Any) -> bool:
    if isinstance(tree, int) and not isinstance(tree, bool):
        return -(2**63) <= tree < 2**63
    if isinstance(tree, float):
        return abs(tree) < 1e15 and (tree == 0 or abs(tree) > 1e-4)
    if isinstance(tree, str):
        # What YAML cannot say unescaped is escaped by the dumper; line ends of other scripts are folded by readers.
        return all(0x20 <= ord(c) < 0x7F or 0xA0 < ord(c) < 0x2028 for c in tree)
    if isinstance(tree, list):
        return all(map(_fits, tree))
    if isinstance(tree, dict):
        return all(map(_fits, tree.values())) and all(map(_fits, tree))
    return True


def test_field_types_tell_json_names() -> None:
    assert "continue" in codecs.field_types(meta_v1.ListMeta)
    assert codecs.element_type(list[core_v1.Pod]) == (list, core_v1.Pod)
    assert codecs.element_type(dict[str, int] | None) == (dict, int)
    assert codecs.is_struct(rbac_v1.Role)
    assert not codecs.is_struct(list[str])
