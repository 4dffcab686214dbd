"""Whatever fails and whoever comes and goes, no node is given more pods than it has room for.

Bindings are refused, or carried out with the answer lost; the watches lag behind, break, and begin anew. What each node
has is counted in the store, pod by pod, after every binding that the store has accepted.
"""

from __future__ import annotations

import collections
import contextlib
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pybernetes import informers
from pybernetes.api import errors, times
from pybernetes.api.types import core_v1
from pybernetes.client import Call, Event
from pybernetes.kits.chance import Chance
from pybernetes.kits.clock import VirtualClock, settle
from pybernetes.testing import Cluster
from tests.fakes.api import FakeApi, Stream
from tests.unit.scheduler import test_scheduler
from tests.unit.scheduler.board import node, pod

GPU = "example.com/gpu"
NODES = {
    "n1": node("n1", cpu="2", memory="2Gi", pods=3, more={GPU: "2"}),
    "n2": node("n2", cpu="1", memory="4Gi", pods=4),
    "n3": node("n3", cpu="3", memory="1Gi", pods=2, more={GPU: "1"}),
}
FATES = st.lists(st.sampled_from(["", "", "", "409", "500", "503", "lost", "slow", "slow and lost"]), max_size=30)
PODS = st.fixed_dictionaries(
    {
        "cpu": st.sampled_from(["", "300m", "1"]),
        "memory": st.sampled_from(["", "400Mi", "1Gi"]),
        "gpus": st.sampled_from(["", "", "1", "2"]),
        "ports": st.sampled_from([(), (), (80,), (80, 81), (81,)]),
        "host": st.sampled_from(["", "", "10.0.0.1", "10.0.0.2"]),
        "priority": st.integers(0, 2),
    }
)
ACTIONS = (
    "delete", "remove", "finish", "take the node", "give the node back", "cordon", "break", "compact", "wait",
    "wait long",
)  # fmt: skip
STEPS = st.lists(
    st.one_of(st.lists(PODS, min_size=1, max_size=5), st.tuples(st.sampled_from(ACTIONS), st.integers(0, 9))),
    max_size=14,
)


class Unreliable(FakeApi):
    """Deals out `fates` to the bindings in turn, and tells of changes `lag` seconds late."""

    def __init__(self, fates: Sequence[str], lag: float) -> None:
        super().__init__(clock=VirtualClock())
        self.fates, self.lag = list(fates), lag
        self.bindings = 0
        self.problems: list[str] = []

    async def send(self, call: Call) -> Any:
        if not call.path.endswith("/binding"):
            return await super().send(call)
        fate = self.fates.pop(0) if self.fates else ""
        if fate.isdigit():
            raise errors.error(int(fate), "Conflict" if fate == "409" else "InternalError", "bad luck")
        if "slow" in fate:
            await self.clock.sleep(3)
        answer = await super().send(call)
        self.bindings += 1
        self.problems += overcommitted(self.find(core_v1.Node, call.body.target.name), self.all(core_v1.Pod))
        if "lost" in fate:
            raise ConnectionResetError("the connection was cut before the answer")
        return answer

    def _notify(self, stream: Stream, event: Event, old: Any) -> None:
        if self.lag:
            self.clock.call_later(self.lag, lambda: super(Unreliable, self)._notify(stream, event, old))
        else:
            super()._notify(stream, event, old)


def overcommitted(found: core_v1.Node | None, pods: Sequence[core_v1.Pod]) -> list[str]:
    """Of what a node has too little, with these pods among others; nothing of one that has gone since."""
    if found is None:
        return []
    name = found.metadata.name
    there = [one for one in pods if one.spec.nodeName == name and one.status.phase not in ("Succeeded", "Failed")]
    asked: collections.Counter[str] = collections.Counter({"pods": len(there)})
    for one in there:
        for resource, quantity in one.spec.containers[0].resources.requests.items():
            asked[resource] += quantity.milli() if resource == "cpu" else quantity.as_int()
    problems = []
    for resource, number in asked.items():
        has = found.status.allocatable.get(resource)
        amount = 0 if has is None else has.milli() if resource == "cpu" else has.as_int()
        if number > amount:
            problems.append(f"{name}: {number} {resource} of {amount}")
    ports = [(port.hostPort, port.hostIP) for one in there for port in one.spec.containers[0].ports if port.hostPort]
    for at, (port, address) in enumerate(ports):
        for other, elsewhere in ports[:at]:
            if port == other and (address == elsewhere or not address or not elsewhere):
                problems.append(f"{name}: port {port} of {address or '*'} and {elsewhere or '*'}")
    return problems


