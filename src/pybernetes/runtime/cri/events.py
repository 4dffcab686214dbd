"""What changed in the runtime: its own event stream where it has one, otherwise noticing it ourselves.

GetContainerEvents came with CRI v1 of Kubernetes 1.26 (containerd 1.7, CRI-O 1.26); containerd 1.6 answers
Unimplemented. There, upstream lists everything once a second. Here, every running process is watched through a pidfd
(the pid is in the verbose status of containerd and CRI-O), which tells of its end at once and costs nothing while
nothing happens; the listing remains, once a second only while a running container has no pidfd, otherwise as a
safety net every RELIST seconds.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable

from pybernetes.kits import backoff
from pybernetes.kits import clock as clocks
from pybernetes.runtime import protocol
from pybernetes.runtime.cri.v1 import cri_pb2 as pb

UID_LABEL = "io.kubernetes.pod.uid"
RELIST = 10.0
RELIST_BLIND = 1.0
SETTLE = 2.0


def pid_of(info: str) -> int:
    """The pid in the verbose information of a container or sandbox; 0 when it has none."""
    try:
        return int(json.loads(info).get("pid", 0))
    except (ValueError, AttributeError, TypeError):
        return 0


class Exits:
    """Tells when processes end, by pidfd."""

    def __init__(self, ended: Callable[[str], None]) -> None:
        self._ended = ended
        self._watched: dict[str, int] = {}

    def __contains__(self, container_id: str) -> bool:
        return container_id in self._watched

    def watch(self, container_id: str, pid: int) -> bool:
        """Whether its end will be told. A process that is gone already counts as ended now."""
        if container_id in self._watched:
            return True
        if pid <= 0:
            return False
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            self._ended(container_id)
            return True
        except OSError:
            return False
        self._watched[container_id] = descriptor
        asyncio.get_running_loop().add_reader(descriptor, self._readable, container_id)
        return True

    def _readable(self, container_id: str) -> None:
        self.forget(container_id)
        self._ended(container_id)

    def forget(self, container_id: str) -> None:
        descriptor = self._watched.pop(container_id, None)
        if descriptor is not None:
            asyncio.get_running_loop().remove_reader(descriptor)
            os.close(descriptor)

    def close(self) -> None:
        for container_id in list(self._watched):
            self.forget(container_id)


class Noticing:
    """Events for runtimes without an event stream."""

    def __init__(
        self,
        *,
        containers: Callable[[], Awaitable[list[protocol.Container]]],
        sandboxes: Callable[[], Awaitable[list[protocol.Sandbox]]],
        process: Callable[[str], Awaitable[tuple[int, protocol.ContainerState]]],
        clock: clocks.Clock,
    ) -> None:
        self._containers, self._sandboxes, self._process, self._clock = containers, sandboxes, process, clock
        self._exits = Exits(self._ended)
        self._due = asyncio.Event()
        self._uids: dict[str, str] = {}
        self._changed: dict[str, None] = {}
        self._ending: list[str] = []
        self._seen: dict[str, tuple[str, str]] = {}

    def _ended(self, container_id: str) -> None:
        self._ending.append(container_id)
        self._due.set()

    async def _settle(self) -> None:
        """A pidfd is faster than the runtime: wait until the runtime, too, knows of the ends."""
        while self._ending:
            container_id = self._ending.pop()
            pauses = backoff.Backoff(first=0.002, cap=0.1)
            until = self._clock.monotonic() + SETTLE
            while self._clock.monotonic() < until:
                try:
                    _, state = await self._process(container_id)
                except protocol.Error:
                    break
                if state is not protocol.ContainerState.RUNNING:
                    break
                await self._clock.sleep(pauses.next())
            self._changed[self._uids.get(container_id, "")] = None

    def started(self, container_id: str, uid: str, pid: int) -> None:
        """A container that we started ourselves."""
        self._uids[container_id] = uid
        self._exits.watch(container_id, pid)

    async def events(self) -> AsyncIterator[protocol.Event]:
        try:
            while True:
                await self._settle()
                blind = await self._relist()
                while self._changed:
                    uid = next(iter(self._changed))
                    del self._changed[uid]
                    yield protocol.Event(pod_uid=uid)
                if self._ending:
                    continue
                self._due.clear()
                timer = self._clock.call_later(RELIST_BLIND if blind else RELIST, self._due.set)
                try:
                    await self._due.wait()
                finally:
                    timer.cancel()
        finally:
            self._exits.close()

    async def _relist(self) -> bool:
        """Compare with the last listing; whether some running container has no pidfd."""
        try:
            containers, sandboxes = await asyncio.gather(self._containers(), self._sandboxes())
        except protocol.Error:
            return True
        blind = False
        now: dict[str, tuple[str, str]] = {}
        for found in containers:
            uid = found.labels.get(UID_LABEL, "")
            now[found.id] = (uid, found.state.value)
            self._uids[found.id] = uid
            if found.state is protocol.ContainerState.RUNNING and found.id not in self._exits:
                try:
                    pid, _ = await self._process(found.id)
                except protocol.Error:
                    continue
                blind |= not self._exits.watch(found.id, pid)
        now.update({box.id: (box.uid, box.state.value) for box in sandboxes})
        for key in now.keys() | self._seen.keys():
            if now.get(key) != self._seen.get(key):
                self._changed[(now.get(key) or self._seen[key])[0]] = None
        for key in self._seen.keys() - now.keys():
            self._exits.forget(key)
            self._uids.pop(key, None)
        self._seen = now
        return blind


async def streamed(call: AsyncIterator[pb.ContainerEventResponse]) -> AsyncIterator[protocol.Event]:
    """Events of a runtime that has them; raises grpc.RpcError (Unimplemented among others)."""
    async for response in call:
        yield protocol.Event(pod_uid=response.pod_sandbox_status.metadata.uid)
