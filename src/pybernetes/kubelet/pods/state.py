"""What the runtime says about one pod, gathered into one picture to decide on."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from pybernetes.kubelet.containers import labels
from pybernetes.runtime import protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxView:
    """A sandbox with its addresses."""

    id: str
    attempt: int
    ready: bool
    created_at: float
    ips: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PodState:
    """Sandboxes and containers, newest first."""

    sandboxes: Sequence[SandboxView] = ()
    containers: Sequence[protocol.ContainerStatus] = ()

    def latest(self, name: str) -> protocol.ContainerStatus | None:
        """The newest container of that name."""
        return next((found for found in self.containers if found.name == name), None)

    def running(self) -> list[protocol.ContainerStatus]:
        return [found for found in self.containers if found.state is protocol.ContainerState.RUNNING]

    def ips(self) -> Sequence[str]:
        return self.sandboxes[0].ips if self.sandboxes and self.sandboxes[0].ready else ()


EMPTY = PodState()


def restart_count(status: protocol.ContainerStatus) -> int:
    """As recorded at creation; the runtime's attempt for containers that others made."""
    recorded = status.annotations.get(labels.RESTART_COUNT, "")
    return int(recorded) if recorded.isdigit() else status.attempt


async def observe(runtime: protocol.Runtime, uid: str) -> PodState:
    """Ask the runtime about a pod. Raises protocol.Error."""
    wanted = {labels.POD_UID: uid}
    boxes, listed = await asyncio.gather(runtime.list_sandboxes(labels=wanted), runtime.list_containers(labels=wanted))
    if not boxes and not listed:
        return EMPTY
    boxes = sorted(boxes, key=lambda box: (box.created_at, box.attempt), reverse=True)
    statuses = await asyncio.gather(*(_status(runtime, found.id) for found in listed))
    newest_ips: Sequence[str] = ()
    if boxes and boxes[0].state is protocol.SandboxState.READY:
        try:
            newest_ips = (await runtime.sandbox_status(boxes[0].id)).ips
        except protocol.NotFound:
            boxes = boxes[1:]
    return PodState(
        sandboxes=[
            SandboxView(
                id=box.id,
                attempt=box.attempt,
                ready=box.state is protocol.SandboxState.READY,
                created_at=box.created_at,
                ips=newest_ips if at == 0 else (),
            )
            for at, box in enumerate(boxes)
        ],
        containers=sorted(
            (found for found in statuses if found is not None),
            key=lambda found: (found.created_at, found.attempt),
            reverse=True,
        ),
    )


async def _status(runtime: protocol.Runtime, container_id: str) -> protocol.ContainerStatus | None:
    try:
        return await runtime.container_status(container_id)
    except protocol.NotFound:
        return None
