from __future__ import annotations

from typing import Any

import pytest

from pybernetes.api import names
from pybernetes.api.types import meta_v1
from pybernetes.apiserver.resources import kind, metadata

PODS = kind.resource("", "v1", "pods")
DEPLOYMENTS = kind.resource("apps", "v1", "deployments")
NODES = kind.resource("", "v1", "nodes")


def created(resource: Any = DEPLOYMENTS, **fields: Any) -> list[str]:
    meta = meta_v1.ObjectMeta(**{"name": "x", "namespace": "d" if resource.namespaced else "", **fields})
    return [str(problem) for problem in metadata.validate_create(meta, resource, names.dns_subdomain)]


def test_good() -> None:
    assert created(labels={"a/b": "c"}, annotations={"A/B": "c"}, finalizers=["a.b/c"]) == []
    assert created(NODES) == []


def test_names() -> None:
    assert created(name="") == ["metadata.name: Required value: name or generateName is required"]
    assert created(name="A")[0].startswith('metadata.name: Invalid value: "A": a lowercase RFC 1123 subdomain')
    assert created(namespace="") == ["metadata.namespace: Required value"]
    assert created(NODES, namespace="x") == ["metadata.namespace: Forbidden: not allowed on this type"]


def test_finalizers_of_the_core_group_are_qualified() -> None:
    assert created(DEPLOYMENTS, finalizers=["mine"]) == []
    assert created(PODS, finalizers=["mine"]) == [
        (
            'metadata.finalizers[0]: Invalid value: "mine": name is neither a standard finalizer name nor is it fully '
            "qualified"
        )
    ]
    both = created(finalizers=["orphan", "foregroundDeletion"])
    assert both[0].endswith("finalizer orphan and foregroundDeletion cannot be both set")


def test_owners() -> None:
    owner = meta_v1.OwnerReference(apiVersion="apps/v1", kind="ReplicaSet", name="r", uid="u", controller=True)
    assert created(ownerReferences=[owner]) == []
    two = created(ownerReferences=[owner, owner])
    assert "Only one reference can have Controller set to true" in two[0]
    assert created(ownerReferences=[meta_v1.OwnerReference(apiVersion="v1", kind="K", name="n")]) == [
        'metadata.ownerReferences.uid: Invalid value: "": must not be empty'
    ]


def test_annotations_are_bounded() -> None:
    assert created(annotations={"a": "x" * 256 * 1024}) == [
        "metadata.annotations: Too long: may not be more than 262144 bytes"
    ]


@pytest.mark.parametrize("name", ["name", "namespace", "uid", "creationTimestamp"])
def test_identity_is_immutable(name: str) -> None:
    old = meta_v1.ObjectMeta(name="x", namespace="d", uid="u", creationTimestamp="2026-01-01T00:00:00Z")
    new = meta_v1.ObjectMeta(name="x", namespace="d", uid="u", creationTimestamp="2026-01-01T00:00:00Z")
    assert metadata.validate_update(new, old) == []
    setattr(new, name, "other")
    assert [str(p) for p in metadata.validate_update(new, old)] == [
        f'metadata.{name}: Invalid value: "other": field is immutable'
    ]


def test_no_new_finalizers_while_being_deleted() -> None:
    old = meta_v1.ObjectMeta(name="x", deletionTimestamp="2026-01-01T00:00:00Z", finalizers=["a/b"])
    new = meta_v1.ObjectMeta(name="x", deletionTimestamp="2026-01-01T00:00:00Z", finalizers=["a/b", "c/d"])
    (problem,) = metadata.validate_update(new, old)
    assert str(problem) == (
        "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, "
        'found new finalizers []string{"c/d"}'
    )
    assert metadata.validate_update(old, new) == []
