"""Pod statuses on their way to the API server: the latest of each pod, one write at a time, never lost to an error.

A status goes out as a strategic merge patch of the fields that a kubelet owns, so that conditions of others stay.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from pybernetes.api import codecs
from pybernetes.api.errors import StatusError
from pybernetes.api.types import core_v1
from pybernetes.client import STRATEGIC_PATCH, Client
from pybernetes.kits import backoff
from pybernetes.kits import clock as clocks
from pybernetes.kits.tasks import Tasks
from pybernetes.kubelet.pods import removal

log = logging.getLogger(__name__)

OWNED = (
    "phase", "reason", "message", "hostIP", "podIP", "startTime", "qosClass", "observedGeneration",
    "containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses",
)  # fmt: skip
_LISTS_OF_IPS = ("hostIPs", "podIPs")


def patch_of(pod: core_v1.Pod, status: core_v1.PodStatus) -> dict[str, Any] | None:
    """The patch that makes the pod's status this one; None when it is."""
    before, after = codecs.to_tree(pod.status), codecs.to_tree(status)
    changed: dict[str, Any] = {name: after.get(name) for name in OWNED if after.get(name) != before.get(name)}
    for name in _LISTS_OF_IPS:
        if after.get(name, []) != before.get(name, []):
            changed[name] = [{"$patch": "replace"}, *after.get(name, [])]
    known = {condition["type"]: condition for condition in before.get("conditions", [])}
    conditions = []
    for condition in after.get("conditions", []):
        old = known.get(condition["type"], {})
        if {k: v for k, v in old.items() if v is not None} != {k: v for k, v in condition.items() if v is not None}:
            gone = {key: None for key in ("reason", "message") if key in old and key not in condition}
            conditions.append({**condition, **gone})
    if conditions:
        changed["conditions"] = conditions
    if not changed:
        return None
    return {"metadata": {"uid": pod.metadata.uid}, "status": changed}


class StatusWriter:
    """Writes what `put` is given. `shown` is the status last given, which may still be on its way."""

    def __init__(self, client: Client, *, clock: clocks.Clock) -> None:
        self._client, self._clock = client, clock
        self._latest: dict[str, tuple[core_v1.Pod, core_v1.PodStatus]] = {}
        self._written: dict[str, core_v1.Pod] = {}
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._tasks = Tasks()

    def shown(self, pod: core_v1.Pod) -> core_v1.PodStatus:
        known = self._latest.get(pod.metadata.uid)
        return pod.status if known is None else known[1]

    def put(self, pod: core_v1.Pod, status: core_v1.PodStatus) -> None:
        uid = pod.metadata.uid
        self._latest[uid] = pod, status
        if uid not in self._busy:
            task = self._tasks.spawn(self._write(uid), name=f"status of {pod.metadata.namespace}/{pod.metadata.name}")
            self._busy[uid] = task
            task.add_done_callback(lambda _: self._busy.pop(uid, None))

    async def flush(self, uid: str) -> None:
        """Wait until what was put has been written, or cannot be any more."""
        while (task := self._busy.get(uid)) is not None:
            await asyncio.wait([task])

    def forget(self, uid: str) -> None:
        self._latest.pop(uid, None)
        self._written.pop(uid, None)

    async def close(self) -> None:
        await self._tasks.close()

    async def _write(self, uid: str) -> None:
        pauses = backoff.Backoff(first=0.1, cap=10.0)
        while (wanted := self._latest.get(uid)) is not None:
            pod, status = wanted
            written = self._written.get(uid)
            base = pod if written is None or _newer(pod, written) else written
            patch = patch_of(base, status)
            if patch is None:
                return
            try:
                self._written[uid] = await self._client.patch(
                    core_v1.Pod,
                    pod.metadata.name,
                    pod.metadata.namespace,
                    patch,
                    kind=STRATEGIC_PATCH,
                    subresource="status",
                )
                pauses.reset()
            except StatusError as error:
                if error.reason == "NotFound" or (error.reason == "Conflict" and not await self._may_exist(pod)):
                    # Gone, or another pod of the same name: nobody to tell.
                    return
                log.warning("status of %s/%s: %s", pod.metadata.namespace, pod.metadata.name, error)
                await self._clock.sleep(pauses.next())
            except ConnectionError:
                await self._clock.sleep(pauses.next())

    async def _may_exist(self, pod: core_v1.Pod) -> bool:
        try:
            return await removal.exists(self._client, pod)
        except (StatusError, ConnectionError):
            return True


def _newer(left: core_v1.Pod, right: core_v1.Pod) -> bool:
    one, other = left.metadata.resourceVersion, right.metadata.resourceVersion
    return one.isdigit() and other.isdigit() and int(one) > int(other)
