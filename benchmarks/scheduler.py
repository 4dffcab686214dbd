"""How fast pods get nodes: the scheduler alone, in this process, over an API that costs next to nothing.

    python benchmarks/scheduler.py [--nodes 5000] [--pods 5000] [--profile] [CASE ...]

`cycle` times the decisions alone; the other figures are from the pod's arrival in the informer to its binding being
sent, and include the queue, the assumed pods, the events and the tasks that write. `held` is the longest time that the
event loop was kept from others.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import gc
import pstats
import time
from collections.abc import Callable
from typing import Any

from pybernetes.api import quantity
from pybernetes.api.types import apps_v1, core_v1, meta_v1
from pybernetes.client import Event
from pybernetes.informers import Informers
from pybernetes.kits.chance import Chance
from pybernetes.kits.clock import SystemClock
from pybernetes.scheduler import assembly

Q = quantity.Quantity.parse
HOSTNAME, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"
# Pods arrive in batches of this many, as from a watch.
ARRIVE = 500


class NoTransport:
    """Takes every write, and knows nothing."""

    def __init__(self) -> None:
        self.bound: list[tuple[str, str]] = []

    async def send(self, call: Any) -> Any:
        if call.path.endswith("/binding"):
            self.bound.append((call.body.metadata.name, call.body.target.name))
        # Which versions are served is asked as well.
        return call.body if call.body is not None else {}

    async def close(self) -> None:
        return


class Recorder:
    """Counts events."""

    def __init__(self) -> None:
        self.told = 0

    def event(self, *_: Any) -> None:
        self.told += 1


def node(number: int) -> core_v1.Node:
    amounts = {"cpu": Q("32"), "memory": Q("128Gi"), "pods": Q(110)}
    labels = {HOSTNAME: f"node-{number}", ZONE: f"zone-{number % 3}"}
    return core_v1.Node(
        metadata=meta_v1.ObjectMeta(name=f"node-{number}", labels=labels),
        status=core_v1.NodeStatus(allocatable=amounts),
    )


def selector(app: str) -> meta_v1.LabelSelector:
    return meta_v1.LabelSelector(matchLabels={"app": app})


def plain(app: str) -> dict[str, Any]:
    return {}


def zones(app: str) -> dict[str, Any]:
    return {"topologySpreadConstraints": [_spread(app, ZONE)]}


def zones_and_hosts(app: str) -> dict[str, Any]:
    return {"topologySpreadConstraints": [_spread(app, ZONE), _spread(app, HOSTNAME)]}


def _spread(app: str, key: str) -> core_v1.TopologySpreadConstraint:
    return core_v1.TopologySpreadConstraint(
        maxSkew=1, topologyKey=key, whenUnsatisfiable="DoNotSchedule", labelSelector=selector(app)
    )


def anti_affinity(app: str) -> dict[str, Any]:
    term = core_v1.PodAffinityTerm(topologyKey=HOSTNAME, labelSelector=selector(app))
    away = core_v1.PodAntiAffinity(requiredDuringSchedulingIgnoredDuringExecution=[term])
    return {"affinity": core_v1.Affinity(podAntiAffinity=away)}


def preferred(app: str) -> dict[str, Any]:
    term = core_v1.PodAffinityTerm(topologyKey=HOSTNAME, labelSelector=selector(app))
    wish = core_v1.WeightedPodAffinityTerm(weight=10, podAffinityTerm=term)
    away = core_v1.PodAntiAffinity(preferredDuringSchedulingIgnoredDuringExecution=[wish])
    return {"affinity": core_v1.Affinity(podAntiAffinity=away)}


# Name, what is added to the pods' spec, whether a ReplicaSet owns them, and how many workloads they are of.
CASES: dict[str, tuple[Callable[[str], dict[str, Any]], bool, int]] = {
    "basic": (plain, False, 1),
    "replicaset": (plain, True, 1),
    "replicasets-100": (plain, True, 100),
    "spread-zone": (zones, False, 1),
    "spread-zone-host": (zones_and_hosts, False, 1),
    "anti-affinity": (anti_affinity, False, 1),
    "anti-affinity-100": (anti_affinity, False, 100),
    "preferred-anti-affinity": (preferred, False, 1),
}


def pods(case: str, number: int) -> list[core_v1.Pod]:
    spec, owned, apps = CASES[case]
    requests = {"cpu": Q("100m"), "memory": Q("128Mi")}
    made = []
    for at in range(number):
        app = f"app-{at % apps}"
        owner = meta_v1.OwnerReference(apiVersion="apps/v1", kind="ReplicaSet", name=app, uid=app, controller=True)
        container = core_v1.Container(
            name="c", image="app:1", resources=core_v1.ResourceRequirements(requests=dict(requests))
        )
        meta = meta_v1.ObjectMeta(
            name=f"pod-{at}",
            namespace="default",
            uid=f"uid-{at}",
            labels={"app": app},
            ownerReferences=[owner] if owned else [],
            resourceVersion=str(at + 1),
        )
        made.append(core_v1.Pod(metadata=meta, spec=core_v1.PodSpec(containers=[container], **spec(app))))
    return made


async def run(case: str, nodes: int, number: int, profile: bool) -> None:
    transport, recorder, clock = NoTransport(), Recorder(), SystemClock()
    from pybernetes.client import Client

    client = Client(transport)  # type: ignore[arg-type]
    informers = Informers(client, clock=clock, chance=Chance(1))
    cluster, engine = assembly.assemble(
        client,
        informers,
        clock=clock,
        chance=Chance(1),
        recorder=lambda name: recorder,  # type: ignore[arg-type,return-value]
    )
    for informer, _ in informers._informers.values():
        await informer.replace([])
    for at in range(nodes):
        informers.of(core_v1.Node).apply(Event("ADDED", node(at)))
    for at in range(CASES[case][2]):
        meta = meta_v1.ObjectMeta(name=f"app-{at}", namespace="default", uid=f"app-{at}")
        owner = apps_v1.ReplicaSet(metadata=meta, spec=apps_v1.ReplicaSetSpec(selector=selector(f"app-{at}")))
        informers.of(apps_v1.ReplicaSet).apply(Event("ADDED", owner))
    await cluster.start(engine.queue)
    running = asyncio.ensure_future(engine.run())
    arriving = pods(case, number)
    gc.collect()
    gc.freeze()
    held = 0.0
    profiler = cProfile.Profile() if profile else None
    if profiler is not None:
        profiler.enable()
    began = time.perf_counter()
    busy = time.process_time()
    for at in range(0, number, ARRIVE):
        for pod in arriving[at : at + ARRIVE]:
            informers.of(core_v1.Pod).apply(Event("ADDED", pod))
        turn = time.perf_counter()
        await asyncio.sleep(0)
        held = max(held, time.perf_counter() - turn)
    while len(transport.bound) < number and time.perf_counter() - began < 120:
        turn = time.perf_counter()
        await asyncio.sleep(0)
        held = max(held, time.perf_counter() - turn)
    seconds = time.perf_counter() - began
    busy = time.process_time() - busy
    if profiler is not None:
        profiler.disable()
        pstats.Stats(profiler).sort_stats("tottime").print_stats(25)
    done = len(transport.bound)
    print(
        f"{case:24} {done:6} of {number} pods on {nodes} nodes: {done / seconds:8.0f} pods/s"
        f"  ({1e6 * seconds / max(done, 1):.0f} us each, {busy:.2f} s of CPU, held {1e3 * held:.1f} ms)"
    )
    running.cancel()
    await asyncio.wait([running])
    await engine.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=5000)
    parser.add_argument("--pods", type=int, default=5000)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("cases", nargs="*", default=list(CASES), metavar="CASE", help=", ".join(CASES))
    options = parser.parse_args()
    for case in options.cases:
        asyncio.run(run(case, options.nodes, options.pods, options.profile))


if __name__ == "__main__":
    main()
