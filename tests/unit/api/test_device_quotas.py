"""What claims of devices count for beside the devices of their classes."""

from __future__ import annotations

from typing import Any

import pytest

from pybernetes.api import codecs, device_quotas
from pybernetes.api.types import core_v1, resource_v1

CLAIMS = device_quotas.CLAIMS
GOLD = "requests.deviceclass.resource.kubernetes.io/gold"
GPU = "requests.example.com/gpu"


def kind(name: str, resource: str | None = None) -> resource_v1.DeviceClass:
    spec = {"extendedResourceName": resource} if resource is not None else {}
    return codecs.from_tree(resource_v1.DeviceClass, {"metadata": {"name": name}, "spec": spec})


CLASSES = device_quotas.Classes([kind("gold", "example.com/gpu"), kind("iron")])


def claim(name: str = "c", number: int = 2, *, of: str = "gold", owner: str = "u", made: str = "00") -> Any:
    request = {"name": "r", "exactly": {"deviceClassName": of, "allocationMode": "ExactCount", "count": number}}
    meta: dict[str, Any] = {"name": name, "creationTimestamp": f"2026-01-01T00:00:{made}Z"}
    if owner:
        meta["annotations"] = {device_quotas.ANNOTATION: "true"}
        meta["ownerReferences"] = [{"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": owner, "controller": True}]
    tree = {"metadata": meta, "spec": {"devices": {"requests": [request]}}}
    return codecs.from_tree(resource_v1.ResourceClaim, tree)


def pod(number: int = 1, *, resource: str = "example.com/gpu", told: str = "") -> core_v1.Pod:
    tree = {
        "metadata": {"name": "p", "uid": "u"},
        "spec": {"containers": [{"name": "c", "resources": {"requests": {resource: str(number)}}}]},
        "status": {"extendedResourceClaimStatus": {"resourceClaimName": told}} if told else {},
    }
    return codecs.from_tree(core_v1.Pod, tree)


def counted(found: resource_v1.ResourceClaim, *others: Any, of: core_v1.Pod | None = None) -> dict[str, str]:
    amounts = device_quotas.usage(found, CLASSES, device_quotas.stated_by(of, found, others))
    return {name: str(amount) for name, amount in amounts.items() if name.startswith("requests.")}


@pytest.mark.parametrize(
    ("name", "governs"),
    [
        ("count/resourceclaims.resource.k8s.io", True),
        ("any.deviceclass.resource.k8s.io/devices", True),
        (GOLD, True),
        (GPU, True),
        ("requests.deviceclass.resource.kubernetes.io/iron", True),
        ("requests.deviceclass.resource.kubernetes.io/none", False),
        ("requests.example.com/other", False),
        ("requests.cpu", False),
    ],
)
def test_which_quotas_are_for_claims(name: str, governs: bool) -> None:
    assert device_quotas.governs([name], *CLAIMS, CLASSES) is governs
    assert not device_quotas.governs([GOLD], "", "services", CLASSES)


def test_by_its_class_and_by_what_this_stands_behind() -> None:
    assert counted(claim(owner="")) == {GOLD: "2", GPU: "2"}
    assert counted(claim(of="iron", owner="")) == {"requests.deviceclass.resource.kubernetes.io/iron": "2"}
    assert counted(claim(of="unknown", owner="")) == {"requests.deviceclass.resource.kubernetes.io/unknown": "2"}


def test_what_the_pod_counts_for_is_not_counted_again() -> None:
    assert counted(claim(number=1), of=pod()) == {GOLD: "1"}
    assert counted(claim(number=3), of=pod()) == {GOLD: "3", GPU: "2"}
    assert counted(claim(number=1), of=pod(resource="deviceclass.resource.kubernetes.io/gold")) == {GPU: "1"}


@pytest.mark.parametrize(
    ("found", "of", "others"),
    [
        (claim(owner=""), pod(), []),
        (claim(), None, []),
        (claim(owner="another"), pod(), []),
        (claim(), pod(told="other"), []),
        (claim(made="05"), pod(), [claim("z", made="04")]),
        (claim("b"), pod(), [claim("a")]),
    ],
)
def test_who_is_not_taken_at_its_word(found: Any, of: core_v1.Pod | None, others: list[Any]) -> None:
    assert counted(found, *others, of=of) == {GOLD: "2", GPU: "2"}


@pytest.mark.parametrize(
    ("of", "others"), [(pod(told="c"), [claim("a")]), (pod(), [claim("d")]), (pod(), [claim("a", made="01")])]
)
def test_who_is(of: core_v1.Pod, others: list[Any]) -> None:
    assert counted(claim(), *others, of=of) == {GOLD: "2", GPU: "1"}
