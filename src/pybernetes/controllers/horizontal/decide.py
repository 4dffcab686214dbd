"""An autoscaler's next size and status: pure, its scale and the readings of its metrics in, status and events out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pybernetes.api import codecs, selectors, times
from pybernetes.api.types import autoscaling_v1, autoscaling_v2
from pybernetes.controllers import conditions
from pybernetes.controllers.horizontal import behavior, proposals, replicas, sources

ABLE, ACTIVE, LIMITED = "AbleToScale", "ScalingActive", "ScalingLimited"
Autoscaler = autoscaling_v2.HorizontalPodAutoscaler


@dataclass(slots=True)
class Draft:
    """An autoscaler's status as it is being made, and the (type, reason, message) of events. `now`: epoch seconds."""

    status: autoscaling_v2.HorizontalPodAutoscalerStatus
    now: float
    events: list[tuple[str, str, str]] = field(default_factory=list)

    def condition(self, kind: str, state: str, reason: str, message: str) -> None:
        known = conditions.find(self.status.conditions, kind)
        stamp = times.to_time(self.now)
        if known is None:
            known = autoscaling_v2.HorizontalPodAutoscalerCondition(type=kind)
            self.status.conditions.append(known)
        if known.status != state:
            known.lastTransitionTime = stamp
        known.status, known.reason, known.message = state, reason, message

    def warn(self, reason: str, message: str) -> None:
        self.events.append(("Warning", reason, message))

    def sizes(self, current: int, desired: int, metrics: list[autoscaling_v2.MetricStatus]) -> None:
        self.status.currentReplicas, self.status.desiredReplicas = current, desired
        self.status.currentMetrics = metrics
        self.status.observedGeneration = None


@dataclass(frozen=True, slots=True)
class Wish:
    """To have so many replicas, and why."""

    replicas: int
    reason: str = ""
    metrics: tuple[autoscaling_v2.MetricStatus, ...] = ()


class Unusable(Exception):
    """Metrics cannot be gone by; the text says why."""

    def __init__(self, why: str, metrics: tuple[autoscaling_v2.MetricStatus, ...] = ()) -> None:
        super().__init__(why)
        self.metrics = metrics


def draft_of(autoscaler: Autoscaler, now: float) -> Draft:
    return Draft(codecs.copy(autoscaler.status), now)


def tolerance_of(spec: autoscaling_v2.HorizontalPodAutoscalerSpec, default: float) -> replicas.Tolerance:
    def of(rules: autoscaling_v2.HPAScalingRules | None) -> float:
        return float(rules.tolerance.value()) if rules is not None and rules.tolerance is not None else default

    if spec.behavior is None:
        return replicas.Tolerance(default, default)
    return replicas.Tolerance(of(spec.behavior.scaleDown), of(spec.behavior.scaleUp))


def no_scale(draft: Draft, why: str) -> None:
    draft.warn("FailedGetScale", why)
    message = f"the HPA controller was unable to get the target's current scale: {why}"
    draft.condition(ABLE, "False", "FailedGetScale", message)


def by_limits(draft: Draft, autoscaler: Autoscaler, scale: autoscaling_v1.Scale) -> Wish | None:
    """What is to be done whatever metrics say; None: ask them."""
    draft.condition(ABLE, "True", "SucceededGetScale", "the HPA controller was able to get the target's current scale")
    current, spec = scale.spec.replicas, autoscaler.spec
    low = 1 if spec.minReplicas is None else spec.minReplicas
    if current == 0:
        why = "scaling is disabled since the replica count of the target is zero"
        draft.condition(ACTIVE, "False", "ScalingDisabled", why)
        return Wish(0)
    if current > spec.maxReplicas:
        return Wish(spec.maxReplicas, "Current number of replicas above Spec.MaxReplicas")
    if current < low:
        return Wish(low, "Current number of replicas below Spec.MinReplicas")
    return None


def selector_of(draft: Draft, scale: autoscaling_v1.Scale) -> selectors.LabelSelector:
    """Which pods the scale is about. Raises Unusable, and tells of it."""
    text = scale.status.selector
    if not text:
        why = "selector is required"
        draft.warn("SelectorRequired", why)
        draft.condition(ACTIVE, "False", "InvalidSelector", "the HPA target's scale is missing a selector")
        raise Unusable(why)
    try:
        return selectors.parse(text)
    except selectors.SelectorError as error:
        why = f"couldn't convert selector into a corresponding internal selector object: {error}"
        draft.warn("InvalidSelector", why)
        draft.condition(ACTIVE, "False", "InvalidSelector", why)
        raise Unusable(why) from None


