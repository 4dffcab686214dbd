"""What happens to a pod between the choice of its node and the end of its binding, point by point.

Plugins have kept what the pod needs (`Reserve`) and may let it wait (`Permit`) when this begins; then they do what must
be done first (`PreBind`), one of them binds the pod (`Bind`), and they hear of it (`PostBind`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from pybernetes.api.types import core_v1
from pybernetes.informers import key_of
from pybernetes.kits.clock import Clock
from pybernetes.scheduler import cycle, desk, extenders, metrics, preparing, profiles, waiting, watching, writes
from pybernetes.scheduler.plugins import plugin

log = logging.getLogger(__name__)

# Bindings written at the same time.
MOST = 256


class Unbound(Exception):
    """The pod was not bound, and why; no reason where nobody would bind it. `rejected`: a plugin decided so."""

    def __init__(self, reason: str = "", *, rejected: bool = False) -> None:
        super().__init__(reason)
        self.rejected = rejected


class Binder:
    """Binds pods to their nodes."""

    def __init__(
        self,
        cluster: watching.Watching,
        written: writes.Writes,
        at_desk: desk.Desk,
        outside: Sequence[extenders.Extender],
        *,
        clock: Clock,
        counted: metrics.Metrics,
    ) -> None:
        self._cluster, self._writes, self._desk, self._extenders = cluster, written, at_desk, outside
        self._clock, self._metrics = clock, counted
        self._running = asyncio.Semaphore(MOST)

    async def caught_up(self) -> None:
        """Returns when another binding may begin."""
        while self._running.locked():
            async with self._running:
                pass

    def permit(self, profile: profiles.Profile, pod: core_v1.Pod, node: str) -> waiting.Pod | None:
        """The pod as one that waits; None: it need not. Raises Refused, and `plugin.Failed`."""
        waits: dict[str, float] = {}
        for one in profile.permit:
            try:
                seconds = one.permit(pod, node, self._cluster.waiting)
            except plugin.Rejected as rejected:
                raise waiting.Refused(one.name, rejected.reason) from None
            except plugin.Failed as error:
                raise plugin.Failed(f'running Permit plugin "{one.name}": {error}') from None
            if seconds > 0:
                waits[one.name] = seconds
        return self._cluster.waiting.add(pod, node, waits) if waits else None

    async def bind(
        self,
        profile: profiles.Profile,
        pod: core_v1.Pod,
        node: str,
        kept: Sequence[cycle.Reserved],
        held: waiting.Pod | None,
    ) -> None:
        """Raises Refused, where a plugin does not permit it, or Unbound; what was kept is given back in any case."""
        begun: list[cycle.Reserved] = []
        planned = [one for one in kept if one.plugin.name in profile.pre_bind]
        bound = False
        try:
            if held is not None or planned:
                await self._writes.nominate(pod, node)
            if held is not None:
                await self._permission(held)
            if planned:
                async with self._cluster.preparing.of(pod.metadata.uid):
                    await self._prepare(pod, planned, begun)
            await self._bind(profile, pod, node)
            bound = True
        except preparing.Stopped as stopped:
            raise Unbound(str(stopped)) from None
        finally:
            if held is not None:
                self._cluster.waiting.remove(pod.metadata.uid)
            for one in reversed(kept):
                one.plugin.unreserve(one.plan, self._cluster.nodes)
            if not bound:
                for one in reversed(begun):
                    await one.plugin.undo_binding(one.plan, pod, self._desk)
        for listener in profile.post_bind:
            try:
                listener.after_binding(pod, node)
            except Exception:
                log.exception("running PostBind plugin %s for %s failed", listener.name, key_of(pod))

    async def _permission(self, held: waiting.Pod) -> None:
        """Raises Refused."""
        began, result = self._clock.monotonic(), "Success"
        try:
            await held.decision()
        except waiting.Refused:
            result = "Unschedulable"
            raise
        finally:
            self._metrics.permitted(result, self._clock.monotonic() - began)

    async def _prepare(self, pod: core_v1.Pod, planned: Sequence[cycle.Reserved], begun: list[cycle.Reserved]) -> None:
        for one in planned:
            begun.append(one)
            try:
                await one.plugin.before_binding(one.plan, pod, self._cluster.nodes, self._desk)
            except (*writes.FAILURES, plugin.Failed) as error:
                raise Unbound(f'running PreBind plugin "{one.plugin.name}": {_told(error)}') from None

    async def _bind(self, profile: profiles.Profile, pod: core_v1.Pod, node: str) -> None:
        async with self._running:
            if self._extenders and await self._bind_outside(pod, node):
                return
            for one in profile.bind:
                try:
                    if await one.bind(pod, node, self._desk):
                        return
                except plugin.Rejected as rejected:
                    raise Unbound(rejected.reason, rejected=True) from None
                except (*writes.FAILURES, plugin.Failed) as error:
                    if await self._is_bound(error, pod, node):
                        return
                    raise Unbound(f'running Bind plugin "{one.name}": {_told(error)}') from None
        raise Unbound

    async def _bind_outside(self, pod: core_v1.Pod, node: str) -> bool:
        """Whether an extender has bound the pod. Raises Unbound."""
        for extender in self._extenders:
            if extender.binds and extender.wants(pod):
                try:
                    await extender.bind(pod, node)
                except extenders.ExtenderError as error:
                    if await self._is_bound(error, pod, node):
                        return True
                    if extender.ignorable:
                        continue
                    raise Unbound(_told(error)) from None
                return True
        return False

    async def _is_bound(self, error: Exception, pod: core_v1.Pod, node: str) -> bool:
        """Whether what failed has come about all the same.

        The room of such a pod must not be given to others until the watch tells of it.
        """
        return writes.in_doubt(error) and await self._writes.is_bound(pod, node)


def _told(error: Exception) -> str:
    return str(error) or "timed out waiting for the condition"
