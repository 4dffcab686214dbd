"""Inputs that are nearly right: real objects with a few places made wrong."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import strategies as st

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "p",
        "namespace": "default",
        "labels": {"app": "a"},
        "annotations": {"note": "x"},
        "finalizers": ["example.com/f"],
        "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": "n", "uid": "u"}],
    },
    "spec": {
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 3,
        "tolerations": [{"key": "k", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}],
        "affinity": {
            "podAntiAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": [
                    {"topologyKey": "zone", "labelSelector": {"matchExpressions": [{"key": "a", "operator": "Exists"}]}}
                ]
            }
        },
        "volumes": [{"name": "v", "emptyDir": {"sizeLimit": "1Mi"}}],
        "containers": [
            {
                "name": "c",
                "image": "i",
                "env": [{"name": "E", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
                "ports": [{"containerPort": 80, "protocol": "TCP"}],
                "resources": {"limits": {"cpu": "100m"}, "requests": {"memory": "1Mi"}},
                "volumeMounts": [{"name": "v", "mountPath": "/v"}],
                "livenessProbe": {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 3},
            }
        ],
    },
}
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "d", "namespace": "default"},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "a"}},
        "strategy": {"rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 1}},
        "template": {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}},
    },
}
SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "s", "namespace": "default"},
    "spec": {"selector": {"a": "b"}, "ports": [{"port": 80, "targetPort": "http"}], "clusterIP": "None"},
}
DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "tests.fuzz.example.com"},
    "spec": {
        "group": "fuzz.example.com",
        "scope": "Namespaced",
        "names": {"plural": "tests", "kind": "Test"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {
                    "status": {},
                    "scale": {"specReplicasPath": ".spec.n", "statusReplicasPath": ".status.n"},
                },
                "additionalPrinterColumns": [{"name": "N", "type": "integer", "jsonPath": ".spec.n"}],
                "selectableFields": [{"jsonPath": ".spec.s"}],
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "required": ["n"],
                                "properties": {
                                    "n": {"type": "integer", "minimum": 0, "default": 1},
                                    "s": {"type": "string", "pattern": "^[a-z]*$", "maxLength": 9, "enum": ["a", "b"]},
                                    "port": {"x-kubernetes-int-or-string": True},
                                    "any": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                                    "list": {
                                        "type": "array",
                                        "x-kubernetes-list-type": "map",
                                        "x-kubernetes-list-map-keys": ["k"],
                                        "items": {
                                            "type": "object",
                                            "required": ["k"],
                                            "properties": {"k": {"type": "string"}},
                                        },
                                    },
                                    "map": {"type": "object", "additionalProperties": {"type": "number"}},
                                },
                            },
                            "status": {"type": "object", "properties": {"n": {"type": "integer"}}},
                        },
                    }
                },
            }
        ],
    },
}
CUSTOM = {
    "apiVersion": "fuzz.example.com/v1",
    "kind": "Test",
    "metadata": {"name": "t", "namespace": "default"},
    "spec": {
        "n": 1,
        "s": "a",
        "port": "http",
        "any": {"x": [1]},
        "list": [{"k": "a"}, {"k": "b"}],
        "map": {"a": 1.5},
    },
}

_odd_texts = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["", "0", "-1", "1e400", "9" * 30, "a/b", "../x", "\x00", "\ud7ff", "*", "{", "100%", "1Ki", "None"]
    ),
)
_odd_numbers = st.one_of(
    st.integers(-(2**70), 2**70), st.sampled_from([0, -1, 2**31, 2**63, -(2**63) - 1]), st.floats(allow_nan=False)
)
scalars = st.one_of(st.none(), st.booleans(), _odd_numbers, _odd_texts)
trees = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_odd_texts, inner, max_size=3), max_leaves=8
)


def places(tree: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths of all values in a tree."""
    found = [at]
    if isinstance(tree, dict):
        for key, value in tree.items():
            found += places(value, (*at, key))
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            found += places(value, (*at, index))
    return found


def _put(tree: Any, at: tuple[Any, ...], value: Any) -> Any:
    if not at:
        return value
    holder = tree
    for step in at[:-1]:
        holder = holder[step]
    holder[at[-1]] = value
    return tree


@st.composite
def mutated(draw: st.DrawFn, tree: Any) -> Any:
    """The tree with up to three values replaced, removed, wrapped or put elsewhere."""
    result = copy.deepcopy(tree)
    for _ in range(draw(st.integers(1, 3))):
        spots = places(result)
        at = draw(st.sampled_from(spots))
        how = draw(st.sampled_from(["replace", "wrap", "graft", "add"]))
        value: Any = result
        for step in at:
            value = value[step]
        if how == "replace":
            result = _put(result, at, draw(trees))
        elif how == "wrap":
            result = _put(result, at, [copy.deepcopy(value)])
        elif how == "graft":
            other: Any = tree
            for step in draw(st.sampled_from(places(tree))):
                other = other[step]
            result = _put(result, at, copy.deepcopy(other))
        elif isinstance(value, dict):
            value[draw(_odd_texts)] = draw(trees)
        elif isinstance(value, list):
            value.append(draw(trees))
    return result


@st.composite
def broken(draw: st.DrawFn, data: bytes) -> bytes:
    """The bytes with some of them changed, cut off, or repeated."""
    raw = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(len(raw) - 1, 0)))
        how = draw(st.sampled_from(["flip", "cut", "insert", "repeat"]))
        if how == "flip" and raw:
            raw[at] = draw(st.integers(0, 255))
        elif how == "cut":
            del raw[at:]
        elif how == "insert":
            raw[at:at] = draw(st.binary(max_size=6))
        else:
            raw += raw[at : at + 20]
    return bytes(raw)


def encoded(tree: Any) -> bytes:
    return json.dumps(tree).encode(errors="surrogatepass")
