"""Makes the claims to devices that pods have by templates, reserves them, and frees what nobody uses any more."""

from __future__ import annotations

from collections.abc import Iterator

from pybernetes.api import codecs, errors
from pybernetes.api.types import core_v1, resource_v1
from pybernetes.client import transport
from pybernetes.controllers import owners
from pybernetes.controllers.context import Context
from pybernetes.controllers.resourceclaim import decide
from pybernetes.informers import key_of, split_key
from pybernetes.kits import prometheus

NAME = "resourceclaim-controller"
# Indexes of pods: by `namespace/name` of their claims, and of the templates of these.
CLAIMS, TEMPLATES = "device-claim", "device-claim-template"


class ResourceClaims:
    """The controller. Work items are `pods/<key>` and `claims/<key>`."""

    def __init__(self, context: Context) -> None:
        self._context, self._client = context, context.client
        self._recorder = context.recorder("resource_claim")
        self._queue = context.queue(NAME)
        self._creates = prometheus.Counts(
            "resourceclaim_controller_creates_total",
            "Number of ResourceClaims creation requests, categorized by creation status and admin access",
            "status",
            "admin_access",
        )
        context.counted.append(self._creates.families)
        # Claims that were made and that the cache does not show yet, by pod uid and entry.
        self._made: dict[tuple[str, str], resource_v1.ResourceClaim] = {}
        self._pods = context.informers.of(core_v1.Pod)
        self._claims = context.informers.of(resource_v1.ResourceClaim)
        self._templates = context.informers.of(resource_v1.ResourceClaimTemplate)
        self._pods.add_index(CLAIMS, _claim_keys)
        self._pods.add_index(TEMPLATES, _template_keys)
        owners.index(self._claims)
        self._pods.on_change(self._pod_changed)
        self._claims.on_change(self._claim_changed)
        self._templates.on_change(self._template_changed)

    async def run(self) -> None:
        after = (self._pods, self._claims, self._templates)
        await self._context.reconcile(NAME, self._queue, self.reconcile, after=after, workers=10)

    def _pod_changed(self, old: core_v1.Pod | None, new: core_v1.Pod | None) -> None:
        pod = new or old
        if pod is None or not (pod.spec.resourceClaims or pod.status.extendedResourceClaimStatus is not None):
            return
        if new is None or decide.is_done(new):
            for name in decide.all_names(pod):
                self._queue.add(f"claims/{pod.metadata.namespace}/{name}", f"Pod {key_of(pod)} needs it no longer")
        if new is None:
            for entry in pod.spec.resourceClaims:
                self._made.pop((pod.metadata.uid, entry.name), None)
        elif new.metadata.deletionTimestamp is None:
            self._queue.add(f"pods/{key_of(new)}", "Pod changed")

    def _claim_changed(self, old: resource_v1.ResourceClaim | None, new: resource_v1.ResourceClaim | None) -> None:
        claim = new or old
        if claim is None:
            return
        owner = decide.owner_of(claim)
        if owner is not None:
            self._made.pop((owner.uid, claim.metadata.annotations.get(decide.ENTRY, "")), None)
        if new is not None:
            self._queue.add(f"claims/{key_of(new)}", "ResourceClaim changed")
        for pod in self._pods.cache.index(CLAIMS, key_of(claim)):
            if not decide.is_done(pod):
                self._queue.add(f"pods/{key_of(pod)}", f"ResourceClaim {key_of(claim)} changed")

    def _template_changed(
        self, old: resource_v1.ResourceClaimTemplate | None, new: resource_v1.ResourceClaimTemplate | None
    ) -> None:
        if new is not None:
            for pod in self._pods.cache.index(TEMPLATES, key_of(new)):
                self._queue.add(f"pods/{key_of(pod)}", f"ResourceClaimTemplate {key_of(new)} changed")

    async def reconcile(self, key: str) -> None:
        what, _, rest = key.partition("/")
        namespace, name = split_key(rest)
        if what == "pods":
            pod = self._pods.cache.get(name, namespace)
            if pod is not None and pod.metadata.deletionTimestamp is None:
                await self._give(pod)
                await self._reserve(pod)
        else:
            claim = self._claims.cache.get(name, namespace)
            if claim is not None:
                await self._release(claim)

    async def _give(self, pod: core_v1.Pod) -> None:
        """Make the claims that the pod lacks, and write into its status what they are called."""
        given = {}
        for entry in self._wanting(pod):
            made = self._known(pod, entry.name)
            if made is None:
                try:
                    made = await self._make(pod, entry)
                except errors.StatusError as error:
                    message = f"PodResourceClaim {entry.name}: {error}"
                    self._recorder.event(pod, "Warning", "FailedResourceClaimCreation", message)
                    raise
                if made is None:
                    continue
            given[entry.name] = made.metadata.name
        if not given:
            return
        statuses = {status.name: codecs.to_tree(status) for status in pod.status.resourceClaimStatuses}
        statuses |= {entry: {"name": entry, "resourceClaimName": name} for entry, name in given.items()}
        patch = {"metadata": {"uid": pod.metadata.uid}, "status": {"resourceClaimStatuses": list(statuses.values())}}
        await self._client.patch(
            core_v1.Pod,
            pod.metadata.name,
            pod.metadata.namespace,
            patch,
            kind=transport.STRATEGIC_PATCH,
            subresource="status",
        )

    def _wanting(self, pod: core_v1.Pod) -> Iterator[core_v1.PodResourceClaim]:
        """Entries without a claim of the pod's own: none was made, or it is gone."""
        yield from decide.lacking(pod)
        had = decide.names(pod)
        for entry in pod.spec.resourceClaims:
            if entry.resourceClaimTemplateName is None or entry.name not in had:
                continue
            claim = self._claims.cache.get(had[entry.name], pod.metadata.namespace)
            if (claim is None and (pod.metadata.uid, entry.name) not in self._made) or (
                claim is not None and not owners.is_controlled_by(claim, pod)
            ):
                yield entry

    def _known(self, pod: core_v1.Pod, entry: str) -> resource_v1.ResourceClaim | None:
        """The claim that was made for an entry, although the pod does not say so yet."""
        for claim in self._claims.cache.index(owners.INDEX, pod.metadata.uid):
            if claim.metadata.annotations.get(decide.ENTRY) == entry:
                return claim
        return self._made.get((pod.metadata.uid, entry))

    async def _make(self, pod: core_v1.Pod, entry: core_v1.PodResourceClaim) -> resource_v1.ResourceClaim | None:
        """None where there is no template yet; its coming sets the pod in motion again."""
        name = entry.resourceClaimTemplateName or ""
        template = self._templates.cache.get(name, pod.metadata.namespace)
        if template is None:
            missing = errors.not_found("resource.k8s.io", "resourceclaimtemplate", name)
            message = f'PodResourceClaim {entry.name}: resource claim template "{name}": {missing}'
            self._recorder.event(pod, "Warning", "FailedResourceClaimCreation", message)
            return None
        wanted = decide.claim_for(pod, entry.name, template)
        admin = str(any(one.exactly is not None and one.exactly.adminAccess for one in wanted.spec.devices.requests))
        try:
            made = await self._client.create(wanted)
        except Exception:
            self._creates.add("failure", admin.lower())
            raise
        self._creates.add("success", admin.lower())
        if self._claims.cache.get(made.metadata.name, made.metadata.namespace) is None:
            self._made[(pod.metadata.uid, entry.name)] = made
        return made

    async def _reserve(self, pod: core_v1.Pod) -> None:
        """Of a pod that was put on its node by hand; the scheduler reserves for those that it places."""
        if not pod.spec.nodeName or decide.is_done(pod):
            return
        by_template = {entry.name for entry in pod.spec.resourceClaims if entry.resourceClaimTemplateName is not None}
        for entry, name in decide.names(pod).items():
            claim = self._claims.cache.get(name, pod.metadata.namespace)
            if claim is None or (entry in by_template and not owners.is_controlled_by(claim, pod)):
                continue
            if claim.status.allocation is not None and not decide.is_reserved(claim, pod):
                await self._client.update_status(decide.reserved(claim, pod))

    async def _release(self, claim: resource_v1.ResourceClaim) -> None:
        changed = decide.released(claim, await self._gone(claim))
        if changed is not None:
            claim = await self._client.update_status(changed)
        if changed is not None or claim.metadata.deletionTimestamp is not None:
            bare = decide.unprotected(claim)
            if bare is not None:
                claim = await self._client.update(bare)
        if not claim.status.reservedFor and claim.metadata.deletionTimestamp is None and self._is_spent(claim):
            meta = claim.metadata
            await self._client.delete(resource_v1.ResourceClaim, meta.name, meta.namespace, uid=meta.uid)

    async def _gone(self, claim: resource_v1.ResourceClaim) -> frozenset[str]:
        """The uids of the consumers that need the claim no longer."""
        gone = set()
        for consumer in filter(decide.is_pod, claim.status.reservedFor):
            pod = self._pods.cache.get(consumer.name, claim.metadata.namespace)
            if pod is None:
                # The scheduler may know of a pod before this cache does.
                pod = await self._look(consumer.name, claim.metadata.namespace)
            if pod is None or pod.metadata.uid != consumer.uid or decide.is_done(pod):
                gone.add(consumer.uid)
        return frozenset(gone)

    async def _look(self, name: str, namespace: str) -> core_v1.Pod | None:
        try:
            return await self._client.get(core_v1.Pod, name, namespace)
        except errors.StatusError as error:
            if error.reason != "NotFound":
                raise
            return None

    def _is_spent(self, claim: resource_v1.ResourceClaim) -> bool:
        """Whether the pod that it was made for is done, or another one; where it is gone, so will be the claim."""
        owner = decide.owner_of(claim)
        pod = self._pods.cache.get(owner.name, claim.metadata.namespace) if owner is not None else None
        return owner is not None and pod is not None and (pod.metadata.uid != owner.uid or decide.is_done(pod))


def _claim_keys(pod: core_v1.Pod) -> list[str]:
    return [f"{pod.metadata.namespace}/{name}" for name in decide.all_names(pod)]


def _template_keys(pod: core_v1.Pod) -> list[str]:
    used = (entry.resourceClaimTemplateName for entry in pod.spec.resourceClaims)
    return [f"{pod.metadata.namespace}/{name}" for name in used if name is not None]
