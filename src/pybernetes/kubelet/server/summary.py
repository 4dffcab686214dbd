"""/stats/summary: what containers use, by pod, in upstream's shape. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pybernetes.kubelet.containers import labels
from pybernetes.runtime import protocol


def of(stats: Sequence[protocol.ContainerStats], *, node_name: str, now: str) -> dict[str, Any]:
    pods: dict[str, dict[str, Any]] = {}
    for found in stats:
        uid = found.labels.get(labels.POD_UID, "")
        if not uid:
            continue
        reference = {
            "name": found.labels.get(labels.POD_NAME, ""),
            "namespace": found.labels.get(labels.POD_NAMESPACE, ""),
            "uid": uid,
        }
        pod = pods.setdefault(
            uid, {"podRef": reference, "containers": [], "cpu": _cpu(now, 0), "memory": _memory(now, 0, 0, 0)}
        )
        pod["containers"].append(
            {
                "name": found.labels.get(labels.CONTAINER_NAME, ""),
                "cpu": _cpu(now, found.cpu_nanoseconds),
                "memory": _memory(now, found.working_set, found.memory_usage, found.rss),
                "rootfs": {"time": now, "usedBytes": found.writable_bytes},
            }
        )
        pod["cpu"]["usageCoreNanoSeconds"] += found.cpu_nanoseconds
        for key, amount in _memory(now, found.working_set, found.memory_usage, found.rss).items():
            if key != "time":
                pod["memory"][key] += amount
    return {"node": {"nodeName": node_name}, "pods": list(pods.values())}


def _cpu(now: str, nanoseconds: int) -> dict[str, Any]:
    return {"time": now, "usageCoreNanoSeconds": nanoseconds}


def _memory(now: str, working_set: int, usage: int, rss: int) -> dict[str, Any]:
    return {"time": now, "workingSetBytes": working_set, "usageBytes": usage, "rssBytes": rss}
