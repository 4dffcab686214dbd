"""Has the volumes that pods need attached to their nodes, by VolumeAttachments that drivers' attachers follow."""

from __future__ import annotations

from collections.abc import Iterator

from pybernetes.api import errors
from pybernetes.api.types import core_v1, storage_v1
from pybernetes.controllers.context import Context
from pybernetes.controllers.volume import attaching, claims
from pybernetes.informers import key_of

NAME = "persistentvolume-attach-detach-controller"


class AttachDetach:
    """The controller. Work items are `volumes/<name>` and `nodes/<name>`."""

    def __init__(self, context: Context) -> None:
        self._context, self._client = context, context.client
        self._recorder = context.recorder("attachdetach-controller")
        self._queue = context.queue(NAME)
        # When each node was first seen not to need a volume that it has, by volume and node.
        self._unneeded: dict[str, dict[str, float]] = {}
        # Attachments that are about to be deleted; nodes must hear of it before.
        self._leaving: dict[str, set[str]] = {}
        self._pods = context.informers.of(core_v1.Pod)
        self._nodes = context.informers.of(core_v1.Node)
        self._claims = context.informers.of(core_v1.PersistentVolumeClaim)
        self._volumes = context.informers.of(core_v1.PersistentVolume)
        self._attachments = context.informers.of(storage_v1.VolumeAttachment)
        self._drivers = context.informers.of(storage_v1.CSIDriver)
        claims.index(self._pods)
        self._attachments.add_index("volume", lambda one: (one.spec.source.persistentVolumeName or "",))
        self._attachments.add_index("node", lambda one: (one.spec.nodeName,))
        self._pods.on_change(self._pod_changed)
        self._nodes.on_change(self._node_changed)
        self._claims.on_change(self._claim_changed)
        self._volumes.on_change(self._volume_changed)
        self._attachments.on_change(self._attachment_changed)
        self._drivers.on_change(self._driver_changed)

    async def run(self) -> None:
        after = (self._pods, self._nodes, self._claims, self._volumes, self._attachments, self._drivers)
        await self._context.reconcile(NAME, self._queue, self.reconcile, after=after)

    # What happens

    def _look_at(self, volume: str, why: str) -> None:
        if volume:
            self._queue.add(f"volumes/{volume}", why)

    def _pod_changed(self, old: core_v1.Pod | None, new: core_v1.Pod | None) -> None:
        pod = new or old
        if pod is None or not pod.spec.volumes or not pod.spec.nodeName:
            return
        node = self._nodes.cache.get(pod.spec.nodeName)
        if old is not None and new is not None and attaching.needs(old, node) == attaching.needs(new, node):
            return
        for name in claims.names(pod):
            claim = self._claims.cache.get(name, pod.metadata.namespace)
            if claim is not None:
                self._look_at(claim.spec.volumeName, f"Pod {key_of(pod)} changed")

    def _claim_changed(
        self, old: core_v1.PersistentVolumeClaim | None, new: core_v1.PersistentVolumeClaim | None
    ) -> None:
        if new is not None and (old is None or old.spec.volumeName != new.spec.volumeName):
            self._look_at(new.spec.volumeName, f"PersistentVolumeClaim {key_of(new)} is bound")

    def _volume_changed(self, old: core_v1.PersistentVolume | None, new: core_v1.PersistentVolume | None) -> None:
        volume = new or old
        if volume is not None and volume.spec.csi is not None:
            self._look_at(volume.metadata.name, "PersistentVolume changed")

    def _node_changed(self, old: core_v1.Node | None, new: core_v1.Node | None) -> None:
        node = new or old
        if node is None or (old is not None and new is not None and _facts(old) == _facts(new)):
            return
        self._queue.add(f"nodes/{node.metadata.name}", "Node changed")
        for attachment in self._attachments.cache.index("node", node.metadata.name):
            self._look_at(attachment.spec.source.persistentVolumeName or "", f"Node {node.metadata.name} changed")
        if old is None or new is None:
            for volume in self._volumes.cache:
                if node.metadata.name in set(self._wanted(volume)):
                    self._look_at(volume.metadata.name, f"Node {node.metadata.name} came or went")

    def _driver_changed(self, old: storage_v1.CSIDriver | None, new: storage_v1.CSIDriver | None) -> None:
        driver = new or old
        for volume in self._volumes.cache:
            csi = volume.spec.csi
            if driver is not None and csi is not None and csi.driver == driver.metadata.name:
                self._look_at(volume.metadata.name, f"CSIDriver {driver.metadata.name} changed")

    def _attachment_changed(
        self, old: storage_v1.VolumeAttachment | None, new: storage_v1.VolumeAttachment | None
    ) -> None:
        one = new or old
        if one is None:
            return
        name = one.spec.source.persistentVolumeName or ""
        self._look_at(name, f"VolumeAttachment {one.metadata.name} changed")
        self._queue.add(f"nodes/{one.spec.nodeName}", f"VolumeAttachment {one.metadata.name} changed")
        if new is None:
            self._leaving.get(one.spec.nodeName, set()).discard(one.metadata.name)
        else:
            self._tell(name, old, new)

    def _tell(self, volume: str, old: storage_v1.VolumeAttachment | None, new: storage_v1.VolumeAttachment) -> None:
        """Pods hear what became of their volume's attachment."""
        if old is None:
            return
        if new.status.attached and not old.status.attached:
            event = ("Normal", "SuccessfulAttachVolume", f'AttachVolume.Attach succeeded for volume "{volume}" ')
        elif new.status.attachError is not None and new.status.attachError != old.status.attachError:
            problem = new.status.attachError.message
            event = ("Warning", "FailedAttachVolume", f'AttachVolume.Attach failed for volume "{volume}" : {problem}')
        else:
            return
        for pod in self._users(volume):
            if pod.spec.nodeName == new.spec.nodeName:
                self._recorder.event(pod, *event)

    # What is to be done

    async def reconcile(self, key: str) -> float | None:
        what, _, name = key.partition("/")
        if what == "nodes":
            await self._show(name)
            return None
        volume = self._volumes.cache.get(name)
        if volume is None or volume.spec.csi is None or not self._is_attachable(volume.spec.csi.driver):
            self._unneeded.pop(name, None)
            return None
        return await self._bring_in_line(volume)

    async def _bring_in_line(self, volume: core_v1.PersistentVolume) -> float | None:
        name, now = volume.metadata.name, self._context.clock.monotonic()
        wanted = list(self._wanted(volume))
        attachments = self._attachments.cache.index("volume", name)
        idle = {one.spec.nodeName for one in attachments} - set(wanted)
        known = self._unneeded.get(name, {})
        since = {node: known.get(node, now) for node in sorted(idle)}
        self._unneeded[name] = since
        if not since:
            del self._unneeded[name]
        nodes = {node: found for node in since if (found := self._nodes.cache.get(node)) is not None}
        plan = attaching.plan(volume, wanted, attachments, nodes, since, now)
        for attachment in plan.detach:
            await self._detach(attachment)
        for node in plan.attach:
            await self._attach(volume, node)
        for pod in self._users(name) if plan.refused else ():
            if pod.spec.nodeName in plan.refused:
                message = "Volume is already exclusively attached to one node and can't be attached to another"
                self._recorder.event(
                    pod, "Warning", "FailedAttachVolume", f'Multi-Attach error for volume "{name}" {message}'
                )
        return plan.wake

    def _is_attachable(self, driver: str) -> bool:
        known = self._drivers.cache.get(driver)
        return known is None or known.spec.attachRequired is not False

    def _users(self, volume: str) -> list[core_v1.Pod]:
        found = self._volumes.cache.get(volume)
        reference = found.spec.claimRef if found is not None else None
        if reference is None:
            return []
        claim = self._claims.cache.get(reference.name, reference.namespace)
        if claim is None or claim.spec.volumeName != volume:
            return []
        return self._pods.cache.index(claims.INDEX, key_of(claim))

    def _wanted(self, volume: core_v1.PersistentVolume) -> Iterator[str]:
        """The nodes that are to have it, of those whose volumes are this controller's to attach."""
        for pod in self._users(volume.metadata.name):
            node = self._nodes.cache.get(pod.spec.nodeName)
            managed = node is not None and attaching.MANAGED in node.metadata.annotations
            if managed and attaching.needs(pod, node):
                yield pod.spec.nodeName

    async def _attach(self, volume: core_v1.PersistentVolume, node: str) -> None:
        try:
            await self._client.create(attaching.attachment_for(volume, node))
        except errors.StatusError as error:
            if error.reason != "AlreadyExists":
                raise

    async def _detach(self, attachment: storage_v1.VolumeAttachment) -> None:
        """The node first: it must not use the volume any more when it goes."""
        node, name = attachment.spec.nodeName, attachment.metadata.name
        self._leaving.setdefault(node, set()).add(name)
        try:
            await self._show(node)
            await self._client.delete(storage_v1.VolumeAttachment, name, uid=attachment.metadata.uid)
        except errors.StatusError as error:
            if error.reason not in ("NotFound", "Conflict"):
                self._leaving[node].discard(name)
                raise

    async def _show(self, name: str) -> None:
        """Write into a node's status what is attached to it."""
        node = self._nodes.cache.get(name)
        if node is None or attaching.MANAGED not in node.metadata.annotations:
            return
        attachments = self._attachments.cache.index("node", name)
        names = {
            volume.metadata.name: attaching.unique_name(volume)
            for one in attachments
            if (volume := self._volumes.cache.get(one.spec.source.persistentVolumeName or "")) is not None
        }
        wanted = attaching.attached(attachments, names, self._leaving.get(name, ()))
        if wanted == sorted(found.name for found in node.status.volumesAttached):
            return
        patch = {"status": {"volumesAttached": [{"name": found, "devicePath": ""} for found in wanted]}}
        try:
            await self._client.patch(core_v1.Node, name, "", patch, subresource="status")
        except errors.StatusError as error:
            if error.reason != "NotFound":
                raise


def _facts(node: core_v1.Node) -> tuple[object, ...]:
    """What of a node its volumes depend on."""
    out = any(taint.key == attaching.OUT_OF_SERVICE for taint in node.spec.taints)
    managed = attaching.MANAGED in node.metadata.annotations
    return out, managed, attaching.is_healthy(node), node.status.volumesInUse, node.status.volumesAttached
