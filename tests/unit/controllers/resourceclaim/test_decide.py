"""Which claims pods have and lack, and what becomes of claims."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.api import codecs, names
from pybernetes.api.types import core_v1, resource_v1
from pybernetes.controllers.resourceclaim import decide


def pod(name: str = "p", *, made: dict[str, str | None] | None = None, node: str = "", **meta: Any) -> core_v1.Pod:
    statuses = [{"name": entry, "resourceClaimName": claim} for entry, claim in (made or {}).items()]
    tree = {
        "metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}"} | meta,
        "spec": {
            "nodeName": node,
            "resourceClaims": [
                {"name": "gpu", "resourceClaimTemplateName": "gpus"},
                {"name": "disk", "resourceClaimName": "shared"},
            ],
        },
        "status": {"resourceClaimStatuses": statuses},
    }
    return codecs.from_tree(core_v1.Pod, tree)


def claim(name: str = "c", *, users: tuple[str, ...] = (), allocated: bool = True, **meta: Any) -> Any:
    consumers = [{"resource": "pods", "name": user, "uid": f"uid-{user}"} for user in users]
    tree = {
        "metadata": {"name": name, "namespace": "default", "finalizers": [decide.FINALIZER]} | meta,
        "status": {"reservedFor": consumers} | ({"allocation": {}} if allocated else {}),
    }
    return codecs.from_tree(resource_v1.ResourceClaim, tree)


def test_names() -> None:
    assert decide.names(pod()) == {"disk": "shared"}
    assert [entry.name for entry in decide.lacking(pod())] == ["gpu"]
    given_one = pod(made={"gpu": "p-gpu-x"})
    assert decide.names(given_one) == {"gpu": "p-gpu-x", "disk": "shared"}
    assert decide.lacking(given_one) == []
    # The status says that it needs none.
    assert decide.lacking(pod(made={"gpu": None})) == []
    given_one.status.extendedResourceClaimStatus = core_v1.PodExtendedResourceClaimStatus(resourceClaimName="ext")
    assert list(decide.all_names(given_one)) == ["p-gpu-x", "shared", "ext"]


@given(st.text("ab-", min_size=1, max_size=253), st.text("ab-", min_size=1, max_size=63))
def test_generated_names_fit(pod_name: str, entry: str) -> None:
    made = decide.generate_name(pod_name, entry)
    assert len(made) + 5 <= 63
    if len(f"{pod_name}-{entry}-") <= 57:
        assert made == f"{pod_name}-{entry}-"


def test_a_claim_of_a_template() -> None:
    tree = {
        "metadata": {"name": "gpus", "namespace": "default"},
        "spec": {
            "metadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}},
            "spec": {"devices": {"requests": [{"name": "one", "exactly": {"deviceClassName": "gpu"}}]}},
        },
    }
    template = codecs.from_tree(resource_v1.ResourceClaimTemplate, tree)
    made = decide.claim_for(pod(), "gpu", template)
    assert made.spec == template.spec.spec
    assert (made.metadata.generateName, made.metadata.labels) == ("p-gpu-", {"a": "b"})
    assert made.metadata.annotations == {"c": "d", "resource.kubernetes.io/pod-claim-name": "gpu"}
    assert codecs.to_tree(made.metadata)["ownerReferences"] == [
        {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "uid-p", "controller": True}
    ]
    assert names.dns_subdomain(f"{made.metadata.generateName}x") == []


@pytest.mark.parametrize(
    ("one", "gone", "users", "allocated"),
    [
        (claim(users=("a", "b")), {"uid-a"}, ["b"], True),
        (claim(users=("a",)), {"uid-a"}, [], False),
        (claim(users=("a",)), set(), None, True),
        (claim(), set(), None, True),
        (claim(deletionTimestamp="2026-01-01T00:00:00Z"), set(), [], False),
        (claim(users=("a",), finalizers=[]), {"uid-a"}, [], True),
    ],
)
def test_release(one: Any, gone: set[str], users: list[str] | None, allocated: bool) -> None:
    changed = decide.released(one, frozenset(gone))
    if users is None:
        assert changed is None
    else:
        assert changed is not None
        assert [user.name for user in changed.status.reservedFor] == users
        assert (changed.status.allocation is not None) is allocated


def test_the_finalizer_goes_last() -> None:
    assert decide.unprotected(claim()) is None
    assert decide.unprotected(claim(users=("a",), allocated=False)) is None
    bare = decide.unprotected(claim(allocated=False))
    assert bare is not None
    assert bare.metadata.finalizers == []
    assert decide.unprotected(bare) is None
