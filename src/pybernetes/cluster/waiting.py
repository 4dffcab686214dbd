"""Waiting until the cluster has come to a state, by watching it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from pybernetes import client as clients
from pybernetes.api.types import core_v1
from pybernetes.kits import backoff
from pybernetes.kits import clock as clocks


async def until(
    client: clients.Client,
    target: Any,
    name: str,
    holds: Callable[[Any], bool],
    *,
    clock: clocks.Clock,
    namespace: str = "",
) -> None:
    """Return when the named object exists and the condition holds for it. The caller bounds the time."""
    pauses = backoff.Backoff(first=0.02, cap=0.5)
    while True:
        with contextlib.suppress(ConnectionError):
            opened = client.watch(target, namespace, fields=f"metadata.name={name}", initial_events=True)
            async with opened as stream:
                while batch := await stream.next():
                    if any(event.type in ("ADDED", "MODIFIED") and holds(event.object) for event in batch):
                        return
        await clock.sleep(pauses.next())


async def node_ready(client: clients.Client, name: str, clock: clocks.Clock, *, untainted: bool = True) -> None:
    """The node is Ready and, if controllers take care of that, nothing keeps pods off it."""
    await until(client, core_v1.Node, name, is_ready if untainted else says_ready, clock=clock)


async def nodes_ready(client: clients.Client, count: int, clock: clocks.Clock, *, untainted: bool = True) -> None:
    """As `node_ready`, of at least so many nodes."""
    holds = is_ready if untainted else says_ready
    ready: set[str] = set()
    pauses = backoff.Backoff(first=0.02, cap=0.5)
    while True:
        with contextlib.suppress(ConnectionError):
            async with client.watch(core_v1.Node, initial_events=True) as stream:
                while batch := await stream.next():
                    ready.update(
                        event.object.metadata.name
                        for event in batch
                        if event.type in ("ADDED", "MODIFIED") and holds(event.object)
                    )
                    if len(ready) >= count:
                        return
        await clock.sleep(pauses.next())


async def default_account(client: clients.Client, clock: clocks.Clock) -> None:
    """Pods can be created: the controllers have made the account that they run as."""
    await until(client, core_v1.ServiceAccount, "default", lambda _: True, clock=clock, namespace="default")


def is_ready(node: core_v1.Node) -> bool:
    """It says so, and takes pods."""
    return says_ready(node) and all(taint.effect not in ("NoSchedule", "NoExecute") for taint in node.spec.taints)


def says_ready(node: core_v1.Node) -> bool:
    return any(condition.type == "Ready" and condition.status == "True" for condition in node.status.conditions)
