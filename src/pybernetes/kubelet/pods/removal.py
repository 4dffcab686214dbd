"""Tells the API server that a pod has ended, and may go."""

from __future__ import annotations

from pybernetes.api.errors import StatusError
from pybernetes.api.types import core_v1
from pybernetes.client import Client


async def exists(client: Client, pod: core_v1.Pod) -> bool:
    """Whether this very pod is still there, not only another of its name. Raises StatusError, ConnectionError."""
    try:
        found = await client.get(core_v1.Pod, pod.metadata.name, pod.metadata.namespace)
    except StatusError as error:
        # A kubelet may not read pods that are not of its node, as one that is gone is not.
        if error.reason not in ("NotFound", "Forbidden"):
            raise
        return False
    return found.metadata.uid == pod.metadata.uid


async def remove(client: Client, pod: core_v1.Pod) -> None:
    """Returns when the pod is gone, or kept by finalizers alone. Raises StatusError and ConnectionError."""
    meta = pod.metadata
    try:
        await client.delete(core_v1.Pod, meta.name, meta.namespace, grace=0, uid=meta.uid)
    except StatusError as error:
        if error.reason == "NotFound":
            return
        # Conflict may mean another pod of the name, or a write that came in between.
        if error.reason != "Conflict" or await exists(client, pod):
            raise
