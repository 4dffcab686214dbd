"""Pods that the runtime still holds although the API server knows them no more: ended and removed at start."""

from __future__ import annotations

import asyncio
from collections.abc import Set

from pybernetes.kubelet import cgroups
from pybernetes.kubelet import settings as kubelet_settings
from pybernetes.kubelet.containers import labels, sandbox
from pybernetes.kubelet.volumes import volumes as pod_volumes
from pybernetes.runtime import protocol

# Without the pod's own word, upstream gives containers the grace period noted at their creation.
DEFAULT_GRACE = 30


def grace_of(container: protocol.Container) -> float:
    noted = container.annotations.get(labels.GRACE_PERIOD, "")
    return float(noted) if noted.isdigit() else DEFAULT_GRACE


async def remove(
    runtime: protocol.Runtime,
    volumes: pod_volumes.Volumes,
    settings: kubelet_settings.Settings,
    known: Set[str],
) -> None:
    """End and remove all pods whose uid is not among the known ones. Raises protocol.Error."""
    boxes = [box for box in await runtime.list_sandboxes() if labels.POD_UID in box.labels]
    containers = [found for found in await runtime.list_containers() if labels.POD_UID in found.labels]
    lost = [found for found in containers if found.labels[labels.POD_UID] not in known]
    alive = [found for found in lost if found.state is protocol.ContainerState.RUNNING]
    await asyncio.gather(*(runtime.stop_container(found.id, grace=grace_of(found)) for found in alive))
    for found in lost:
        await runtime.remove_container(found.id)
    gone = {found.labels[labels.POD_UID] for found in lost}
    for box in boxes:
        if box.uid not in known:
            gone.add(box.uid)
            await runtime.stop_sandbox(box.id)
            await runtime.remove_sandbox(box.id)
    for uid in {*gone, *volumes.known()} - known:
        await volumes.take_down(uid)
        await asyncio.to_thread(cgroups.remove, sandbox.cgroup_parent(settings, uid))
