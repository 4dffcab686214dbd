"""Plugins at the points between the choice of a node and the end of the binding."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from pybernetes.api.types import core_v1
from pybernetes.kits.clock import settle
from pybernetes.scheduler import registry, waiting
from pybernetes.scheduler.plugins import plugin
from tests.unit.scheduler import test_scheduler

LOG: list[str] = []
GANG = 3


class Gang(plugin.Plugin):
    """Binds pods three at a time; none that is named after spam."""

    name = "Gang"

    def permit(self, pod: core_v1.Pod, node: str, others: waiting.Waiting) -> float:
        if pod.metadata.name.startswith("spam"):
            raise plugin.Rejected("no spam")
        if len(others) + 1 < GANG:
            return 30.0
        for other in others:
            other.allow(self.name)
        return 0.0


class Witness(plugin.Plugin):
    """Writes down what it is asked; fails to bind pods that are named after that."""

    name = "Witness"

    def prepare(self, shape: Any, nodes: Any) -> str:
        return "state"

    async def after_filter(self, state: Any, pod: core_v1.Pod, nodes: Any, desk: plugin.Desk) -> plugin.Room:
        LOG.append(f"after_filter {state}")
        return plugin.Room("nothing to be done")

    def reserve(self, state: Any, nodes: Any, row: int) -> str:
        LOG.append(f"reserve {state} {nodes.names[row]}")
        return "plan"

    def unreserve(self, plan: Any, nodes: Any) -> None:
        LOG.append(f"unreserve {plan}")

    async def before_binding(self, plan: Any, pod: core_v1.Pod, nodes: Any, desk: plugin.Desk) -> None:
        LOG.append(f"before_binding {plan}")
        if pod.metadata.name == "fail":
            raise plugin.BindingFailed("out of paper")
        if pod.metadata.name == "slow":
            await desk.wait(lambda: False, 600.0)

    async def undo_binding(self, plan: Any, pod: core_v1.Pod, desk: plugin.Desk) -> None:
        LOG.append(f"undo_binding {plan}")

    def after_binding(self, pod: core_v1.Pod, node: str) -> None:
        LOG.append(f"after_binding {pod.metadata.name} {node}")


async def _running(monkeypatch: pytest.MonkeyPatch, kind: type[plugin.Plugin]) -> AsyncIterator[test_scheduler.World]:
    LOG.clear()
    monkeypatch.setattr(registry, "load", lambda: registry.Registry([kind]))
    async for made in test_scheduler.running():
        yield made


@pytest.fixture
async def gang(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[test_scheduler.World]:
    async for made in _running(monkeypatch, Gang):
        yield made


@pytest.fixture
async def witness(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[test_scheduler.World]:
    async for made in _running(monkeypatch, Witness):
        yield made


async def test_pods_wait_until_they_are_permitted(gang: test_scheduler.World) -> None:
    gang.node()
    for name in ("a", "b"):
        gang.pod(name)
    await settle()
    assert (gang.where("a"), gang.where("b")) == ("", "")
    assert gang.api.find(core_v1.Pod, "a", "default").status.nominatedNodeName == "n1"
    gang.pod("c")
    await settle()
    assert [gang.where(name) for name in "abc"] == ["n1", "n1", "n1"]


async def test_waiting_in_vain_is_a_rejection_and_gives_the_room_back(gang: test_scheduler.World) -> None:
    gang.node(cpu="1")
    gang.pod("a", cpu="900m")
    await settle()
    await gang.clock.advance(31)
    condition = gang.api.find(core_v1.Pod, "a", "default").status.conditions[0]
    assert (condition.reason, condition.message) == (
        "Unschedulable",
        "0/1 nodes are available: 1 rejected due to timeout after waiting 30s at plugin Gang.",
    )


async def test_a_pod_that_is_not_permitted(gang: test_scheduler.World) -> None:
    gang.node()
    gang.pod("spam-1")
    gang.pod("spam-2")
    await settle()
    assert gang.told("FailedScheduling") == ["0/1 nodes are available: 1 no spam."] * 2


async def test_a_waiting_pod_that_is_deleted_holds_nothing(gang: test_scheduler.World) -> None:
    gang.node()
    made = gang.pod("a")
    await settle()
    gang.api.remove(made)
    for name in ("b", "c", "d"):
        gang.pod(name)
    await settle()
    assert [gang.where(name) for name in "bcd"] == ["n1", "n1", "n1"]


async def test_the_points_of_a_binding(witness: test_scheduler.World) -> None:
    witness.node()
    witness.pod("a")
    await settle()
    assert LOG == ["reserve state n1", "before_binding plan", "unreserve plan", "after_binding a n1"]


async def test_what_was_begun_is_undone(witness: test_scheduler.World) -> None:
    witness.node()
    witness.pod("fail")
    await settle()
    assert LOG == ["reserve state n1", "before_binding plan", "unreserve plan", "undo_binding plan"]
    assert witness.told("FailedScheduling") == ['running PreBind plugin "Witness": out of paper']


async def test_a_plugin_that_tries_to_make_room(witness: test_scheduler.World) -> None:
    witness.node(cpu="1")
    witness.pod("a", cpu="2")
    await settle()
    assert LOG == ["after_filter state"]
    assert witness.told("FailedScheduling")[0].endswith(
        "1 Preemption is not helpful for scheduling., nothing to be done"
    )


async def test_a_victim_that_is_not_bound_yet_waits_again_and_is_not_deleted(witness: test_scheduler.World) -> None:
    witness.node(cpu="1")
    slow = witness.pod("slow", cpu="900m", priority=1)
    await settle()
    await witness.clock.advance(60)
    assert witness.where("slow") == ""
    high = witness.pod("high", cpu="900m", priority=10)
    await witness.clock.advance(5)
    assert witness.where("high") == "n1"
    left = witness.api.find(core_v1.Pod, "slow", "default")
    assert (left.metadata.uid, left.metadata.deletionTimestamp, left.spec.nodeName) == (slow.metadata.uid, None, "")
    assert witness.told("Preempted") == [f"Preempted by pod {high.metadata.uid} on node n1 (in kube-scheduler memory)."]
    assert "preempted by DefaultPreemption" in witness.told("FailedScheduling")
    assert LOG.count("undo_binding plan") == 1


async def test_a_victim_that_waits_to_be_permitted_waits_again(gang: test_scheduler.World) -> None:
    gang.node(cpu="1")
    gang.pod("a", cpu="900m", priority=1)
    await settle()
    gang.pod("b", cpu="900m", priority=10)
    await settle()
    left = gang.api.find(core_v1.Pod, "a", "default")
    assert (left.metadata.deletionTimestamp, left.spec.nodeName) == (None, "")
    [message] = gang.told("Preempted")
    assert message.endswith(" on node n1 (in kube-scheduler memory).")
