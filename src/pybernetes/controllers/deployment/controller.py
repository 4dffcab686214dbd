"""Brings a Deployment's ReplicaSets from one pod template to the next, step by step.

Each step writes what `rolling` decides and stops; the changes it causes bring the Deployment back for the next.
"""

from __future__ import annotations

from pybernetes.api import codecs, errors, selectors
from pybernetes.api.types import apps_v1, core_v1, meta_v1
from pybernetes.controllers import conditions, owners, pods
from pybernetes.controllers.context import Context
from pybernetes.controllers.deployment import rolling, status, templates
from pybernetes.informers import key_of, split_key

COMPONENT = "deployment-controller"
KEEP_ALL = 2**31 - 1
Sets = list[apps_v1.ReplicaSet]


class Deployments:
    """The controller."""

    def __init__(self, context: Context) -> None:
        self._context, self._client = context, context.client
        self._recorder = context.recorder(COMPONENT)
        self._queue = context.queue(COMPONENT)
        self._deployments = context.informers.of(apps_v1.Deployment)
        self._sets = context.informers.of(apps_v1.ReplicaSet)
        self._pods = context.informers.of(core_v1.Pod)
        owners.index(self._sets)
        owners.index(self._pods)
        self._deployments.on_change(lambda old, new: self._queue.add(key_of(new or old), "Deployment changed"))
        self._sets.on_change(self._set_changed)
        self._pods.on_change(self._pod_changed)

    async def run(self) -> None:
        after = (self._deployments, self._sets, self._pods)
        await self._context.reconcile(COMPONENT, self._queue, self.reconcile, after=after)

    def _set_changed(self, old: apps_v1.ReplicaSet | None, new: apps_v1.ReplicaSet | None) -> None:
        found = False
        for one in (old, new):
            owner = self._owner_of(one) if one is not None else None
            if one is not None and owner is not None:
                self._queue.add(key_of(owner), f"ReplicaSet {key_of(one)} changed")
                found = True
        if new is not None and not found and owners.controller_of(new) is None:
            for deployment in self._deployments.cache.list(new.metadata.namespace):
                if selectors.from_object(deployment.spec.selector).matches(new.metadata.labels):
                    self._queue.add(key_of(deployment), f"ReplicaSet {key_of(new)} has no owner")

    def _pod_changed(self, old: core_v1.Pod | None, new: core_v1.Pod | None) -> None:
        """A Recreate rollout waits for the last old pod to go."""
        if new is not None or old is None:
            return
        reference = owners.controller_of(old)
        owner = self._sets.cache.get(reference.name, old.metadata.namespace) if reference is not None else None
        deployment = self._owner_of(owner) if owner is not None else None
        if deployment is not None and not rolling.is_rolling(deployment):
            self._queue.add(key_of(deployment), f"pod {key_of(old)} is gone")

    def _owner_of(self, one: apps_v1.ReplicaSet) -> apps_v1.Deployment | None:
        reference = owners.controller_of(one)
        if reference is None or reference.kind != "Deployment":
            return None
        found = self._deployments.cache.get(reference.name, one.metadata.namespace)
        return found if found is not None and found.metadata.uid == reference.uid else None

    async def reconcile(self, key: str) -> float | None:
        namespace, name = split_key(key)
        found = self._deployments.cache.get(name, namespace)
        if found is None:
            return None
        deployment = codecs.copy(found)
        selector = deployment.spec.selector
        if selector is not None and selector == meta_v1.LabelSelector():
            message = "This deployment is selecting all pods. A non-empty selector is required."
            self._recorder.event(deployment, "Warning", "SelectingAll", message)
            return None
        candidates = owners.candidates(self._sets, deployment)
        sets = await owners.claim(self._client, deployment, selectors.from_object(selector), candidates)
        return await _Sync(self, deployment, sets).run()


