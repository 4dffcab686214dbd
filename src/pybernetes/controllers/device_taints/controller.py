"""Evicts pods by what `decide` says about their claims, and tells in DeviceTaintRules how far that has come."""

from __future__ import annotations

from collections.abc import Iterator

from pybernetes.api import codecs, errors, times, tolerations
from pybernetes.api.types import core_v1, resource_v1, resource_v1beta2
from pybernetes.client import discovery
from pybernetes.controllers import conditions, owners, pods
from pybernetes.controllers.context import Context
from pybernetes.controllers.device_taints import decide, progress
from pybernetes.controllers.resourceclaim import decide as claims
from pybernetes.informers import key_of, split_key

NAME = "device-taint-eviction-controller"
REASON = "DeletionByDeviceTaintManager"
MESSAGE = "Device Taint manager: deleting due to NoExecute taint"
# The index of ResourceSlices, and of claims by what they were given: `driver/pool`.
POOL = "pool"


def _pools(claim: resource_v1.ResourceClaim) -> set[str]:
    return {f"{one.driver}/{one.pool}" for one in decide.given(claim)}


class DeviceTaints:
    """The controller. Work items are pods, `namespace/name`, and rules, by name."""

    def __init__(self, context: Context) -> None:
        self._context, self._client = context, context.client
        self._recorder = context.recorder(NAME)
        self._queue = context.queue(NAME)
        # Pods that wait for their end.
        self._marked: set[str] = set()
        self._rules: dict[str, decide.Rule] = {}
        # How many pods have gone because of each rule, by its uid.
        self._evicted: dict[str, int] = {}
        self._pods = context.informers.of(core_v1.Pod)
        self._claims = context.informers.of(resource_v1.ResourceClaim)
        self._slices = context.informers.of(resource_v1.ResourceSlice)
        self._slices.add_index(POOL, lambda one: (f"{one.spec.driver}/{one.spec.pool.name}",))
        self._claims.add_index(POOL, _pools)
        self._pods.on_change(self._pod_changed)
        self._claims.on_change(self._claim_changed)
        self._slices.on_change(self._slice_changed)

    async def run(self) -> None:
        if await discovery.is_served(self._client, resource_v1beta2.DeviceTaintRule):
            self._context.informers.of(resource_v1beta2.DeviceTaintRule).on_change(self._rule_changed)
        after = (self._pods, self._claims, self._slices)
        await self._context.reconcile(NAME, self._queue, self.reconcile, after=after)

    def _pod_changed(self, old: core_v1.Pod | None, new: core_v1.Pod | None) -> None:
        pod = new or old
        if pod is not None and pod.spec.resourceClaims and pod.spec.nodeName:
            self._queue.add(key_of(pod), "Pod changed")

    def _claim_changed(self, old: resource_v1.ResourceClaim | None, new: resource_v1.ResourceClaim | None) -> None:
        for claim in (old, new):
            if claim is not None:
                self._look_at_users(claim, f"ResourceClaim {key_of(claim)} changed")

    def _slice_changed(self, old: resource_v1.ResourceSlice | None, new: resource_v1.ResourceSlice | None) -> None:
        if old is not None and new is not None and decide.taints_of([old]) == decide.taints_of([new]):
            return
        for one in (old, new):
            if one is not None:
                for claim in self._claims.cache.index(POOL, f"{one.spec.driver}/{one.spec.pool.name}"):
                    self._look_at_users(claim, f"ResourceSlice {one.metadata.name} changed")

    def _rule_changed(self, old: decide.Rule | None, new: decide.Rule | None) -> None:
        if old is not None and (new is None or new.metadata.uid != old.metadata.uid):
            self._evicted.pop(old.metadata.uid, None)
            self._rules.pop(old.metadata.name, None)
        if new is not None:
            self._rules[new.metadata.name] = new
            if old is not None and old.metadata.uid == new.metadata.uid and old.spec == new.spec:
                return
            # Ahead of the pods, so that it says what is to come.
            self._queue.add(new.metadata.name, "DeviceTaintRule changed")
        changed = decide.evicting(rule for rule in (old, new) if rule is not None)
        for claim in self._claims.cache if changed else ():
            if any(decide.concerns(rule, claim) for rule in changed):
                self._look_at_users(claim, f"DeviceTaintRule {changed[0].metadata.name} changed")

    def _look_at_users(self, claim: resource_v1.ResourceClaim, why: str) -> None:
        for consumer in filter(claims.is_pod, claim.status.reservedFor):
            self._queue.add(f"{claim.metadata.namespace}/{consumer.name}", why)

    async def reconcile(self, key: str) -> float | None:
        namespace, name = split_key(key)
        return await (self._pod(key, namespace, name) if namespace else self._tell(name))

    async def _pod(self, key: str, namespace: str, name: str) -> float | None:
        pod = self._pods.cache.get(name, namespace)
        if pod is None or _is_ending(pod):
            self._marked.discard(key)
            return None
        eviction = self._eviction(pod, decide.evicting(self._rules.values()))
        if eviction is None:
            if key in self._marked:
                self._marked.discard(key)
                self._recorder.event(pod, "Normal", "DeviceTaintManagerEviction", "Cancelling deletion")
            return None
        self._marked.add(key)
        because = [rule for rule in self._rules.values() if rule.metadata.uid in eviction.rules]
        for rule in because:
            # When more of its pods have been looked at.
            self._queue.add_after(rule.metadata.name, progress.PERIOD)
        left = eviction.at - self._context.clock.time()
        if left > 0:
            return left
        if await self._evict(pod):
            for rule in because:
                self._evicted[rule.metadata.uid] = self._evicted.get(rule.metadata.uid, 0) + 1
        return None

    def _eviction(self, pod: core_v1.Pod, rules: list[decide.Rule]) -> decide.Eviction | None:
        by_template = {entry.name for entry in pod.spec.resourceClaims if entry.resourceClaimTemplateName is not None}
        found: list[decide.Eviction] = []
        for entry, name in claims.names(pod).items() if pod.spec.nodeName else ():
            claim = self._claims.cache.get(name, pod.metadata.namespace)
            if claim is None or not claims.is_reserved(claim, pod):
                continue
            if entry in by_template and not owners.is_controlled_by(claim, pod):
                continue
            slices = [one for pool in _pools(claim) for one in self._slices.cache.index(POOL, pool)]
            eviction = decide.due(claim, decide.taints_of(slices), rules)
            if eviction is not None:
                found.append(eviction)
        return decide.joined(found)

    async def _tell(self, name: str) -> float | None:
        """Write the status of a rule, if there is anything new to be said."""
        rule = self._rules.get(name)
        if rule is None:
            return None
        now = self._context.clock.time()
        left = progress.wait(rule, now)
        if left > 0:
            return left
        condition = progress.condition(rule, self._count(rule), self._evicted.get(rule.metadata.uid, 0), now)
        if condition != progress.found(rule):
            copy = codecs.copy(rule)
            # Its time changes with its message, too, which `put` would not have.
            copy.status.conditions = [*conditions.without(copy.status.conditions, progress.TYPE), condition]
            await self._client.update_status(copy)
        return None

    def _count(self, rule: decide.Rule) -> progress.Seen:
        effect = rule.spec.taint.effect
        if effect not in (tolerations.NO_EXECUTE, "None"):
            return progress.Seen()
        rules = decide.evicting(self._rules.values())
        published = allocated = 0
        if effect == "None":
            # What would be, if it had the effect and no other rule were there.
            rules = [codecs.copy(rule)]
            rules[0].spec.taint.effect = tolerations.NO_EXECUTE
            published = sum(
                decide.selects(rule, one.spec.driver, one.spec.pool.name, device.name)
                for one in decide.current(self._slices.cache)
                for device in one.spec.devices
            )
            allocated = sum(
                decide.selects(rule, one.driver, one.pool, one.device)
                for claim in self._claims.cache
                for one in decide.given(claim)
            )
        going = {key_of(pod): pod for pod in self._users(rule) if self._goes(pod, rule, rules)}
        namespaces = {pod.metadata.namespace for pod in going.values()}
        return progress.Seen(len(going), len(namespaces), published, allocated)

    def _users(self, rule: decide.Rule) -> Iterator[core_v1.Pod]:
        for claim in self._claims.cache:
            if decide.concerns(rule, claim):
                for consumer in filter(claims.is_pod, claim.status.reservedFor):
                    pod = self._pods.cache.get(consumer.name, claim.metadata.namespace)
                    if pod is not None and not _is_ending(pod):
                        yield pod

    def _goes(self, pod: core_v1.Pod, rule: decide.Rule, rules: list[decide.Rule]) -> bool:
        eviction = self._eviction(pod, rules)
        return eviction is not None and rule.metadata.uid in eviction.rules

    async def _evict(self, pod: core_v1.Pod) -> bool:
        """Whether it was done by us."""
        self._recorder.event(pod, "Normal", "DeviceTaintManagerEviction", "Marking for deletion")
        target = core_v1.PodCondition(
            type="DisruptionTarget",
            status="True",
            reason=REASON,
            message=MESSAGE,
            lastTransitionTime=times.to_time(self._context.clock.time()),
        )
        copy = codecs.copy(pod)
        copy.status.conditions = conditions.put(copy.status.conditions, target)
        try:
            await self._client.update_status(copy)
            await self._client.delete(core_v1.Pod, pod.metadata.name, pod.metadata.namespace, uid=pod.metadata.uid)
        except errors.StatusError as error:
            if error.reason != "NotFound":
                raise
            return False
        return True


def _is_ending(pod: core_v1.Pod) -> bool:
    return pod.metadata.deletionTimestamp is not None or pods.is_terminal(pod)
