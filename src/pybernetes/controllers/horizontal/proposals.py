"""What each metric of an autoscaler makes of its reading: so many replicas, or words about why not. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from pybernetes.api import quantity
from pybernetes.api.types import autoscaling_v2, meta_v1
from pybernetes.controllers.horizontal import replicas, sources

ValueStatus = autoscaling_v2.MetricValueStatus


@dataclass(frozen=True, slots=True)
class Proposal:
    """So many `replicas`, by the metric of that `name`; `status` is what is told of it."""

    replicas: int
    name: str
    status: autoscaling_v2.MetricStatus


class Failure(Exception):
    """No proposal: the `reason` and `why` of the event, and in `text` the same for those who see only that."""

    def __init__(self, reason: str, why: str, text: str) -> None:
        super().__init__(text)
        self.reason, self.why, self.text = reason, why, text


def propose(
    spec: autoscaling_v2.MetricSpec, reading: sources.Reading, scene: replicas.Scene, namespace: str
) -> Proposal:
    """Raises Failure."""
    if spec.resource is not None:
        return _resource(spec.resource, reading, scene)
    if spec.containerResource is not None:
        return _container_resource(spec.containerResource, reading, scene)
    if spec.pods is not None:
        return _pods(spec.pods, reading, scene)
    if spec.object is not None:
        return _object(spec.object, reading, scene, namespace)
    if spec.external is not None:
        return _external(spec.external, reading, scene, namespace)
    why = f'unknown metric source type "{spec.type}"'
    raise Failure("InvalidMetricSourceType", why, why)


def _resource(source: autoscaling_v2.ResourceMetricSource, reading: sources.Reading, scene: replicas.Scene) -> Proposal:
    try:
        count, name, current = _of_resource(source.name, "", source.target, reading, scene)
    except replicas.Incalculable as error:
        why = str(error)
        text = f"failed to get {source.name} resource metric value: {why}"
        raise Failure("FailedGetResourceMetric", why, text) from None
    status = autoscaling_v2.ResourceMetricStatus(name=source.name, current=current)
    return Proposal(count, name, autoscaling_v2.MetricStatus(type="Resource", resource=status))


def _container_resource(
    source: autoscaling_v2.ContainerResourceMetricSource, reading: sources.Reading, scene: replicas.Scene
) -> Proposal:
    try:
        count, name, current = _of_resource(source.name, source.container, source.target, reading, scene)
    except replicas.Incalculable as error:
        why = str(error)
        text = f"failed to get {source.container} container metric value: {why}"
        raise Failure("FailedGetContainerResourceMetric", why, text) from None
    status = autoscaling_v2.ContainerResourceMetricStatus(name=source.name, container=source.container, current=current)
    return Proposal(count, name, autoscaling_v2.MetricStatus(type="ContainerResource", containerResource=status))


def _of_resource(
    name: str, container: str, target: autoscaling_v2.MetricTarget, reading: sources.Reading, scene: replicas.Scene
) -> tuple[int, str, ValueStatus]:
    if target.averageValue is None and target.averageUtilization is None:
        raise replicas.Incalculable(
            "invalid resource metric source: neither an average utilization target nor an average value (usage)"
            " target was set"
        )
    what = "usage" if target.averageValue is not None else "utilization"
    try:
        if reading.error:
            raise replicas.Incalculable(f"unable to get metrics for resource {name}: {reading.error}")
        if target.averageValue is not None:
            count, average = replicas.by_average(scene, reading.samples, target.averageValue.milli(), name)
            return count, f"{name} resource", ValueStatus(averageValue=_amount(average, name))
        count, percent, average = replicas.by_utilization(
            scene, reading.samples, target.averageUtilization or 0, name, container
        )
    except replicas.Incalculable as error:
        raise replicas.Incalculable(f"failed to get {name} {what}: {error}") from None
    of_container = "container " if container else ""
    told = f"{name} {of_container}resource utilization (percentage of request)"
    return count, told, ValueStatus(averageUtilization=percent, averageValue=_amount(average, name))


def _pods(source: autoscaling_v2.PodsMetricSource, reading: sources.Reading, scene: replicas.Scene) -> Proposal:
    metric = source.metric
    try:
        if reading.error:
            raise replicas.Incalculable(f"unable to get metric {metric.name}: {reading.error}")
        target = source.target.averageValue
        count, average = replicas.by_average(scene, reading.samples, target.milli() if target is not None else 0)
    except replicas.Incalculable as error:
        why = str(error)
        raise Failure("FailedGetPodsMetric", why, f"failed to get pods metric value: {why}") from None
    status = autoscaling_v2.PodsMetricStatus(metric=metric, current=ValueStatus(averageValue=_amount(average)))
    return Proposal(count, f"pods metric {metric.name}", autoscaling_v2.MetricStatus(type="Pods", pods=status))


def _object(
    source: autoscaling_v2.ObjectMetricSource, reading: sources.Reading, scene: replicas.Scene, namespace: str
) -> Proposal:
    metric, about = source.metric, source.describedObject
    unread = ""
    if reading.error:
        unread = f"unable to get metric {metric.name}: {reading.error} on {about.kind} {namespace}/{about.name}"
    try:
        count, current = _of_amount("object", source.target, reading, scene, unread)
    except replicas.Incalculable as error:
        why = str(error)
        shared = _is_shared(source.target)
        inner = f"failed to get {metric.name} object metric: {why}" if shared else why
        raise Failure("FailedGetObjectMetric", why, f"failed to get object metric value: {inner}") from None
    status = autoscaling_v2.ObjectMetricStatus(describedObject=about, metric=metric, current=current)
    name = f"{about.kind} metric {metric.name}"
    if current.averageValue is not None:
        name = f"external metric {metric.name}({_shown(metric.selector)})"
    return Proposal(count, name, autoscaling_v2.MetricStatus(type="Object", object=status))


def _external(
    source: autoscaling_v2.ExternalMetricSource, reading: sources.Reading, scene: replicas.Scene, namespace: str
) -> Proposal:
    metric = source.metric
    unread = ""
    if reading.error:
        unread = f"unable to get external metric {namespace}/{metric.name}/{_shown(metric.selector)}: {reading.error}"
    try:
        count, current = _of_amount("external", source.target, reading, scene, unread)
    except replicas.Incalculable as error:
        why = str(error)
        inner = f"failed to get external metric {metric.name}: {why}"
        if _is_shared(source.target):
            inner = f"failed to get {metric.name} external metric: {why}"
        elif source.target.value is None:
            inner = why
        text = f"failed to get {metric.name} external metric value: {inner}"
        raise Failure("FailedGetExternalMetric", why, text) from None
    status = autoscaling_v2.ExternalMetricStatus(metric=metric, current=current)
    name = f"external metric {metric.name}({_shown(metric.selector)})"
    return Proposal(count, name, autoscaling_v2.MetricStatus(type="External", external=status))


def _is_shared(target: autoscaling_v2.MetricTarget) -> bool:
    """Whether the target is for each pod."""
    return target.averageValue is not None and not (target.type == "Value" and target.value is not None)


def _of_amount(
    api: str, target: autoscaling_v2.MetricTarget, reading: sources.Reading, scene: replicas.Scene, unread: str
) -> tuple[int, ValueStatus]:
    shared = _is_shared(target)
    if target.value is None and not shared:
        why = f"invalid {api} metric source: neither a value target nor an average value target was set"
        raise replicas.Incalculable(why)
    if unread:
        raise replicas.Incalculable(unread)
    amount = replicas.total(reading.amounts)
    if shared and target.averageValue is not None:
        count, each = replicas.by_value_per_pod(scene, amount, target.averageValue.milli())
        return count, ValueStatus(averageValue=_amount(each))
    count = replicas.by_value(scene, amount, target.value.milli() if target.value is not None else 0)
    return count, ValueStatus(value=_amount(amount))


def _amount(milli: int, resource: str = "") -> quantity.Quantity:
    form = quantity.BINARY_SI if resource == "memory" else quantity.DECIMAL_SI
    return quantity.Quantity.of(Fraction(milli, 1000), form)


def _shown(selector: meta_v1.LabelSelector | None) -> str:
    """As upstream prints one, in Go's words."""
    if selector is None:
        return "nil"
    labels = "".join(f"{key}: {value}," for key, value in sorted(selector.matchLabels.items()))
    expressions = "".join(
        f"LabelSelectorRequirement{{Key:{one.key},Operator:{one.operator},Values:[{' '.join(one.values)}],}},"
        for one in selector.matchExpressions
    )
    return (
        f"&LabelSelector{{MatchLabels:map[string]string{{{labels}}},"
        f"MatchExpressions:[]LabelSelectorRequirement{{{expressions}}},}}"
    )
