"""Makes the claims that pods' generic ephemeral volumes are; they belong to the pod, and go with it."""

from __future__ import annotations

from pybernetes.api import codecs
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.controllers import owners, pods
from pybernetes.controllers.context import Context
from pybernetes.controllers.volume import claims
from pybernetes.informers import key_of, split_key
from pybernetes.kits import prometheus

NAME = "ephemeral-volume-controller"


def claim_for(pod: core_v1.Pod, volume: core_v1.Volume) -> core_v1.PersistentVolumeClaim | None:
    """The claim that the volume is to have; None where it is no ephemeral volume."""
    template = volume.ephemeral.volumeClaimTemplate if volume.ephemeral is not None else None
    if template is None:
        return None
    fresh = codecs.copy(template)
    return core_v1.PersistentVolumeClaim(
        metadata=meta_v1.ObjectMeta(
            name=claims.ephemeral_name(pod, volume),
            namespace=pod.metadata.namespace,
            labels=fresh.metadata.labels,
            annotations=fresh.metadata.annotations,
            ownerReferences=[owners.reference_to(pod)],
        ),
        spec=fresh.spec,
    )


class EphemeralVolumes:
    """The controller. Work items are pods."""

    def __init__(self, context: Context) -> None:
        self._context, self._client = context, context.client
        self._recorder = context.recorder("ephemeral_volume")
        self._queue = context.queue(NAME)
        self._creates, self._failures = (
            prometheus.Counts(
                f"ephemeral_volume_controller_{name}_total", "Number of PersistentVolumeClaim creation requests"
            )
            for name in ("create", "create_failures")
        )
        context.counted.extend((self._creates.families, self._failures.families))
        self._pods = context.informers.of(core_v1.Pod)
        self._claims = context.informers.of(core_v1.PersistentVolumeClaim)
        claims.index(self._pods)
        self._pods.on_change(self._pod_changed)
        self._claims.on_change(self._claim_changed)

    async def run(self) -> None:
        await self._context.reconcile(NAME, self._queue, self.reconcile, after=(self._pods, self._claims))

    def _pod_changed(self, old: core_v1.Pod | None, new: core_v1.Pod | None) -> None:
        # A pod's volumes never change.
        if old is None and new is not None and any(volume.ephemeral is not None for volume in new.spec.volumes):
            self._queue.add(key_of(new), "Pod has ephemeral volumes")

    def _claim_changed(
        self, old: core_v1.PersistentVolumeClaim | None, new: core_v1.PersistentVolumeClaim | None
    ) -> None:
        if new is None and old is not None:
            for pod in self._pods.cache.index(claims.INDEX, key_of(old)):
                self._queue.add(key_of(pod), f"PersistentVolumeClaim {key_of(old)} is gone")

    async def reconcile(self, key: str) -> None:
        namespace, name = split_key(key)
        pod = self._pods.cache.get(name, namespace)
        if pod is None or pod.metadata.deletionTimestamp is not None or pods.is_terminal(pod):
            return
        for volume in pod.spec.volumes:
            wanted = claim_for(pod, volume)
            if wanted is None:
                continue
            known = self._claims.cache.get(wanted.metadata.name, namespace)
            if known is None:
                self._creates.add()
                try:
                    await self._client.create(wanted)
                except Exception:
                    self._failures.add()
                    raise
            elif not claims.is_for(pod, known):
                problem = f"PVC {namespace}/{wanted.metadata.name} was not created for pod {key} (pod is not owner)"
                message = f"ephemeral volume {volume.name}: {problem}"
                self._recorder.event(pod, "Warning", "FailedBinding", message)
