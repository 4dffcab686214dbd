"""Carries out what `planner` says about each DaemonSet."""

from __future__ import annotations

from pybernetes.api import codecs, selectors
from pybernetes.api.types import apps_v1, core_v1, meta_v1
from pybernetes.controllers import history, owned, owners, pods
from pybernetes.controllers.context import Context
from pybernetes.controllers.daemon import fit, planner
from pybernetes.informers import key_of, split_key
from pybernetes.kits import backoff as backoffs

NAME = "daemonset-controller"
BURST = 250
REVISIONS_KEPT = 10
LONGEST_WAIT = 900.0


class DaemonSets:
    """The controller."""

    def __init__(self, context: Context) -> None:
        self._context, self._client = context, context.client
        self._recorder = context.recorder(NAME)
        self._queue = context.queue(NAME)
        # A daemon pod that keeps failing on a node is replaced ever more slowly.
        self._failing: dict[tuple[str, str], tuple[backoffs.Backoff, float]] = {}
        self._owned = owned.OwnedPods(
            context,
            apps_v1.DaemonSet,
            queue=self._queue,
            recorder=self._recorder,
            selector=lambda daemon_set: selectors.from_object(daemon_set.spec.selector),
        )
        self._expected, self._sets, self._pods = self._owned.expected, self._owned.owners, self._owned.pods
        self._nodes = context.informers.of(core_v1.Node)
        self._revisions = context.informers.of(apps_v1.ControllerRevision)
        self._history = history.History(context.client, self._revisions)
        self._sets.on_change(self._set_changed)
        self._nodes.on_change(self._node_changed)

    async def run(self) -> None:
        after = (self._sets, self._pods, self._nodes, self._revisions)
        await self._context.reconcile(NAME, self._queue, self.reconcile, after=after, workers=2)

    def _set_changed(self, old: apps_v1.DaemonSet | None, new: apps_v1.DaemonSet | None) -> None:
        key = key_of(new or old)
        if old is not None and (new is None or old.metadata.uid != new.metadata.uid):
            self._expected.forget(key)
            self._failing = {place: when for place, when in self._failing.items() if place[0] != old.metadata.uid}
        self._queue.add(key, "DaemonSet changed")

    def _node_changed(self, old: core_v1.Node | None, new: core_v1.Node | None) -> None:
        for daemon_set in self._sets.cache:
            before = fit.fits(daemon_set, old) if old is not None else None
            if before != (fit.fits(daemon_set, new) if new is not None else None):
                self._queue.add(key_of(daemon_set), f"Node {key_of(new or old)} changed")

    async def reconcile(self, key: str) -> float | None:
        namespace, name = split_key(key)
        found = self._sets.cache.get(name, namespace)
        if found is None:
            self._expected.forget(key)
            return None
        if found.metadata.deletionTimestamp is not None:
            return None
        if found.spec.selector is not None and found.spec.selector == meta_v1.LabelSelector():
            message = "This daemon set is selecting all pods. A non-empty selector is required."
            self._recorder.event(found, "Warning", "SelectingAll", message)
            return None
        selector = selectors.from_object(found.spec.selector)
        known = await self._history.of(found, selector)
        current, collisions = await self._history.current(
            found, found.spec.template, known, found.status.collisionCount
        )
        digest = current.metadata.labels[history.HASH_LABEL]
        kept = await owners.claim(self._client, found, selector, self._owned.candidates(found))
        where = planner.by_node(kept)
        nodes = self._nodes.cache.list()
        now = self._context.clock.time()
        if self._expected.satisfied(key):
            rolling = found.spec.updateStrategy.type == "RollingUpdate"
            surging = rolling and planner.limits(found, len(nodes))[0] > 0
            await self._carry_out(key, found, planner.manage(found, nodes, where, surge=surging), digest)
            if rolling and self._expected.satisfied(key):
                await self._carry_out(key, found, planner.roll(found, nodes, where, digest, now), digest)
            used = {pod.metadata.labels.get(history.HASH_LABEL, "") for pod in kept} | {digest}
            limit = found.spec.revisionHistoryLimit
            await self._history.prune(known, used, REVISIONS_KEPT if limit is None else limit)
        return await self._report(found, nodes, where, digest, collisions)

    async def _carry_out(self, key: str, daemon_set: apps_v1.DaemonSet, plan: planner.Plan, digest: str) -> None:
        for pod in plan.failed:
            wait = self._wait(daemon_set, pod)
            if wait > 0:
                plan.delete.remove(pod)
                self._queue.add_after(key, wait)
                continue
            what, verb = (
                ("FailedDaemonPod", "kill") if pod.status.phase == "Failed" else ("SucceededDaemonPod", "delete")
            )
            state = pod.status.phase.lower()
            message = f"Found {state} daemon pod {key_of(pod)} on node {fit.node_of(pod)}, will try to {verb} it"
            kind = "Warning" if pod.status.phase == "Failed" else "Normal"
            self._recorder.event(daemon_set, kind, what, message)
        create, delete = plan.create[:BURST], plan.delete[:BURST]
        targets = iter(create)

        def make() -> core_v1.Pod:
            pod = pods.from_template(daemon_set.spec.template, daemon_set)
            pod.metadata.labels[history.HASH_LABEL] = digest
            fit.pin(pod, next(targets))
            return pod

        _, not_made = await self._owned.create(daemon_set, len(create), make)
        not_gone = await self._owned.delete(daemon_set, delete)
        failure = not_made or not_gone
        if failure is not None:
            raise failure

    def _wait(self, daemon_set: apps_v1.DaemonSet, pod: core_v1.Pod) -> float:
        """Seconds that the replacement of a failed pod must wait; from 1 s, doubling up to 15 minutes."""
        place = daemon_set.metadata.uid, fit.node_of(pod)
        now = self._context.clock.monotonic()
        backoff, until = self._failing.get(place, (None, 0.0))
        if now < until:
            return until - now
        if backoff is None or now - until > 2 * LONGEST_WAIT:
            backoff = backoffs.Backoff(first=1.0, cap=LONGEST_WAIT)
        self._failing[place] = backoff, now + backoff.next()
        return 0.0

    async def _report(
        self,
        daemon_set: apps_v1.DaemonSet,
        nodes: list[core_v1.Node],
        where: planner.ByNode,
        digest: str,
        collisions: int | None,
    ) -> float | None:
        now = self._context.clock.time()
        status = planner.status(daemon_set, nodes, where, digest, now)
        status.collisionCount = collisions
        if status != daemon_set.status:
            copy = codecs.copy(daemon_set)
            copy.status = status
            await self._client.update_status(copy)
        if daemon_set.spec.minReadySeconds and status.numberReady != status.numberAvailable:
            return float(daemon_set.spec.minReadySeconds)
        return None
