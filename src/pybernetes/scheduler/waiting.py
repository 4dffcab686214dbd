"""Pods that have a node, and wait until all plugins that hold them back permit the binding.

Plugins find it as the last argument of `permit`: they look through the pods that wait and allow or reject them, as
when the last pod of a group has its node.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Iterator, Mapping

from pybernetes.api import times
from pybernetes.api.types import core_v1
from pybernetes.kits.clock import Clock, Timer

# Nobody waits longer than this, whatever a plugin says.
LONGEST = 900.0


class Refused(Exception):
    """A pod that waited may not be bound; `plugin` said so, or waited in vain."""

    def __init__(self, plugin: str, reason: str) -> None:
        super().__init__(reason)
        self.plugin, self.reason = plugin, reason


class Pod:
    """One that waits, for which node, and for which plugins still."""

    def __init__(self, pod: core_v1.Pod, node: str, plugins: Mapping[str, float], clock: Clock) -> None:
        self.pod, self.node = pod, node
        self._timers = {name: self._timer(name, min(seconds, LONGEST), clock) for name, seconds in plugins.items()}
        self._decided: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def _timer(self, plugin: str, seconds: float, clock: Clock) -> Timer:
        reason = f"rejected due to timeout after waiting {times.go_duration(seconds)} at plugin {plugin}"
        return clock.call_later(seconds, functools.partial(self.reject, plugin, reason))

    @property
    def plugins(self) -> tuple[str, ...]:
        """Those that still hold it back."""
        return tuple(self._timers)

    def allow(self, plugin: str) -> None:
        """This plugin has nothing against it any more; the pod is bound when none has."""
        timer = self._timers.pop(plugin, None)
        if timer is not None:
            timer.cancel()
        if not self._timers and not self._decided.done():
            self._decided.set_result(None)

    def reject(self, plugin: str, reason: str) -> None:
        """The pod is not to be bound, and goes back to those that wait for a node."""
        if not self._decided.done():
            self._decided.set_exception(Refused(plugin, reason))

    async def decision(self) -> None:
        """Returns when all plugins allow it. Raises Refused."""
        try:
            await self._decided
        finally:
            for timer in self._timers.values():
                timer.cancel()


class Waiting:
    """All pods that wait."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pods: dict[str, Pod] = {}

    def __iter__(self) -> Iterator[Pod]:
        return iter(list(self._pods.values()))

    def __len__(self) -> int:
        return len(self._pods)

    def get(self, uid: str) -> Pod | None:
        return self._pods.get(uid)

    def add(self, pod: core_v1.Pod, node: str, plugins: Mapping[str, float]) -> Pod:
        found = self._pods[pod.metadata.uid] = Pod(pod, node, plugins, self._clock)
        return found

    def reject(self, uid: str, plugin: str, reason: str) -> bool:
        """Whether there was such a pod."""
        found = self._pods.get(uid)
        if found is not None:
            found.reject(plugin, reason)
        return found is not None

    def remove(self, uid: str) -> None:
        self._pods.pop(uid, None)
