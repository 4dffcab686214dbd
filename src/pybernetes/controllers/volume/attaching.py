"""Which CSI volumes are to be attached to which nodes, and which detached: pure.

VolumeAttachments say what is attached; a CSI driver's attacher does what they say. A volume is detached from a node
where no pod needs it, once the node has unmounted it; from a lost node after six minutes, from one that is out of
service at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pybernetes.api.types import core_v1, meta_v1, storage_v1
from pybernetes.controllers import conditions, pods

MANAGED = "volumes.kubernetes.io/controller-managed-attach-detach"
KEEP_TERMINATED = "volumes.kubernetes.io/keep-terminated-pod-volumes"
OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"
# How long a lost node may have a volume mounted that nobody needs there any more, in seconds.
UNMOUNT_WAIT = 360.0
_SHARED = ("ReadWriteMany", "ReadOnlyMany")

Attachment = storage_v1.VolumeAttachment


@dataclass(slots=True)
class Plan:
    """What to do with one volume. `wake` is when to look again, in seconds (None: when something changes)."""

    attach: list[str] = field(default_factory=list)
    detach: list[Attachment] = field(default_factory=list)
    # Nodes that want it but cannot have it, because it is attached to others.
    refused: list[str] = field(default_factory=list)
    wake: float | None = None


def unique_name(volume: core_v1.PersistentVolume) -> str:
    """What nodes call a CSI volume in their status."""
    csi = volume.spec.csi
    return f"kubernetes.io/csi/{csi.driver}^{csi.volumeHandle}" if csi is not None else ""


def attachment_for(volume: core_v1.PersistentVolume, node: str) -> Attachment:
    csi = volume.spec.csi
    driver, handle = (csi.driver, csi.volumeHandle) if csi is not None else ("", "")
    digest = hashlib.sha256(f"{handle}{driver}{node}".encode()).hexdigest()
    return storage_v1.VolumeAttachment(
        metadata=meta_v1.ObjectMeta(name=f"csi-{digest}"),
        spec=storage_v1.VolumeAttachmentSpec(
            attacher=driver,
            nodeName=node,
            source=storage_v1.VolumeAttachmentSource(persistentVolumeName=volume.metadata.name),
        ),
    )


def needs(pod: core_v1.Pod, node: core_v1.Node | None) -> bool:
    """Whether a pod's volumes must be attached to its node."""
    if not pod.spec.nodeName:
        return False
    if node is not None and node.metadata.annotations.get(KEEP_TERMINATED) == "true":
        return True
    status = pod.status
    known = (*status.initContainerStatuses, *status.containerStatuses, *status.ephemeralContainerStatuses)
    running = any(found.state.terminated is None and found.state.waiting is None for found in known)
    return not pods.is_terminal(pod) and (pod.metadata.deletionTimestamp is None or running)


def is_shared(volume: core_v1.PersistentVolume) -> bool:
    """Whether several nodes can have it; where it does not say, the driver is asked."""
    modes = volume.spec.accessModes
    return not modes or any(mode in _SHARED for mode in modes)


def plan(
    volume: core_v1.PersistentVolume,
    wanted: Iterable[str],
    attachments: Iterable[Attachment],
    nodes: Mapping[str, core_v1.Node],
    since: Mapping[str, float],
    now: float,
) -> Plan:
    """`wanted` are the nodes with pods that need the volume, `since` when each other node was seen to need it no more.

    Nodes of which this controller is not to take care are left out of `nodes` and `wanted`.
    """
    result = Plan()
    wanted = list(dict.fromkeys(wanted))
    own = [one for one in attachments if one.metadata.name == attachment_for(volume, one.spec.nodeName).metadata.name]
    for one in own:
        if one.spec.nodeName not in wanted and one.metadata.deletionTimestamp is None:
            left = _wait(volume, nodes.get(one.spec.nodeName), now - since.get(one.spec.nodeName, now))
            if left is not None and left <= 0:
                result.detach.append(one)
            elif left is not None:
                result.wake = left if result.wake is None else min(result.wake, left)
    held = {one.spec.nodeName for one in own}
    for node in wanted:
        if node in held:
            continue
        if is_shared(volume) or not held:
            result.attach.append(node)
            held.add(node)
        else:
            result.refused.append(node)
    return result


def _wait(volume: core_v1.PersistentVolume, node: core_v1.Node | None, seconds: float) -> float | None:
    """How long until a volume may be detached from a node; None: until the node changes."""
    if node is None:
        return UNMOUNT_WAIT - seconds
    if any(taint.key == OUT_OF_SERVICE for taint in node.spec.taints):
        return 0.0
    if unique_name(volume) not in node.status.volumesInUse:
        return 0.0
    return None if is_healthy(node) else UNMOUNT_WAIT - seconds


def is_healthy(node: core_v1.Node) -> bool:
    ready = conditions.find(node.status.conditions, "Ready")
    return ready is not None and ready.status == "True"


def attached(attachments: Iterable[Attachment], names: Mapping[str, str], leaving: Iterable[str]) -> list[str]:
    """What a node's status says is attached: unique names, of volumes by name, without those that are about to go."""
    gone = set(leaving)
    return sorted(
        names[one.spec.source.persistentVolumeName or ""]
        for one in attachments
        if one.status.attached
        and one.metadata.deletionTimestamp is None
        and one.metadata.name not in gone
        and one.spec.source.persistentVolumeName in names
    )
