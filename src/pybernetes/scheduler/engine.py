"""Takes pods from the queue, lets `cycle` choose a node for each, and has the outcome written.

A placed pod is assumed to take its room at once; the binding is written in the background, many at a time. Should it
fail, the room is given back and the pod tried again.
"""

from __future__ import annotations

import asyncio
import collections
import logging
from collections.abc import Iterator, Mapping, Sequence

from pybernetes.api.types import core_v1, policy_v1
from pybernetes.informers import Recorder, key_of
from pybernetes.kits import causes, prometheus
from pybernetes.kits.chance import Chance
from pybernetes.kits.clock import Clock
from pybernetes.kits.tasks import Tasks
from pybernetes.scheduler import (
    binding,
    changes,
    cycle,
    desk,
    extenders,
    failure,
    metrics,
    preemption,
    profiles,
    queue,
    shape,
    waiting,
    watching,
    writes,
)
from pybernetes.scheduler.plugins import plugin, table

log = logging.getLogger(__name__)

# Pods taken from the queue at once.
BATCH = 256
# Shapes whose decisions are kept.
SHAPES = 256
# The event loop gets its turn after so many seconds of choosing.
SLICE_SECONDS = 0.001


class Engine:
    """Schedules the pods whose `schedulerName` is one of the profiles."""

    def __init__(
        self,
        cluster: watching.Watching,
        written: writes.Writes,
        at_desk: desk.Desk,
        *,
        profiles: Mapping[str, profiles.Profile],
        recorders: Mapping[str, Recorder],
        clock: Clock,
        chance: Chance,
        counted: metrics.Metrics,
        outside: Sequence[extenders.Extender] = (),
        first_backoff: float = queue.FIRST_BACKOFF,
        last_backoff: float = queue.LAST_BACKOFF,
    ) -> None:
        self._cluster, self._writes, self._profiles, self._recorders = cluster, written, profiles, recorders
        self._desk, self._clock, self._chance = at_desk, clock, chance
        self._plugins = {used.plugin.name: used.plugin for one in profiles.values() for used in one.plugins}
        # All profiles sort alike.
        order = next(iter(profiles.values())).queue_sort.order
        self.queue = queue.SchedulingQueue(
            clock,
            self._helps,
            concerns=self._concerns,
            gate=self._gate,
            order=order,
            first=first_backoff,
            last=last_backoff,
        )
        self.metrics = counted
        self._extenders = outside
        self._tasks = Tasks()
        self._binder = binding.Binder(cluster, written, at_desk, outside, clock=clock, counted=counted)
        self._cycles: dict[tuple[str, bytes], cycle.Cycle] = {}
        self._turn = 0.0

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            while True:
                await self._schedule(await self.queue.pop(BATCH))
        finally:
            self.queue.close()
            await self._tasks.close()
            for extender in self._extenders:
                await extender.close()

    async def close(self) -> None:
        await self._tasks.close()

    def families(self) -> Iterator[prometheus.Family]:
        """For /metrics."""
        yield from self.metrics.families(self.queue.counts())
        yield from self.queue.families()

    def _helps(self, plugin: str, pending: queue.Pending, event: changes.Event) -> bool:
        if event.new is None and event.old is not None and event.old.metadata.uid == pending.pod.metadata.uid:
            # Its own room, that it had to give back.
            return False
        known = self._plugins.get(plugin)
        return known is None or (bool(known.helped_by & event.change) and known.helps(pending.pod, event))

    def _concerns(self, plugin: str, change: changes.Change) -> bool:
        known = self._plugins.get(plugin)
        return known is None or bool(known.helped_by & change)

    def _gate(self, pod: core_v1.Pod) -> str | None:
        for one in self._profiles[self._cluster.profile_of(pod)].pre_enqueue:
            try:
                one.before_queuing(pod)
            except plugin.Rejected as rejected:
                log.debug("%s is held back by %s: %s", key_of(pod), one.name, rejected.reason)
                return one.name
            except Exception:
                log.exception("running PreEnqueue plugin %s for %s failed", one.name, key_of(pod))
                return one.name
        return None

    # Choosing

    async def _schedule(self, batch: list[queue.Pending]) -> None:
        self._turn = self._clock.monotonic()
        for at, pending in enumerate(batch):
            try:
                await self._attend(pending)
            except (extenders.ExtenderError, plugin.Failed) as error:
                self._fail(pending, frozenset(), str(error), "SchedulerError", error=True)
            except Exception as error:
                log.exception("scheduling %s failed", key_of(pending.pod))
                self._fail(pending, frozenset(), str(error), "SchedulerError", error=True)
            if at % 32 == 31:
                await self._breathe()
            else:
                await self._breathe_if_due()
        await self._binder.caught_up()

    async def _breathe_if_due(self) -> None:
        if self._clock.monotonic() - self._turn > SLICE_SECONDS:
            await self._breathe()

    async def _breathe(self) -> None:
        await asyncio.sleep(0)
        self._turn = self._clock.monotonic()

    async def _attend(self, pending: queue.Pending) -> None:
        """Places the pod, or says why it cannot be placed."""
        cluster = self._cluster
        pending.began = self._clock.monotonic()
        pod = cluster.current(pending.pod)
        if pod is None or not cluster.is_ours(pod):
            self.queue.placed(pending)
            return
        pending.pod = pod
        if not len(cluster.nodes):
            self._fail(pending, frozenset(), failure.NO_NODES, "Unschedulable")
            return
        found = cluster.shape(pod)
        if found.extended and not found.single and cluster.world.backed_by_devices(found):
            found = shape.alone(found, pod)
        decision = self._decision(self._profiles[cluster.profile_of(pod)], found)
        promised = cluster.nominations.promised(cluster.nodes, pod.metadata.uid, found.priority)
        wish = cluster.nominations.node_of(pod)
        row = cluster.nodes.rows.get(wish, -1) if wish else -1
        outside: extenders.Filtered | None = None
        if self._extenders and any(extender.wants(pod) for extender in self._extenders):
            node, outside = await self._ask_outside(pod, decision, promised)
        else:
            node = decision.place(promised, row)
        self.metrics.decided(self._clock.monotonic() - pending.began)
        if node is None:
            await self._unfit(pending, decision, promised, outside)
            return
        self._begin_binding(pending, node, decision)

    def _begin_binding(self, pending: queue.Pending, node: str, decision: cycle.Cycle) -> None:
        cluster, pod = self._cluster, pending.pod
        profile = self._profiles[cluster.profile_of(pod)]
        cluster.assume(pod, node)
        kept: list[cycle.Reserved] = []
        try:
            kept = decision.reserve(node)
            held = self._binder.permit(profile, pod, node)
        except (waiting.Refused, plugin.Failed) as error:
            for one in reversed(kept):
                one.plugin.unreserve(one.plan, cluster.nodes)
            # Nobody has missed the room that was taken a moment ago: others need not be told that it is free.
            self._refused(pending, error, tell=False)
            return
        self._tasks.spawn(self._bind(pending, node, profile, kept, held), name=f"bind {key_of(pod)}")

    async def _ask_outside(
        self, pod: core_v1.Pod, decision: cycle.Cycle, promised: cycle.Promised | None
    ) -> tuple[str | None, extenders.Filtered]:
        """The best node for the plugins and the extenders together, and what the latter say. Raises ExtenderError."""
        nodes = self._cluster.nodes
        fits = decision.feasible(promised)
        fitting = {name: row for name, row in nodes.rows.items() if fits[row]}
        offered = {name: node for name, row in fitting.items() if (node := nodes.objects[row]) is not None}
        told = await extenders.agree(self._extenders, pod, offered)
        left = {name: offered[name] for name in told.nodes}
        if len(left) < 2:
            return next(iter(left), None), told
        totals = decision.totals(fits)
        scores = {name: int(totals[fitting[name]]) for name in left}
        for extender in self._extenders:
            if extender.wants(pod):
                try:
                    more = await extender.prioritize(pod, left)
                except extenders.ExtenderError as error:
                    log.info("extender %s does not score: %s", extender.name, error)
                    continue
                for name, score in more.items():
                    if name in scores:
                        scores[name] += score
        highest = max(scores.values())
        return self._chance.choice([name for name, score in scores.items() if score == highest]), told

    def _decision(self, profile: profiles.Profile, found: shape.Shape) -> cycle.Cycle:
        nodes = self._cluster.nodes
        key = profile.name, found.key
        known = self._cycles.get(key)
        if known is not None and known.version == nodes.version and not found.single:
            return known
        if known is not None or len(self._cycles) >= SHAPES:
            self._cycles.clear()
        nodes.trim()
        decision = self._cycles[key] = cycle.Cycle(found, nodes, profile.plugins, self._chance)
        return decision

    # Making room

    async def _unfit(
        self,
        pending: queue.Pending,
        decision: cycle.Cycle,
        promised: cycle.Promised | None,
        outside: extenders.Filtered | None,
    ) -> None:
        misfit = decision.misfit(promised)
        if outside is not None:
            misfit = self._with_outside(misfit, outside)
        room = await self._make_room(pending, decision, promised, misfit)
        message = failure.fit_error(misfit.nodes, misfit.reasons, room.words, misfit.message)
        self._fail(pending, misfit.plugins, message, "Unschedulable", nominated=room.nominated)

    async def _make_room(
        self,
        pending: queue.Pending,
        decision: cycle.Cycle,
        promised: cycle.Promised | None,
        misfit: cycle.Misfit,
    ) -> plugin.Room:
        """Ask the plugins, one after the other, to make that the pod fits later."""
        words: list[str] = []
        nominated: str | None = None
        for name in self._profiles[self._cluster.profile_of(pending.pod)].post_filter:
            if name == table.POST_FILTER:
                room = await self._preempt(pending, decision, promised, misfit)
            else:
                one, state = decision.state_of(name)
                try:
                    room = await one.after_filter(state, pending.pod, self._cluster.nodes, self._desk)
                except (*writes.FAILURES, plugin.Failed) as error:
                    return plugin.Room(str(error))
            if room.made:
                return plugin.Room("", room.nominated)
            if room.words:
                words.append(room.words)
            if room.nominated is not None:
                nominated = room.nominated
        return plugin.Room(", ".join(words), nominated)

    def _with_outside(self, misfit: cycle.Misfit, outside: extenders.Filtered) -> cycle.Misfit:
        if not outside.failed and not outside.hopeless:
            return misfit
        reasons = collections.Counter(misfit.reasons)
        reasons.update((*outside.failed.values(), *outside.hopeless.values()))
        rows = self._cluster.nodes.rows
        resolvable = {*misfit.resolvable, *(rows[name] for name in outside.failed if name in rows)}
        return misfit._replace(
            reasons=dict(reasons),
            plugins=misfit.plugins | {extenders.NAME},
            resolvable=tuple(sorted(resolvable)),
        )

    async def _preempt(
        self,
        pending: queue.Pending,
        decision: cycle.Cycle,
        promised: cycle.Promised | None,
        misfit: cycle.Misfit,
    ) -> plugin.Room:
        cluster, pod = self._cluster, pending.pod
        nominated = cluster.nominations.node_of(pod)
        ineligible = preemption.ineligible(pod, nominated, misfit, cluster.nodes, cluster.pod)
        if ineligible is not None:
            return plugin.Room(f"preemption: {ineligible}")
        self.metrics.preempting()
        now = self._clock.time()
        search = await preemption.Preemption(
            decision,
            cluster.nodes,
            pods=cluster.pod,
            priority=pod.spec.priority or 0,
            promised=promised,
            budgets=cluster.world.of(policy_v1.PodDisruptionBudget),
            now=now,
            args=self._profiles[cluster.profile_of(pod)].preemption,
        ).search(misfit.resolvable, self._chance, self._breathe_if_due)
        if not search.candidates:
            reason = failure.not_helpful(misfit.nodes, len(misfit.resolvable), search.reasons)
            return plugin.Room(f"preemption: {reason}", "")
        candidates = search.candidates
        for extender in self._extenders:
            if candidates and extender.preempts and extender.wants(pod):
                try:
                    candidates = await extender.victims(pod, candidates)
                except extenders.ExtenderError:
                    if not extender.ignorable:
                        raise
        if not candidates:
            return plugin.Room("preemption: no candidate node for preemption")
        best = preemption.pick(candidates, now)
        self._remove(pending, best)
        return plugin.Room("", best.node, made=True)

    def _remove(self, pending: queue.Pending, best: preemption.Candidate) -> None:
        victims = [victim for victim in best.victims if victim.metadata.deletionTimestamp is None]
        self.metrics.preempted(len(best.victims))
        lower = self._cluster.nominations.below(best.node, pending.pod.spec.priority or 0)
        for other in lower:
            self._cluster.nominations.remove(other.metadata.uid)
        if victims or lower:
            self.queue.hold(pending)
            self._tasks.spawn(self._evict(pending, best.node, victims, lower), name=f"room for {key_of(pending.pod)}")

    async def _evict(
        self, pending: queue.Pending, node: str, victims: list[core_v1.Pod], lower: list[core_v1.Pod]
    ) -> None:
        pod = pending.pod
        scheduler = self._cluster.profile_of(pod)
        causes.current.set(causes.Cause(scheduler, key_of(pod), "pod without a node"))
        failed = False

        async def one(victim: core_v1.Pod) -> None:
            message = f"Preempted by pod {pod.metadata.uid} on node {node}"
            if self._is_stopped(victim):
                message += " (in kube-scheduler memory)."
            elif not await self._writes.evict(victim, scheduler):
                return
            self._recorders[scheduler].event(victim, "Normal", "Preempted", message)

        try:
            await asyncio.gather(*(self._writes.unnominate(other) for other in lower))
            outcomes = await asyncio.gather(*(one(victim) for victim in victims), return_exceptions=True)
            for outcome in outcomes:
                if isinstance(outcome, BaseException):
                    failed = True
                    log.warning("removing a pod for %s failed: %s", key_of(pod), outcome)
        finally:
            self.queue.release(pending, retry=failed)

    def _is_stopped(self, victim: core_v1.Pod) -> bool:
        """Whether it was on its way to the node still, and is not bound to it now."""
        uid = victim.metadata.uid
        return self._cluster.waiting.reject(uid, preemption.NAME, "preempted") or self._cluster.preparing.stop(
            uid, f"preempted by {preemption.NAME}"
        )

    # Telling

    async def _bind(
        self,
        pending: queue.Pending,
        node: str,
        profile: profiles.Profile,
        kept: list[cycle.Reserved],
        held: waiting.Pod | None,
    ) -> None:
        pod = pending.pod
        causes.current.set(causes.Cause(profile.name, key_of(pod), "pod without a node"))
        try:
            await self._binder.bind(profile, pod, node, kept, held)
        except (waiting.Refused, binding.Unbound) as error:
            self._refused(pending, error)
            return
        except Exception as error:
            log.exception("binding %s failed", key_of(pod))
            self._refused(pending, error)
            return
        self.queue.placed(pending)
        now = self._clock.monotonic()
        self.metrics.attempted(metrics.SCHEDULED, profile.name, now - pending.began)
        self.metrics.scheduled(pending.attempts, now - pending.entered)
        self.queue.moves.flushed += pending.flushed
        message = f"Successfully assigned {key_of(pod)} to {node}"
        self._recorders[profile.name].event(pod, "Normal", "Scheduled", message)

    def _refused(self, pending: queue.Pending, error: Exception, *, tell: bool = True) -> None:
        """The pod had its node, and is not bound to it."""
        pod = pending.pod
        current = self._cluster.current(pod)
        if current is None or current.spec.nodeName:
            self._cluster.assumed.pop(pod.metadata.uid, None)
            self.queue.placed(pending)
            return
        self._cluster.forget_assumed(pod, tell=tell)
        if isinstance(error, waiting.Refused):
            self._fail(pending, frozenset((error.plugin,)), failure.refused(error.reason), "Unschedulable")
        elif isinstance(error, binding.Unbound) and error.rejected:
            self._fail(pending, frozenset(), str(error), "Unschedulable", error=True)
        else:
            self._fail(pending, frozenset(), str(error), "SchedulerError", error=True)

    def _fail(
        self,
        pending: queue.Pending,
        rejected_by: frozenset[str],
        message: str,
        reason: str,
        *,
        nominated: str | None = None,
        error: bool = False,
    ) -> None:
        pod = pending.pod
        profile = self._cluster.profile_of(pod)
        result = metrics.ERROR if reason == "SchedulerError" else metrics.UNSCHEDULABLE
        self.metrics.attempted(result, profile, self._clock.monotonic() - pending.began)
        self.queue.failed(pending, rejected_by, error=error)
        current = self._cluster.current(pod)
        if current is None or not message:
            return
        if nominated is not None:
            self._cluster.nominations.put(current, self._cluster.shape(current), nominated)
        recorder = self._recorders[profile]
        recorder.event(pod, "Warning", "FailedScheduling", failure.for_event(message))
        self._tasks.spawn(
            self._writes.unschedulable(current, reason, message, nominated), name=f"status of {key_of(pod)}"
        )