def check_alone(
    draft: Draft,
    autoscaler: Autoscaler,
    scene: replicas.Scene,
    mine: selectors.LabelSelector,
    others: Mapping[str, selectors.LabelSelector],
) -> None:
    """`others`: of other autoscalers of the namespace, by name. Raises Unusable where one wants the same pods."""
    sharing = [
        name
        for name, selector in others.items()
        if not mine.excludes(selector) and any(selector.matches(pod.metadata.labels) for pod in scene.pods)
    ]
    if sharing:
        meta = autoscaler.metadata
        listed = " ".join(f"{{{name} {meta.namespace}}}" for name in sorted([*sharing, meta.name]))
        why = f"pods by selector {mine} are controlled by multiple HPAs: [{listed}]"
        draft.warn("AmbiguousSelector", why)
        draft.condition(ACTIVE, "False", "AmbiguousSelector", why)
        raise Unusable(why)


def by_metrics(draft: Draft, autoscaler: Autoscaler, scene: replicas.Scene, readings: list[sources.Reading]) -> Wish:
    """What the metric that asks for most asks for. Raises Unusable where none, or none but one for fewer, is known."""
    made: list[proposals.Proposal] = []
    failures: list[proposals.Failure] = []
    statuses: list[autoscaling_v2.MetricStatus] = []
    for spec, reading in zip(autoscaler.spec.metrics, readings, strict=True):
        try:
            proposal = proposals.propose(spec, reading, scene, autoscaler.metadata.namespace)
        except proposals.Failure as failure:
            draft.warn(failure.reason, failure.why)
            failures.append(failure)
            statuses.append(autoscaling_v2.MetricStatus())
        else:
            made.append(proposal)
            statuses.append(proposal.status)
    most = max(made, key=lambda proposal: proposal.replicas, default=None)
    if failures and (most is None or most.replicas < scene.replicas):
        first = failures[0]
        message = f"the HPA was unable to compute the replica count: {first.why}"
        draft.condition(ACTIVE, "False", first.reason, message)
        counts = f"{len(failures)} invalid out of {len(readings)}"
        raise Unusable(f"invalid metrics ({counts}), first error is: {first.text}", tuple(statuses))
    if most is None:
        raise Unusable("no metrics are named", tuple(statuses))
    message = f"the HPA was able to successfully calculate a replica count from {most.name}"
    draft.condition(ACTIVE, "True", "ValidMetricFound", message)
    reason = ""
    if most.replicas > scene.replicas:
        reason = f"{most.name} above target"
    elif most.replicas < scene.replicas:
        reason = "All metrics below target"
    return Wish(most.replicas, reason, tuple(statuses))


def within(
    draft: Draft,
    autoscaler: Autoscaler,
    history: behavior.History,
    current: int,
    wish: Wish,
    *,
    downscale_window: float,
    now: float,
) -> Wish:
    """As much of the wish as may be had now (monotonic seconds)."""
    moved = behavior.move(autoscaler.spec, history, current, wish.replicas, downscale_window=downscale_window, now=now)
    draft.condition(ABLE, *moved.able)
    draft.condition(LIMITED, *moved.limited)
    return Wish(moved.replicas, wish.reason, wish.metrics)


def rescaled(draft: Draft, current: int, wish: Wish) -> None:
    """The target has been told."""
    message = f"the HPA controller was able to update the target scale to {wish.replicas}"
    draft.condition(ABLE, "True", "SucceededRescale", message)
    draft.events.append(("Normal", "SuccessfulRescale", f"New size: {wish.replicas}; reason: {wish.reason}"))
    draft.sizes(current, wish.replicas, list(wish.metrics))
    draft.status.lastScaleTime = times.to_time(draft.now)


def not_rescaled(draft: Draft, current: int, wish: Wish, why: str) -> None:
    """The target could not be told."""
    draft.warn("FailedRescale", f"New size: {wish.replicas}; reason: {wish.reason}; error: {why}")
    message = f"the HPA controller was unable to update the target scale: {why}"
    draft.condition(ABLE, "False", "FailedUpdateScale", message)
    draft.sizes(current, draft.status.desiredReplicas, list(wish.metrics))
