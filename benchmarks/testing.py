"""What `pybernetes.testing` costs: clusters in this process, virtual time, snapshots, many simulated nodes.

Usage: testing.py [start|day|snapshot|deployment|idle ...], all of them without arguments.
"""

from __future__ import annotations

import asyncio
import resource
import statistics
import sys
import time
from typing import Any

from pybernetes.api.types import apps_v1, core_v1, meta_v1
from pybernetes.testing import Cluster

TICK = {
    "apiVersion": "batch/v1",
    "kind": "CronJob",
    "metadata": {"name": "tick"},
    "spec": {
        "schedule": "* * * * *",
        "jobTemplate": {
            "spec": {
                "template": {
                    "metadata": {"annotations": {"simulated.pybernetes.io/run-seconds": "5"}},
                    "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "x"}]},
                }
            }
        },
    },
}


def deployment(replicas: int) -> dict[str, Any]:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "x"}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"a": "b"}}, "template": template},
    }


async def start() -> None:
    seen = []
    for _ in range(6):
        began = time.perf_counter()
        async with Cluster(nodes=3, virtual=True, seed=1) as c:
            seen.append(time.perf_counter() - began)
            await c.apply(deployment(10))
            await c.settled()
            began = time.perf_counter()
            async with c.fork():
                forked = time.perf_counter() - began
    later = statistics.median(seen[1:])
    print(f"start: first {seen[0] * 1e3:.0f} ms, then {later * 1e3:.0f} ms; fork {forked * 1e3:.0f} ms")


async def day() -> None:
    async with Cluster(nodes=3, virtual=True, seed=1) as c:
        await c.apply(TICK)
        calls, began = c.calls.seen, time.perf_counter()
        await c.advance("24h")
        took = time.perf_counter() - began
        print(f"24 h of a CronJob by the minute: {took:.1f} s, {c.calls.seen - calls} calls (bar 10 s)")


async def snapshot() -> None:
    async with Cluster(nodes=3, virtual=True, seed=1) as c:
        client = c.client()
        for number in range(1000 - len(await c.snapshot())):
            meta = meta_v1.ObjectMeta(name=f"c{number}", namespace="default")
            await client.create(core_v1.ConfigMap(metadata=meta, data={"a": "b" * 200}))
        taken, restored = [], []
        for _ in range(9):
            began = time.perf_counter()
            saved = await c.snapshot()
            taken.append(time.perf_counter() - began)
            for number in range(20):
                await client.delete(core_v1.ConfigMap, f"c{number}", "default")
            began = time.perf_counter()
            await c.restore(saved)
            restored.append(time.perf_counter() - began)
        told = f"snapshot {statistics.median(taken) * 1e3:.1f} ms, restore {statistics.median(restored) * 1e3:.1f} ms"
        print(f"{len(saved)} objects: {told} (bar 20 ms together)")


async def ready_deployment() -> None:
    async with Cluster(nodes=100) as c:
        await c.settled()
        client, began = c.client(), time.perf_counter()
        await c.apply(deployment(1000))
        async with client.watch(apps_v1.Deployment, "default", initial_events=True) as stream:
            while batch := await stream.next():
                if any(e.type != "BOOKMARK" and e.object.status.readyReplicas == 1000 for e in batch):
                    break
        took = time.perf_counter() - began
        print(f"Deployment of 1,000 on 100 simulated nodes, create to all Ready: {took:.2f} s (bar 1.5 s)")


async def idle() -> None:
    began = time.perf_counter()
    async with Cluster(nodes=5000) as c:
        up = time.perf_counter() - began
        await c.settled()
        await asyncio.sleep(5)
        before, began = time.process_time(), time.perf_counter()
        await asyncio.sleep(60)
        share = (time.process_time() - before) / (time.perf_counter() - began)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        told = f"Ready after {up:.1f} s, idle {share:.1%} of a core (bar 10 %), {memory} MB at most"
        print(f"5,000 simulated nodes: {told}")


BENCHMARKS = {"start": start, "day": day, "snapshot": snapshot, "deployment": ready_deployment, "idle": idle}


def run(names: list[str]) -> None:
    for name in names or BENCHMARKS:
        asyncio.run(BENCHMARKS[name]())


if __name__ == "__main__":
    run(sys.argv[1:])
