"""Plugins at the points between the choice of a node and the end of the binding."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from pybernetes.api.types import core_v1, meta_v1
from pybernetes.kits import prometheus
from pybernetes.kits.clock import settle
from pybernetes.scheduler import changes, registry, waiting
from pybernetes.scheduler.plugins import plugin
from tests.fakes import scrape
from tests.unit.scheduler import test_configuration, test_scheduler

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
    found = scrape.parse(prometheus.text(gang.scheduler.families()))
    assert found["scheduler_permit_wait_duration_seconds_sum", (("result", "Unschedulable"),)] == 30
    assert found["scheduler_unschedulable_pods", (("plugin", "Gang"), ("profile", ""))] == 1


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


class Curfew(plugin.Plugin):
    """Holds back pods that are labelled late, until a node comes; breaks on those that are labelled broken."""

    name = "Curfew"
    helped_by = changes.Change.NODE_ADDED
    over = False

    def before_queuing(self, pod: core_v1.Pod) -> None:
        if "broken" in pod.metadata.labels:
            raise ValueError("broken")
        if "late" in pod.metadata.labels and not self.over:
            raise plugin.Rejected("it is late")


class Alphabet(plugin.Plugin):
    """Takes pods by name."""

    name = "Alphabet"

    def order(self, pod: core_v1.Pod, since: float) -> str:
        return pod.metadata.name


class Registrar(plugin.Plugin):
    """Binds pods whose names tell how."""

    name = "Registrar"

    async def bind(self, pod: core_v1.Pod, node: str, desk: plugin.Desk) -> bool:
        LOG.append(f"bind {pod.metadata.name}")
        match pod.metadata.name:
            case "mine":
                await desk.bind(pod, node)
                return True
            case "never":
                raise plugin.Rejected("not that node")
            case "fail":
                raise plugin.BindingFailed("out of ink")
            case "bug":
                raise ValueError("oops")
        return False


@pytest.fixture
async def curfew(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[test_scheduler.World]:
    async for made in _running(monkeypatch, Curfew):
        yield made


@pytest.fixture
async def registrar(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[test_scheduler.World]:
    async for made in _running(monkeypatch, Registrar):
        yield made


def labelled(world: test_scheduler.World, name: str, label: str) -> core_v1.Pod:
    container = core_v1.Container(name="c")
    meta = meta_v1.ObjectMeta(name=name, namespace="default", labels={label: "yes"})
    stored: core_v1.Pod = world.api.seed(core_v1.Pod(metadata=meta, spec=core_v1.PodSpec(containers=[container])))
    return stored


def waiting_in(world: test_scheduler.World, queue: str) -> float:
    [family] = [one for one in world.scheduler.families() if one.name == "scheduler_pending_pods"]
    [count] = [value for labels, value in family.samples if labels == {"queue": queue}]
    assert isinstance(count, int)
    return count


async def test_a_pod_that_is_held_back_is_not_tried_and_nothing_is_said(curfew: test_scheduler.World) -> None:
    curfew.node()
    late = labelled(curfew, "a", "late")
    await settle()
    assert curfew.where("a") == ""
    assert (curfew.told("FailedScheduling"), curfew.api.find(core_v1.Pod, "a", "default").status.conditions) == ([], [])
    assert waiting_in(curfew, "gated") == 1
    curfew.api.change(late, lambda pod: pod.metadata.labels.clear())
    await settle()
    assert (curfew.where("a"), waiting_in(curfew, "gated")) == ("n1", 0)


async def test_what_helps_a_plugin_has_it_asked_again(
    curfew: test_scheduler.World, monkeypatch: pytest.MonkeyPatch
) -> None:
    curfew.node()
    labelled(curfew, "a", "late")
    await settle()
    monkeypatch.setattr(Curfew, "over", True)
    curfew.pod("b")
    await curfew.clock.advance(600)
    assert (curfew.where("a"), curfew.where("b")) == ("", "n1")
    curfew.node("n2")
    await settle()
    assert curfew.where("a")


async def test_a_plugin_that_breaks_holds_the_pod_back(
    curfew: test_scheduler.World, caplog: pytest.LogCaptureFixture
) -> None:
    curfew.node()
    labelled(curfew, "a", "broken")
    await settle()
    assert waiting_in(curfew, "gated") == 1
    assert "running PreEnqueue plugin Curfew for default/a failed" in caplog.text


async def test_gates_may_be_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    config = test_configuration.HEAD + "profiles: [{plugins: {preEnqueue: {disabled: [{name: SchedulingGates}]}}}]\n"
    async for world in test_scheduler.running(test_scheduler.World(config)):
        world.node()
        world.pod("gated", schedulingGates=[core_v1.PodSchedulingGate(name="g")])
        await settle()
        assert world.where("gated") == "n1"


async def test_pods_are_taken_in_the_order_of_a_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "load", lambda: registry.Registry([Alphabet]))
    sort = "queueSort: {enabled: [{name: Alphabet}], disabled: [{name: PrioritySort}]}"
    config = f"{test_configuration.HEAD}profiles: [{{plugins: {{{sort}}}}}]\n"
    async for world in test_scheduler.running(test_scheduler.World(config)):
        for name, priority in (("b", 1000), ("a", 1)):
            world.pod(name, cpu="900m", priority=priority, preemptionPolicy="Never")
        world.node(cpu="1")
        await world.clock.advance(3)
        assert (world.where("a"), world.where("b")) == ("n1", "")


async def test_the_first_plugin_that_wants_to_binds(registrar: test_scheduler.World) -> None:
    registrar.node()
    registrar.pod("mine")
    registrar.pod("other")
    await settle()
    assert [registrar.where(name) for name in ("mine", "other")] == ["n1", "n1"]
    assert LOG == ["bind mine", "bind other"]
    assert len([call for call in registrar.api.calls if call.path.endswith("/binding")]) == 2


@pytest.mark.parametrize(
    ("name", "reason", "message"),
    [
        ("never", "Unschedulable", "not that node"),
        ("fail", "SchedulerError", 'running Bind plugin "Registrar": out of ink'),
        ("bug", "SchedulerError", "oops"),
    ],
)
async def test_a_plugin_that_does_not_bind_has_the_pod_tried_again(
    registrar: test_scheduler.World, name: str, reason: str, message: str
) -> None:
    registrar.node(cpu="1")
    registrar.pod(name, cpu="900m")
    await settle()
    condition = registrar.api.find(core_v1.Pod, name, "default").status.conditions[0]
    assert (condition.reason, condition.message) == (reason, message)
    assert registrar.told("FailedScheduling") == [message]
    registrar.pod("other", cpu="900m")
    await settle()
    assert registrar.where("other") == "n1"
    await registrar.clock.advance(2)
    assert LOG.count(f"bind {name}") == (2 if registrar.where("other") == "" else 1)


async def test_nobody_binds(monkeypatch: pytest.MonkeyPatch) -> None:
    LOG.clear()
    monkeypatch.setattr(registry, "load", lambda: registry.Registry([Registrar]))
    config = f"{test_configuration.HEAD}profiles: [{{plugins: {{bind: {{disabled: [{{name: DefaultBinder}}]}}}}}}]\n"
    async for world in test_scheduler.running(test_scheduler.World(config)):
        world.node()
        world.pod("other")
        await world.clock.advance(4)
        assert (world.where("other"), world.told("FailedScheduling")) == ("", [])
        assert LOG.count("bind other") > 1
