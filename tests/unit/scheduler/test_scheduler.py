"""The scheduler over the fake API, in virtual time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from pybernetes.api import errors, quantity
from pybernetes.api.types import core_v1, meta_v1, storage_v1
from pybernetes.informers import Informers, Recorder
from pybernetes.kits.chance import Chance
from pybernetes.kits.clock import settle
from pybernetes.scheduler import Scheduler
from tests.fakes.api import FakeApi

Q = quantity.Quantity.parse


class World:
    def __init__(self, config: str = "", api: FakeApi | None = None) -> None:
        self.api = api or FakeApi()
        self.clock: Any = self.api.clock
        client = self.api.client()
        self.informers = Informers(client, clock=self.clock, chance=Chance(1))
        self.recorder = Recorder(client, "default-scheduler", clock=self.clock, chance=Chance(2))
        self.scheduler = Scheduler(
            client,
            self.informers,
            clock=self.clock,
            chance=Chance(3),
            recorder=lambda name: self.recorder,
            config=config.encode(),
        )

    def node(self, name: str = "n1", cpu: str = "4") -> core_v1.Node:
        stored: core_v1.Node = self.api.seed(
            core_v1.Node(
                metadata=meta_v1.ObjectMeta(name=name),
                status=core_v1.NodeStatus(allocatable={"cpu": Q(cpu), "memory": Q("8Gi"), "pods": Q(110)}),
            )
        )
        return stored

    def pod(self, name: str, cpu: str = "100m", **spec: Any) -> core_v1.Pod:
        container = core_v1.Container(name="c", resources=core_v1.ResourceRequirements(requests={"cpu": Q(cpu)}))
        meta = meta_v1.ObjectMeta(name=name, namespace="default")
        stored: core_v1.Pod = self.api.seed(
            core_v1.Pod(metadata=meta, spec=core_v1.PodSpec(containers=[container], **spec))
        )
        return stored

    def where(self, name: str) -> str:
        return str(self.api.find(core_v1.Pod, name, "default").spec.nodeName)

    def told(self, reason: str) -> list[str]:
        return [event.message for event in self.api.all(core_v1.Event) if event.reason == reason]


async def running(made: World | None = None) -> AsyncIterator[World]:
    """A world whose scheduler runs."""
    made = made or World()
    await made.informers.start()
    task = asyncio.ensure_future(made.scheduler.run())
    await made.informers.wait_synced()
    await made.scheduler.ready.wait()
    yield made
    task.cancel()
    await asyncio.wait([task])
    await made.recorder.close()
    await made.informers.close()


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async for made in running():
        yield made


async def test_assigns_and_says_so(world: World) -> None:
    world.node()
    world.pod("a")
    await settle()
    assert world.where("a") == "n1"
    assert world.told("Scheduled") == ["Successfully assigned default/a to n1"]


async def test_waits_for_room_and_takes_it(world: World) -> None:
    world.node(cpu="1")
    first = world.pod("a", cpu="900m")
    await settle()
    world.pod("b", cpu="900m")
    await settle()
    message = (
        "0/1 nodes are available: 1 Insufficient cpu. "
        "no new claims to deallocate, preemption: 0/1 nodes are available: "
        "1 No preemption victims found for incoming pod."
    )
    condition = world.api.find(core_v1.Pod, "b", "default").status.conditions[0]
    assert (condition.type, condition.status, condition.reason) == ("PodScheduled", "False", "Unschedulable")
    assert condition.message == message
    assert world.told("FailedScheduling") == [message]
    world.api.remove(world.api.find(core_v1.Pod, first.metadata.name, "default"))
    await world.clock.advance(2)
    assert world.where("b") == "n1"


async def test_without_nodes_pods_wait_for_the_first(world: World) -> None:
    world.pod("a")
    await settle()
    assert world.told("FailedScheduling") == ["no nodes available to schedule pods"]
    world.node()
    await world.clock.advance(2)
    assert world.where("a") == "n1"


async def test_higher_priority_first(world: World) -> None:
    for name, priority in (("low", 1), ("high", 1000)):
        world.pod(name, cpu="900m", priority=priority)
    world.node(cpu="1")
    await world.clock.advance(3)
    assert (world.where("high"), world.where("low")) == ("n1", "")


async def test_gates_and_other_schedulers_are_respected(world: World) -> None:
    world.node()
    gated = world.pod("gated", schedulingGates=[core_v1.PodSchedulingGate(name="g")])
    world.pod("other", schedulerName="mine")
    await settle()
    assert (world.where("gated"), world.where("other")) == ("", "")
    world.api.change(gated, lambda pod: pod.spec.schedulingGates.clear())
    await settle()
    assert world.where("gated") == "n1"


async def test_a_failed_binding_gives_the_room_back_and_tries_again(world: World) -> None:
    world.node(cpu="1")
    world.api.fail(lambda call: errors.internal("no") if call.path.endswith("/binding") else None)
    world.pod("a", cpu="900m")
    await settle()
    assert world.told("FailedScheduling")[0] == 'running Bind plugin "DefaultBinder": Internal error occurred: no'
    world.api.refuse.clear()
    await world.clock.advance(3)
    assert world.where("a") == "n1"


async def test_many_pods_at_once(world: World) -> None:
    for number in range(100):
        world.node(f"n{number}", cpu="32")
    for number in range(1000):
        world.pod(f"p{number}")
    await world.clock.advance(0)
    began = time.perf_counter()
    while any(not pod.spec.nodeName for pod in world.api.all(core_v1.Pod)) and time.perf_counter() - began < 20:
        await settle()
    counts: dict[str, int] = {}
    for pod in world.api.all(core_v1.Pod):
        counts[pod.spec.nodeName] = counts.get(pod.spec.nodeName, 0) + 1
    assert set(counts.values()) == {10}


async def test_makes_room_for_a_more_important_pod(world: World) -> None:
    world.node(cpu="1")
    world.pod("low", cpu="900m", priority=1)
    await settle()
    world.pod("high", cpu="900m", priority=1000, preemptionPolicy="PreemptLowerPriority")
    await settle()
    assert not any(pod.metadata.name == "low" for pod in world.api.all(core_v1.Pod))
    high = world.api.find(core_v1.Pod, "high", "default")
    assert world.told("Preempted") == [f"Preempted by pod {high.metadata.uid} on node n1"]
    assert world.told("FailedScheduling") == ["0/1 nodes are available: 1 Insufficient cpu."]
    assert (world.where("high"), high.status.nominatedNodeName) == ("n1", "n1")


async def test_a_victim_is_told_and_given_its_time(world: World) -> None:
    world.node(cpu="1")
    low = world.pod("low", cpu="900m", priority=1)
    world.api.change(low, lambda pod: pod.metadata.finalizers.append("example.com/slow"))
    await settle()
    world.pod("high", cpu="900m", priority=1000)
    await settle()
    leaving = world.api.find(core_v1.Pod, "low", "default")
    assert leaving.metadata.deletionTimestamp is not None
    told = [(c.type, c.status, c.reason, c.message) for c in leaving.status.conditions]
    message = "default-scheduler: preempting to accommodate a higher priority pod"
    assert told == [("DisruptionTarget", "True", "PreemptionByScheduler", message)]
    assert (world.where("high"), world.api.find(core_v1.Pod, "high", "default").status.nominatedNodeName) == ("", "n1")
    # A pod of less weight does not take the room that becomes free.
    world.pod("middle", cpu="900m", priority=500)
    await settle()
    world.api.remove(leaving)
    await world.clock.advance(20)
    assert (world.where("high"), world.where("middle")) == ("n1", "")


async def test_says_that_a_pod_may_not_preempt(world: World) -> None:
    world.node(cpu="1")
    world.pod("low", cpu="900m", priority=1)
    await settle()
    world.pod("high", cpu="900m", priority=1000, preemptionPolicy="Never")
    await settle()
    assert world.told("FailedScheduling") == [
        (
            "0/1 nodes are available: 1 Insufficient cpu. "
            "no new claims to deallocate, preemption: not eligible due to preemptionPolicy=Never."
        )
    ]
    assert world.where("low") == "n1"


async def test_a_more_important_pod_takes_a_nomination_away(world: World) -> None:
    world.node(cpu="1")
    low = world.pod("low", cpu="900m", priority=1)
    world.api.change(low, lambda pod: pod.metadata.finalizers.append("example.com/slow"))
    await settle()
    world.pod("middle", cpu="900m", priority=500)
    await settle()
    assert world.api.find(core_v1.Pod, "middle", "default").status.nominatedNodeName == "n1"
    world.pod("high", cpu="900m", priority=1000)
    await world.clock.advance(5)
    assert world.api.find(core_v1.Pod, "high", "default").status.nominatedNodeName == "n1"
    assert not world.api.find(core_v1.Pod, "middle", "default").status.nominatedNodeName


async def test_spreads_the_pods_of_a_service_without_being_asked(world: World) -> None:
    for number in range(4):
        world.node(f"n{number}", cpu="64" if number else "32")
    service = core_v1.Service(
        metadata=meta_v1.ObjectMeta(name="s", namespace="default"), spec=core_v1.ServiceSpec(selector={"app": "x"})
    )
    world.api.seed(service)
    await settle()
    for number in range(8):
        pod = world.pod(f"p{number}")
        world.api.change(pod, lambda pod: pod.metadata.labels.update(app="x"))
    await settle()
    assert sorted(world.where(f"p{number}") for number in range(8))[::2] == ["n0", "n1", "n2", "n3"]


async def test_binds_a_waiting_claim_before_the_pod(world: World) -> None:
    world.node()
    meta = meta_v1.ObjectMeta(name="late")
    world.api.seed(
        storage_v1.StorageClass(
            metadata=meta, provisioner="kubernetes.io/no-provisioner", volumeBindingMode="WaitForFirstConsumer"
        )
    )
    spec = core_v1.PersistentVolumeSpec(capacity={"storage": Q("1Gi")}, storageClassName="late")
    status = core_v1.PersistentVolumeStatus(phase="Available")
    world.api.seed(core_v1.PersistentVolume(metadata=meta_v1.ObjectMeta(name="v"), spec=spec, status=status))
    claim = core_v1.PersistentVolumeClaim(
        metadata=meta_v1.ObjectMeta(name="c", namespace="default"),
        spec=core_v1.PersistentVolumeClaimSpec(
            storageClassName="late", resources=core_v1.VolumeResourceRequirements(requests={"storage": Q("1Gi")})
        ),
    )
    claim = world.api.seed(claim)
    await settle()
    source = core_v1.PersistentVolumeClaimVolumeSource(claimName="c")
    world.pod("a", volumes=[core_v1.Volume(name="v", persistentVolumeClaim=source)])
    await settle()
    kept = world.api.find(core_v1.PersistentVolume, "v")
    assert (kept.spec.claimRef.name, kept.spec.claimRef.uid) == ("c", claim.metadata.uid)
    assert kept.metadata.annotations == {"pv.kubernetes.io/bound-by-controller": "yes"}
    assert world.where("a") == ""

    def bind(found: core_v1.PersistentVolumeClaim) -> None:
        found.spec.volumeName = "v"
        found.metadata.annotations["pv.kubernetes.io/bind-completed"] = "yes"

    world.api.change(claim, bind)
    await settle()
    assert world.where("a") == "n1"


async def test_a_claim_that_is_not_bound_in_time_lets_the_pod_go_back(world: World) -> None:
    world.node()
    meta = meta_v1.ObjectMeta(name="made")
    world.api.seed(
        storage_v1.StorageClass(metadata=meta, provisioner="csi.example.com", volumeBindingMode="WaitForFirstConsumer")
    )
    claim = core_v1.PersistentVolumeClaim(
        metadata=meta_v1.ObjectMeta(name="c", namespace="default"),
        spec=core_v1.PersistentVolumeClaimSpec(storageClassName="made"),
    )
    world.api.seed(claim)
    await settle()
    source = core_v1.PersistentVolumeClaimVolumeSource(claimName="c")
    world.pod("a", volumes=[core_v1.Volume(name="v", persistentVolumeClaim=source)])
    await settle()
    told = world.api.find(core_v1.PersistentVolumeClaim, "c", "default").metadata.annotations
    assert told == {"volume.kubernetes.io/selected-node": "n1"}
    await world.clock.advance(601)
    assert world.told("FailedScheduling")[0] == (
        'running PreBind plugin "VolumeBinding": timed out waiting for the condition'
    )


CONFIG = """
apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
profiles:
- schedulerName: default-scheduler
- schedulerName: pack
  pluginConfig:
  - name: NodeResourcesFit
    args: {scoringStrategy: {type: MostAllocated}}