class _Sync:
    """One look at one Deployment. `deployment` is our own copy, kept as the server last answered it."""

    def __init__(self, controller: Deployments, deployment: apps_v1.Deployment, sets: Sets) -> None:
        self._client, self._recorder = controller._client, controller._recorder
        self._pods = controller._pods
        self._now = controller._context.clock.time()
        self.deployment = deployment
        self.new = templates.find_new(deployment, sets)
        self.old = [one for one in sets if one is not self.new]

    @property
    def _all(self) -> Sets:
        return self.old if self.new is None else [*self.old, self.new]

    async def run(self) -> float | None:
        deployment = self.deployment
        if deployment.metadata.deletionTimestamp is not None:
            return await self._report(rollout=False)
        paused = status.paused_condition(deployment, self._now)
        if paused is not None:
            deployment.status.conditions = conditions.put(deployment.status.conditions, paused)
            await self._write_status()
        await self._sync_revision()
        if deployment.spec.paused or rolling.is_scaling(self.deployment, self._all):
            for resize in rolling.scale(self.deployment, self.new, self.old):
                await self._resize(resize)
            if deployment.spec.paused:
                await self._clean_up()
            return await self._report(rollout=False)
        if rolling.is_rolling(deployment):
            return await self._roll()
        return await self._recreate()

    async def _roll(self) -> float | None:
        new = await self._ensure_new()
        grow = rolling.grow_new(self.deployment, self._all, new)
        if grow is not None:
            await self._resize(grow)
            return await self._report()
        shrink = rolling.shrink_old(self.deployment, self.old, new)
        for resize in shrink:
            await self._resize(resize)
        if not shrink and status.is_complete(self.deployment, self.deployment.status):
            await self._clean_up()
        return await self._report()

    async def _recreate(self) -> float | None:
        down = [rolling.Resize(one, 0) for one in rolling.active(self.old)]
        for resize in down:
            await self._resize(resize)
        if down or self._old_pods_run():
            return await self._report()
        await self._resize(rolling.Resize(await self._ensure_new(), rolling.desired(self.deployment)))
        if status.is_complete(self.deployment, self.deployment.status):
            await self._clean_up()
        return await self._report()

    def _old_pods_run(self) -> bool:
        if any(one.status.replicas for one in self.old):
            return True
        owned = (p for one in self.old for p in self._pods.cache.index(owners.INDEX, one.metadata.uid))
        return not all(map(pods.is_terminal, owned))

    async def _sync_revision(self) -> None:
        """Keep the new set's annotations and revision, and the deployment's, up to date."""
        if self.new is None:
            return
        copy = codecs.copy(self.new)
        changed = templates.annotate(copy, self.deployment, templates.max_revision(self.old) + 1)
        if changed or copy.spec.minReadySeconds != self.deployment.spec.minReadySeconds:
            copy.spec.minReadySeconds = self.deployment.spec.minReadySeconds
            self.new = await self._client.update(copy)
        dirty = self._set_revision(self.new)
        progressing = conditions.find(self.deployment.status.conditions, status.PROGRESSING)
        if status.has_deadline(self.deployment) and progressing is None:
            self._progress("True", "FoundNewReplicaSet", f'Found new replica set "{self.new.metadata.name}"')
            dirty = True
        if dirty:
            await self._write_status()

    async def _ensure_new(self) -> apps_v1.ReplicaSet:
        if self.new is not None:
            return self.new
        fresh = self._build_new()
        replicas = fresh.spec.replicas or 0
        try:
            self.new = await self._client.create(fresh)
        except errors.StatusError as error:
            self.new = await self._not_created(fresh, error)
        else:
            name = self.new.metadata.name
            if replicas:
                message = f"Scaled up replica set {name} from 0 to {replicas}"
                self._recorder.event(self.deployment, "Normal", "ScalingReplicaSet", message)
            if status.has_deadline(self.deployment):
                self._progress("True", "NewReplicaSetCreated", f'Created new replica set "{name}"')
        self._set_revision(self.new)
        await self._write_status()
        return self.new

    def _build_new(self) -> apps_v1.ReplicaSet:
        deployment = self.deployment
        template = codecs.copy(deployment.spec.template)
        template_hash = templates.hash_of(template, deployment.status.collisionCount)
        template.metadata.labels[templates.HASH_LABEL] = template_hash
        selector = codecs.copy(deployment.spec.selector or meta_v1.LabelSelector())
        selector.matchLabels[templates.HASH_LABEL] = template_hash
        fresh = apps_v1.ReplicaSet(
            metadata=meta_v1.ObjectMeta(
                name=templates.set_name(deployment.metadata.name, template_hash),
                namespace=deployment.metadata.namespace,
                labels=dict(template.metadata.labels),
                ownerReferences=[owners.reference_to(deployment)],
            ),
            spec=apps_v1.ReplicaSetSpec(
                replicas=0,
                minReadySeconds=deployment.spec.minReadySeconds,
                selector=selector,
                template=template,
            ),
        )
        fresh.spec.replicas = rolling.new_size(deployment, [*self.old, fresh], fresh)
        templates.annotate(fresh, deployment, templates.max_revision(self.old) + 1)
        wanted = rolling.desired(deployment)
        templates.annotate_sizes(fresh, wanted, wanted + rolling.max_surge(deployment))
        return fresh

    async def _not_created(self, fresh: apps_v1.ReplicaSet, error: errors.StatusError) -> apps_v1.ReplicaSet:
        """The set that is there already, if it is ours; else raises the error, reported where it should be."""
        deployment = self.deployment
        if error.reason == "AlreadyExists":
            there = await self._client.get(apps_v1.ReplicaSet, fresh.metadata.name, fresh.metadata.namespace)
            if owners.is_controlled_by(there, deployment) and templates.same(
                there.spec.template, deployment.spec.template
            ):
                return there
            # Another template has the same hash: count that, which changes the hash of the next try.
            deployment.status.collisionCount = (deployment.status.collisionCount or 0) + 1
            await self._write_status()
        elif not pods.has_cause(error, pods.NAMESPACE_TERMINATING):
            message = f'Failed to create new replica set "{fresh.metadata.name}": {error}'
            if status.has_deadline(deployment):
                self._progress("False", "ReplicaSetCreateError", message)
                await self._write_status()
            self._recorder.event(deployment, "Warning", "ReplicaSetCreateError", message)
        raise error

    async def _resize(self, resize: rolling.Resize) -> None:
        deployment = self.deployment
        copy = codecs.copy(self._latest(resize.set))
        before = rolling.size(copy)
        wanted = rolling.desired(deployment)
        if before == resize.replicas and not resize.always:
            return
        noted = templates.annotate_sizes(copy, wanted, wanted + rolling.max_surge(deployment))
        if before == resize.replicas and not noted:
            return
        copy.spec.replicas = resize.replicas
        updated = await self._client.update(copy)
        self._replace(updated)
        if before != resize.replicas:
            way = "up" if before < resize.replicas else "down"
            name = updated.metadata.name
            message = f"Scaled {way} replica set {name} from {before} to {resize.replicas}"
            self._recorder.event(deployment, "Normal", "ScalingReplicaSet", message)

    def _latest(self, one: apps_v1.ReplicaSet) -> apps_v1.ReplicaSet:
        return next(known for known in self._all if known.metadata.uid == one.metadata.uid)

    def _replace(self, updated: apps_v1.ReplicaSet) -> None:
        uid = updated.metadata.uid
        if self.new is not None and self.new.metadata.uid == uid:
            self.new = updated
        self.old = [updated if one.metadata.uid == uid else one for one in self.old]

    async def _clean_up(self) -> None:
        """Remove all but the latest `revisionHistoryLimit` of the old sets that have no pods."""
        limit = self.deployment.spec.revisionHistoryLimit
        if limit is None or limit == KEEP_ALL:
            return
        alive = [one for one in self.old if one.metadata.deletionTimestamp is None]
        ordered = sorted(templates.by_age(alive), key=templates.revision_of)
        for one in ordered[: max(len(alive) - limit, 0)]:
            in_use = one.status.replicas or rolling.size(one)
            if in_use or one.metadata.generation > one.status.observedGeneration:
                continue
            try:
                await self._client.delete(apps_v1.ReplicaSet, one.metadata.name, one.metadata.namespace)
            except errors.StatusError as error:
                if error.reason != "NotFound":
                    raise

    def _set_revision(self, new: apps_v1.ReplicaSet) -> bool:
        revision = new.metadata.annotations.get(templates.REVISION, "")
        if self.deployment.metadata.annotations.get(templates.REVISION, "") == revision:
            return False
        self.deployment.metadata.annotations[templates.REVISION] = revision
        return True

    def _progress(self, state: str, reason: str, message: str) -> None:
        found = status.condition(status.PROGRESSING, state, reason, message, self._now)
        self.deployment.status.conditions = conditions.put(self.deployment.status.conditions, found)

    async def _write_status(self) -> None:
        self.deployment = codecs.copy(await self._client.update_status(self.deployment))

    async def _report(self, *, rollout: bool = True) -> float | None:
        decide = status.rollout if rollout else status.counted
        wanted = decide(self.deployment, self._all, self.new, self._now)
        if wanted != self.deployment.status:
            self.deployment.status = wanted
            await self._write_status()
            return None
        return status.next_look(self.deployment, wanted, self._now) if rollout else None
