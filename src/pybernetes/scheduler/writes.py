"""What the scheduler writes: conditions and nominations of waiting pods, and the removal of victims.

What plugins write, bindings among it, is in `desk`.
"""

from __future__ import annotations

import logging
from typing import Any

from pybernetes.api import codecs, errors, times
from pybernetes.api.types import core_v1
from pybernetes.client import Client, transport
from pybernetes.informers import key_of
from pybernetes.kits import backoff
from pybernetes.kits.clock import Clock
from pybernetes.scheduler import preemption

log = logging.getLogger(__name__)

FAILURES = (errors.StatusError, ConnectionError, TimeoutError)
# Between two questions about a pod whose binding may have come about, in seconds: the first and the longest pause.
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0


def in_doubt(error: Exception) -> bool:
    """Whether what failed so may have been carried out all the same."""
    return not isinstance(error, errors.StatusError) or error.code >= 500


class Writes:
    """Writes through a client; each method is one or two calls."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client, self._clock = client, clock

    async def is_bound(self, pod: core_v1.Pod, node: str) -> bool:
        """Whether the pod has that node by now; waits until the API server can say."""
        meta = pod.metadata
        pauses = backoff.Backoff(first=FIRST_PAUSE, cap=LONGEST_PAUSE)
        while True:
            try:
                found = await self._client.get(core_v1.Pod, meta.name, meta.namespace)
            except FAILURES as error:
                if isinstance(error, errors.StatusError) and error.code < 500 and error.reason != "TooManyRequests":
                    return False
                log.info("whether %s is bound is not known yet: %s", key_of(pod), error)
                await self._clock.sleep(pauses.next())
            else:
                return found.metadata.uid == meta.uid and found.spec.nodeName == node

    async def unschedulable(self, pod: core_v1.Pod, reason: str, message: str, nominated: str | None) -> None:
        """Say on the pod why it has no node, and which it is nominated for (None: leave that as it is).

        Failures are logged: the next attempt says it again.
        """
        status: dict[str, Any] = {}
        condition = self._condition(pod, "PodScheduled", "False", reason, message)
        if condition is not None:
            status["conditions"] = [condition]
        if nominated is not None and nominated != pod.status.nominatedNodeName:
            status["nominatedNodeName"] = nominated or None
        if not status:
            return
        try:
            await self._patch_status(pod, status)
        except FAILURES as error:
            log.info("the status of %s was not written: %s", key_of(pod), error)

    async def nominate(self, pod: core_v1.Pod, node: str) -> None:
        """Say which node a pod is about to get, as it will take a while. Failures are logged: it matters little."""
        try:
            await self._patch_status(pod, {"nominatedNodeName": node})
        except FAILURES as error:
            log.info("the node of %s was not told: %s", key_of(pod), error)

    async def unnominate(self, pod: core_v1.Pod) -> None:
        """Take back a promise of room."""
        if not pod.status.nominatedNodeName:
            return
        try:
            await self._patch_status(pod, {"nominatedNodeName": None})
        except FAILURES as error:
            log.info("the nomination of %s was not taken back: %s", key_of(pod), error)

    async def evict(self, victim: core_v1.Pod, scheduler: str) -> bool:
        """Delete a pod for another's sake, saying so on it first; False: it was gone already. Raises StatusError,
        ConnectionError or TimeoutError.
        """
        message = f"{scheduler}: preempting to accommodate a higher priority pod"
        condition = self._condition(victim, preemption.CONDITION, "True", preemption.REASON, message)
        try:
            if condition is not None:
                await self._patch_status(victim, {"conditions": [condition]})
            await self._client.delete(core_v1.Pod, victim.metadata.name, victim.metadata.namespace)
        except errors.StatusError as error:
            if error.reason == "NotFound":
                return False
            raise
        return True

    def _condition(self, pod: core_v1.Pod, kind: str, status: str, reason: str, message: str) -> Any | None:
        """The condition as a tree; None where the pod has it already."""
        known = next((c for c in pod.status.conditions if c.type == kind), None)
        if known is not None and (known.status, known.reason, known.message) == (status, reason, message):
            return None
        since = known.lastTransitionTime if known is not None and known.status == status else None
        condition = core_v1.PodCondition(
            type=kind,
            status=status,
            reason=reason,
            message=message,
            observedGeneration=pod.metadata.generation,
            lastTransitionTime=since or times.to_time(self._clock.time()),
        )
        return codecs.to_tree(condition)

    async def _patch_status(self, pod: core_v1.Pod, status: dict[str, Any]) -> None:
        meta = pod.metadata
        # The uid keeps the patch from a pod of the same name that came later.
        patch = {"metadata": {"uid": meta.uid}, "status": status}
        await self._client.patch(
            core_v1.Pod, meta.name, meta.namespace, patch, kind=transport.STRATEGIC_PATCH, subresource="status"
        )