"""


async def test_pods_choose_their_profile() -> None:
    world = World(CONFIG)
    await world.informers.start()
    running = asyncio.ensure_future(world.scheduler.run())
    await world.scheduler.ready.wait()
    for number in range(3):
        world.node(f"n{number}", cpu="64")
    world.pod("first", cpu="1", nodeName="n1")
    for number in range(6):
        world.pod(f"packed{number}", cpu="1", schedulerName="pack")
    world.pod("unknown", schedulerName="nobody")
    await settle()
    assert {world.where(f"packed{number}") for number in range(6)} == {"n1"}
    assert world.where("unknown") == ""
    running.cancel()
    await asyncio.wait([running])
    await world.recorder.close()
    await world.informers.close()


async def test_a_wrong_configuration_ends_the_scheduler() -> None:
    world = World(CONFIG + "surplus: 1\n")
    with pytest.raises(ValueError, match=r'^strict decoding error: unknown field "surplus"$'):
        await world.scheduler.run()
    await world.informers.close()


async def test_a_pod_does_not_follow_its_like_that_was_there_before(world: World) -> None:
    world.node("n1", cpu="1")
    world.pod("first", cpu="900m", nodeName="n1")
    await settle()
    world.node("n2", cpu="1")
    world.pod("second", cpu="900m")
    await settle()
    assert world.where("second") == "n2"
