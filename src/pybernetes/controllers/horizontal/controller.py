"""Looks at every autoscaler once in a period, reads its metrics, and sets its target's scale."""

from __future__ import annotations

import asyncio
import logging

from pybernetes.api import codecs, errors, selectors
from pybernetes.api.types import autoscaling_v1, autoscaling_v2, core_v1
from pybernetes.controllers.context import Context
from pybernetes.controllers.horizontal import behavior, decide, replicas, sources, targets
from pybernetes.informers import key_of, split_key

log = logging.getLogger(__name__)

NAME = "horizontal-pod-autoscaler-controller"
Autoscaler = autoscaling_v2.HorizontalPodAutoscaler


class Autoscalers:
    """The controller. Work items are autoscalers, each due a period after it was last looked at."""

    def __init__(self, context: Context) -> None:
        self._context, self._client, self._settings = context, context.client, context.settings
        self._recorder = context.recorder("horizontal-pod-autoscaler")
        self._queue = context.queue(NAME)
        self._period = self._settings.horizontal_pod_autoscaler_sync_period
        kinds = targets.Kinds(self._client, context.clock)
        self._targets = targets.Targets(self._client, kinds)
        self._sources = sources.Sources(self._client, kinds, context.clock)
        self._histories: dict[str, behavior.History] = {}
        # By namespace and name: which pods each autoscaler was last seen to be about.
        self._selectors: dict[str, dict[str, selectors.LabelSelector]] = {}
        self._autoscalers = context.informers.of(Autoscaler)
        self._pods = context.informers.of(core_v1.Pod)
        self._autoscalers.on_change(self._changed)

    async def run(self) -> None:
        after = (self._autoscalers, self._pods)
        workers = self._settings.concurrent_horizontal_pod_autoscaler_syncs
        await self._context.reconcile(NAME, self._queue, self.reconcile, after=after, workers=workers)

    def _changed(self, old: Autoscaler | None, new: Autoscaler | None) -> None:
        if new is not None:
            # A change does not make it sooner: who has set a metric gives it time to be measured.
            self._queue.add_after(key_of(new), self._period)
        elif old is not None:
            self._forget(key_of(old))

    def _forget(self, key: str) -> None:
        namespace, name = split_key(key)
        self._histories.pop(key, None)
        known = self._selectors.get(namespace, {})
        known.pop(name, None)
        if not known:
            self._selectors.pop(namespace, None)

    async def reconcile(self, key: str) -> float | None:
        namespace, name = split_key(key)
        autoscaler = self._autoscalers.cache.get(name, namespace)
        if autoscaler is None:
            self._forget(key)
            return None
        draft = decide.draft_of(autoscaler, self._context.clock.time())
        try:
            await self._sync(autoscaler, draft)
            await self._tell(autoscaler, draft)
        except (errors.StatusError, ConnectionError, TimeoutError) as error:
            # It is looked at again soon enough.
            log.info("%s: %s: %s", NAME, key, error)
        return self._period

    async def _sync(self, autoscaler: Autoscaler, draft: decide.Draft) -> None:
        try:
            reference, namespace = autoscaler.spec.scaleTargetRef, autoscaler.metadata.namespace
            path, scale = await self._targets.scale_of(reference, namespace)
        except (targets.Unknown, errors.StatusError) as error:
            decide.no_scale(draft, str(error))
            return
        current = scale.spec.replicas
        history = self._histories.setdefault(key_of(autoscaler), behavior.History())
        history.begin(current, self._context.clock.monotonic())
        wish = decide.by_limits(draft, autoscaler, scale)
        if wish is None:
            try:
                wish = await self._measure(autoscaler, draft, scale, history)
            except decide.Unusable as error:
                draft.sizes(current, draft.status.desiredReplicas, list(error.metrics))
                draft.warn("FailedComputeMetricsReplicas", str(error))
                return
        if wish.replicas == current:
            draft.sizes(current, current, list(wish.metrics))
            return
        try:
            await self._targets.set(path, scale, wish.replicas)
        except errors.StatusError as error:
            decide.not_rescaled(draft, current, wish, str(error))
            return
        decide.rescaled(draft, current, wish)
        history.changed(current, wish.replicas, self._context.clock.monotonic(), autoscaler.spec.behavior)

    async def _measure(
        self, autoscaler: Autoscaler, draft: decide.Draft, scale: autoscaling_v1.Scale, history: behavior.History
    ) -> decide.Wish:
        namespace, name = autoscaler.metadata.namespace, autoscaler.metadata.name
        selector = decide.selector_of(draft, scale)
        known = self._selectors.setdefault(namespace, {})
        known[name] = selector
        scene = self._scene(autoscaler, scale, selector)
        others = {other: taken for other, taken in known.items() if other != name}
        decide.check_alone(draft, autoscaler, scene, selector, others)
        text = str(selector)
        readings = await asyncio.gather(
            *(self._sources.read(spec, namespace, text) for spec in autoscaler.spec.metrics)
        )
        wish = decide.by_metrics(draft, autoscaler, scene, readings)
        return decide.within(
            draft,
            autoscaler,
            history,
            scale.spec.replicas,
            wish,
            downscale_window=self._settings.horizontal_pod_autoscaler_downscale_stabilization,
            now=self._context.clock.monotonic(),
        )

    def _scene(
        self, autoscaler: Autoscaler, scale: autoscaling_v1.Scale, selector: selectors.LabelSelector
    ) -> replicas.Scene:
        settings = self._settings
        everyone = self._pods.cache.list(autoscaler.metadata.namespace)
        return replicas.Scene(
            pods=[pod for pod in everyone if selector.matches(pod.metadata.labels)],
            replicas=scale.spec.replicas,
            there=scale.status.replicas,
            now=self._context.clock.time(),
            tolerance=decide.tolerance_of(autoscaler.spec, settings.horizontal_pod_autoscaler_tolerance),
            cpu_initialization=settings.horizontal_pod_autoscaler_cpu_initialization_period,
            initial_readiness=settings.horizontal_pod_autoscaler_initial_readiness_delay,
        )

    async def _tell(self, autoscaler: Autoscaler, draft: decide.Draft) -> None:
        for kind, reason, message in draft.events:
            self._recorder.event(autoscaler, kind, reason, message)
        if draft.status == autoscaler.status:
            return
        copy = codecs.copy(autoscaler)
        copy.status = draft.status
        try:
            await self._client.update_status(copy)
        except errors.StatusError as error:
            self._recorder.event(autoscaler, "Warning", "FailedUpdateStatus", str(error))
            raise