class Storm:
    """One run."""

    def __init__(self, world: test_scheduler.World, api: Unreliable) -> None:
        self.world, self.api = world, api
        self.count = 0

    def create(self, cpu: str, memory: str, gpus: str, ports: tuple[int, ...], host: str, priority: int) -> None:
        self.count += 1
        made = pod(cpu, memory, name=f"p{self.count}", ports=ports, more={GPU: gpus}, priority=priority)
        for port in made.spec.containers[0].ports:
            port.hostIP = host
        self.api.seed(made)

    async def do(self, what: str, which: int) -> None:
        pods = self.api.all(core_v1.Pod)
        one = pods[which % len(pods)] if pods else None
        name = sorted(NODES)[which % len(NODES)]
        member = self.api.find(core_v1.Node, name)
        if what == "delete" and one is not None and one.spec.nodeName and not one.metadata.deletionTimestamp:
            now = times.to_time(self.api.clock.time())
            self.api.change(one, lambda copy: setattr(copy.metadata, "deletionTimestamp", now))
        elif what == "remove" and one is not None:
            self.api.remove(one)
        elif what == "finish" and one is not None:
            self.api.change(one, lambda copy: setattr(copy.status, "phase", "Succeeded"))
        elif what == "take the node" and member is not None:
            self.api.remove(member)
        elif what == "give the node back" and member is None:
            self.api.seed(NODES[name])
        elif what == "cordon" and member is not None:
            self.api.change(member, lambda copy: setattr(copy.spec, "unschedulable", not copy.spec.unschedulable))
        elif what == "break":
            self.api.break_watches()
        elif what == "compact":
            self.api.compact()
            self.api.break_watches()
        elif what.startswith("wait"):
            await self.world.clock.advance(30 if "long" in what else 1)


async def test_the_room_of_a_pod_whose_binding_may_have_come_about_is_kept() -> None:
    """Its answer was lost, and the watch tells of it later; meanwhile even the question fails."""
    api = Unreliable(["lost"], lag=5.0)
    api.seed(node("n1", cpu="1"))
    doubts = iter((errors.error(503, "ServiceUnavailable", "not now"), ConnectionResetError("cut")))
    api.fail(lambda call: next(doubts, None) if call.method == "GET" and call.path.endswith("/pods/first") else None)
    async for world in test_scheduler.running(test_scheduler.World(api=api)):
        world.pod("first", cpu="900m")
        await settle()
        world.pod("second", cpu="900m")
        await world.clock.advance(60)
        assert (world.where("first"), world.where("second")) == ("n1", "")
        assert world.told("Scheduled") == ["Successfully assigned default/first to n1"]


@settings(max_examples=150, deadline=None)
@given(STEPS, FATES, st.sampled_from([0.0, 0.0, 0.2, 4.0]))
async def test_no_node_is_given_more_than_it_has(steps: list[Any], fates: list[str], lag: float) -> None:
    api = Unreliable(fates, lag)
    api.seed(*NODES.values())
    async for world in test_scheduler.running(test_scheduler.World(api=api)):
        storm = Storm(world, api)
        for step in steps:
            if isinstance(step, list):
                for asked in step:
                    storm.create(**asked)
            else:
                await storm.do(*step)
            await settle()
        await world.clock.advance(60)
    assert api.problems == []


DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: %(name)s, namespace: default}
spec:
  replicas: %(replicas)d
  selector: {matchLabels: {app: %(name)s}}
  template:
    metadata: {labels: {app: %(name)s}}
    spec:
      containers:
      - {name: c, image: app, resources: {requests: {cpu: %(cpu)s}}, ports: [{containerPort: 80, hostPort: %(port)s}]}
"""


@pytest.mark.parametrize("seed", range(1, 5))
async def test_nor_in_a_whole_cluster(seed: int) -> None:
    """More pods are wanted than there is room for, and rolled over and over while what the scheduler writes fails."""
    problems: list[str] = []
    bound: set[str] = set()
    dice = Chance(seed)
    async with Cluster(nodes=3, capacity={"cpu": "2", "pods": "5"}, virtual=True, seed=seed) as cluster:
        client = cluster.client("witness")
        seen = informers.Informers(client, clock=cluster.clock, chance=Chance(1))
        pods, nodes = seen.of(core_v1.Pod), seen.of(core_v1.Node)

        def changed(old: core_v1.Pod | None, new: core_v1.Pod | None) -> None:
            if new is not None and new.spec.nodeName and new.metadata.uid not in bound:
                bound.add(new.metadata.uid)
                problems.extend(overcommitted(nodes.cache.get(new.spec.nodeName), pods.cache.list()))

        pods.on_change(changed)
        await seen.start()
        await seen.wait_synced()
        with contextlib.ExitStack() as stack:
            for what in ({"code": 409}, {"code": 500}, {"code": 503}, {"lost": True}, {"lost": True}):
                stack.enter_context(cluster.fault(agent="kube-scheduler*", verb="[!gl]*", probability=0.1, **what))
            stack.enter_context(cluster.fault(agent="kube-scheduler*", verb="get", code=503, probability=0.3))
            stack.enter_context(cluster.fault(agent="kube-scheduler*", verb="watch", cut=30.0, probability=0.5))
            for _ in range(25):
                name = dice.choice(["a", "b", "c"])
                fields = {"replicas": dice.below(8), "cpu": dice.choice(["250m", "500m", "900m"])}
                fields["port"] = 0 if name == "a" else 8080
                await cluster.apply(DEPLOYMENT % {"name": name, **fields})
                await cluster.advance(dice.choice(["1s", "20s", "90s"]))
        await seen.close()
    assert problems == []
    assert len(bound) > 10
