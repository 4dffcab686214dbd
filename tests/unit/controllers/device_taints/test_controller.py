"""Pods go from tainted devices, unless their claims tolerate it, and not before their time."""

from __future__ import annotations

from typing import Any

import pytest

from pybernetes.api import codecs, times
from pybernetes.api.types import core_v1, resource_v1, resource_v1beta2
from pybernetes.controllers import device_taints
from pybernetes.controllers.device_taints import decide
from tests.fakes.cluster import FakeCluster

ADDED = 1_000.0


def slice_of(*taints: dict[str, Any], generation: int = 1, name: str = "s") -> resource_v1.ResourceSlice:
    spec = {
        "driver": "d", "pool": {"name": "n", "generation": generation, "resourceSliceCount": 1},
        "devices": [{"name": "gpu", "taints": list(taints)}],
    }  # fmt: skip
    return codecs.from_tree(resource_v1.ResourceSlice, {"metadata": {"name": name}, "spec": spec})


def taint(effect: str = "NoExecute", added: float = ADDED, **more: Any) -> dict[str, Any]:
    return {"key": "broken", "value": "yes", "effect": effect, "timeAdded": times.to_time(added)} | more


def claim(*tolerations: dict[str, Any], device: str = "gpu") -> resource_v1.ResourceClaim:
    given = {"driver": "d", "pool": "n", "device": device, "request": "r", "tolerations": list(tolerations)}
    status = {
        "allocation": {"devices": {"results": [given]}},
        "reservedFor": [{"resource": "pods", "name": "p", "uid": "u"}],
    }
    return codecs.from_tree(
        resource_v1.ResourceClaim, {"metadata": {"name": "c", "namespace": "default"}, "status": status}
    )


def tolerating(seconds: int | None = None, **more: Any) -> dict[str, Any]:
    one = {"key": "broken", "operator": "Exists", "effect": "NoExecute"} | more
    return one if seconds is None else one | {"tolerationSeconds": seconds}


@pytest.mark.parametrize(
    ("given", "taints", "at"),
    [
        (claim(), [], None),
        (claim(), [taint("NoSchedule")], None),
        (claim(), [taint()], ADDED),
        (claim(device="other"), [taint()], None),
        (claim(tolerating()), [taint()], None),
        (claim(tolerating(60)), [taint()], ADDED + 60),
        (claim(tolerating(60), tolerating(-5)), [taint()], ADDED),
        (claim(tolerating(key="else")), [taint()], ADDED),
        (claim(tolerating(operator="Equal", value="yes")), [taint()], None),
        (claim(tolerating(operator="Equal", value="no")), [taint()], ADDED),
        (claim(tolerating(60)), [taint(), taint(key="hot", added=ADDED + 10)], ADDED + 10),
    ],
)
def test_when_users_go(given: resource_v1.ResourceClaim, taints: list[dict[str, Any]], at: float | None) -> None:
    found = decide.due(given, decide.taints_of([slice_of(*taints)]))
    assert (found.at if found is not None else None) == at


def test_only_the_last_generation_counts() -> None:
    both = [slice_of(taint()), slice_of(generation=2, name="t")]
    assert decide.taints_of(both) == {}


def pod() -> core_v1.Pod:
    tree = {
        "metadata": {"name": "p", "namespace": "default", "uid": "u"},
        "spec": {"nodeName": "n", "resourceClaims": [{"name": "gpu", "resourceClaimName": "c"}]},
        "status": {"phase": "Running"},
    }
    return codecs.from_tree(core_v1.Pod, tree)


def rule(effect: str = "NoExecute", added: float = ADDED, **selector: str) -> decide.Rule:
    spec = {"deviceSelector": selector, "taint": taint(effect, added)}
    tree = {"metadata": {"name": "r", "uid": "rule", "generation": 1}, "spec": spec}
    return codecs.from_tree(resource_v1beta2.DeviceTaintRule, tree)


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        ({}, True),
        ({"driver": "d"}, True),
        ({"driver": "d", "pool": "n", "device": "gpu"}, True),
        ({"driver": "other"}, False),
        ({"pool": "other"}, False),
        ({"device": "other"}, False),
    ],
)
def test_whom_rules_are_about(selector: dict[str, str], selected: bool) -> None:
    found = decide.due(claim(tolerating(60)), {}, [rule(**selector)])
    assert found == (decide.Eviction(ADDED + 60, frozenset({"rule"})) if selected else None)


def test_a_rule_without_a_selector_evicts_nobody() -> None:
    one = rule()
    one.spec.deviceSelector = None
    assert decide.due(claim(), {}, [one]) is None


def test_all_taints_together() -> None:
    own = decide.taints_of([slice_of(taint(added=ADDED - 5))])
    found = decide.due(claim(), own, [rule()])
    assert found == decide.Eviction(ADDED - 5, frozenset({"rule"}))
    assert decide.joined([found, decide.Eviction(1.0, frozenset({"x"}))]) == (1.0, {"rule", "x"})
    assert decide.joined([]) is None


async def test_a_pod_is_evicted_in_time() -> None:
    async with FakeCluster(only=device_taints.NAME, kubelet=False) as cluster:
        tainted = slice_of(taint(added=cluster.clock.time()))
        whole = cluster.api.seed(pod(), claim(tolerating(60)), slice_of())
        await cluster.settled()
        assert cluster.api.calls == []
        cluster.api.change(whole, lambda copy: setattr(copy, "spec", tainted.spec))
        await cluster.clock.advance(30)
        assert cluster.api.calls == []
        # It is well again, and then is not.
        cluster.api.change(whole, lambda copy: setattr(copy, "spec", slice_of().spec))
        await cluster.clock.advance(60)
        assert cluster.events() == ["Cancelling deletion"]
        cluster.api.change(whole, lambda copy: setattr(copy, "spec", tainted.spec))
        await cluster.settled()
        assert cluster.api.find(core_v1.Pod, "p", "default") is None
        assert cluster.events() == ["Cancelling deletion", "Marking for deletion"]
        written = next(call.body for call in cluster.api.calls if call.method == "PUT")
        (condition,) = written.status.conditions
        assert (condition.type, condition.reason) == ("DisruptionTarget", "DeletionByDeviceTaintManager")
