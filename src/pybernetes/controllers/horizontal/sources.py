"""What the metrics APIs say: those of resources, of objects ("custom") and of what lies outside the cluster.

The API server passes these requests on to whoever serves them; each answer is checked, for anybody may.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import msgspec

from pybernetes.api import errors, selectors, times
from pybernetes.api.quantity import Quantity
from pybernetes.api.types import autoscaling_v2, meta_v1
from pybernetes.client import Client
from pybernetes.controllers import discovery
from pybernetes.controllers.horizontal import replicas, targets
from pybernetes.kits.clock import Clock

RESOURCES, CUSTOM, EXTERNAL = "metrics.k8s.io", "custom.metrics.k8s.io", "external.metrics.k8s.io"
CUSTOM_VERSIONS = ("v1beta2", "v1beta1")
# The window of metrics that do not name theirs, in seconds.
DEFAULT_WINDOW = 60.0
# How long to believe that the custom metrics API has a version, in seconds.
KEPT = 15.0


@dataclass(frozen=True, slots=True)
class Reading:
    """What an API said of one metric: `samples` by pod, or `amounts` (one of an object, any number of an external
    metric), in thousandths; or the `error` that kept it from saying anything."""

    samples: Mapping[str, replicas.Sample] = field(default_factory=dict)
    amounts: tuple[int, ...] = ()
    error: str = ""


class Unreadable(Exception):
    """An API did not say anything of use; the text says why."""


class _Meta(msgspec.Struct):
    name: str = ""


class _Container(msgspec.Struct):
    name: str
    usage: dict[str, str] = {}


class _PodMetrics(msgspec.Struct):
    metadata: _Meta
    timestamp: str | None = None
    window: str = "0s"
    containers: list[_Container] | None = None


class _Value(msgspec.Struct):
    """A value of the custom or the external API; their versions name the window differently."""

    value: str | int
    describedObject: _Meta = msgspec.field(default_factory=_Meta)
    timestamp: str | None = None
    windowSeconds: int | None = None
    window: int | None = None


class _PodMetricsList(msgspec.Struct):
    items: list[_PodMetrics] | None = None


class _Values(msgspec.Struct):
    items: list[_Value] | None = None


class Sources:
    """Asks the metrics APIs."""

    def __init__(self, client: Client, kinds: targets.Kinds, clock: Clock) -> None:
        self._client, self._kinds, self._clock = client, kinds, clock
        self._custom_version, self._asked = "", 0.0

    async def read(self, spec: autoscaling_v2.MetricSpec, namespace: str, selector: str) -> Reading:
        """What is known of one metric, for the pods of a namespace that the selector means. Raises nothing."""
        try:
            return await self._read(spec, namespace, selector)
        except (Unreadable, selectors.SelectorError) as error:
            return Reading(error=str(error))

    async def _read(self, spec: autoscaling_v2.MetricSpec, namespace: str, selector: str) -> Reading:
        if spec.resource is not None:
            return Reading(await self._pod_resources(spec.resource.name, namespace, selector, ""))
        if spec.containerResource is not None:
            source = spec.containerResource
            return Reading(await self._pod_resources(source.name, namespace, selector, source.container))
        if spec.pods is not None:
            return Reading(await self._pod_metric(spec.pods.metric, namespace, selector))
        if spec.object is not None:
            return Reading(amounts=(await self._object_metric(spec.object, namespace),))
        if spec.external is not None:
            return Reading(amounts=await self._external(spec.external.metric, namespace))
        return Reading()

    async def _pod_resources(
        self, resource: str, namespace: str, selector: str, container: str
    ) -> dict[str, replicas.Sample]:
        """Of whole pods, or of one container each; a pod of which a container is not known is left out."""
        path = f"/apis/{RESOURCES}/v1beta1/namespaces/{quote(namespace)}/pods"
        wanted = f"get pods.{RESOURCES}"
        items = (await self._ask("resource", path, {"labelSelector": selector}, _PodMetricsList, wanted)).items
        found = {}
        for item in items or ():
            chosen = [one for one in item.containers or () if container in ("", one.name)]
            if not chosen or any(resource not in one.usage for one in chosen):
                continue
            amount = sum(_milli("resource", one.usage[resource]) for one in chosen)
            found[item.metadata.name] = replicas.Sample(amount, _at(item.timestamp), _window(item.window))
        if not items:
            raise Unreadable("no metrics returned from resource metrics API")
        return found

    async def _pod_metric(
        self, metric: autoscaling_v2.MetricIdentifier, namespace: str, selector: str
    ) -> dict[str, replicas.Sample]:
        query = {"labelSelector": selector, **_metric_selector("metricLabelSelector", metric.selector)}
        values = await self._custom(f"namespaces/{quote(namespace)}/pods/*/{quote(metric.name)}", query)
        if not values:
            raise Unreadable("no metrics returned from custom metrics API")
        found = {}
        for item in values:
            seconds = item.windowSeconds if item.windowSeconds is not None else item.window
            window = DEFAULT_WINDOW if seconds is None else float(seconds)
            sample = replicas.Sample(_milli("custom", item.value), _at(item.timestamp), window)
            found[item.describedObject.name] = sample
        return found

    async def _object_metric(self, source: autoscaling_v2.ObjectMetricSource, namespace: str) -> int:
        about, metric = source.describedObject, source.metric
        query = _metric_selector("metricLabelSelector", metric.selector)
        group = about.apiVersion.rpartition("/")[0]
        where = f"namespaces/{quote(namespace)}"
        if about.kind == "Namespace" and not group:
            # Its own namespace, whatever it names: an autoscaler does not see beyond that.
            path = f"{where}/metrics/{quote(metric.name)}"
        else:
            try:
                resource = await self._kinds.resource_of(group, about.kind)
            except (targets.Unknown, errors.StatusError, ConnectionError, TimeoutError) as error:
                kind = f"{about.kind}.{group}" if group else about.kind
                raise _unreadable("custom", f"unable to map kind {kind} to resource: {error}") from None
            path = f"{where}/{resource.group_resource}/{quote(about.name)}/{quote(metric.name)}"
        values = await self._custom(path, query)
        if len(values) != 1:
            why = f"the custom metrics API server returned {len(values)} results when we asked for exactly one"
            raise _unreadable("custom", why)
        return _milli("custom", values[0].value)

    async def _external(self, metric: autoscaling_v2.MetricIdentifier, namespace: str) -> tuple[int, ...]:
        path = f"/apis/{EXTERNAL}/v1beta1/namespaces/{quote(namespace)}/{quote(metric.name)}"
        query = _metric_selector("labelSelector", metric.selector)
        items = (await self._ask("external", path, query, _Values, f"get {metric.name}.{EXTERNAL}")).items
        if not items:
            raise Unreadable("no metrics returned from external metrics API")
        return tuple(_milli("external", item.value) for item in items)

    async def _custom(self, path: str, query: dict[str, str]) -> list[_Value]:
        version = await self._version()
        answer = await self._ask("custom", f"/apis/{CUSTOM}/{version}/{path}", query, _Values, f"get {CUSTOM}")
        return answer.items or []

    async def _version(self) -> str:
        """The version of the custom metrics API that the server has."""
        now = self._clock.monotonic()
        if self._custom_version and now - self._asked < KEPT:
            return self._custom_version
        try:
            versions = dict(await discovery.groups(self._client)).get(CUSTOM)
        except (errors.StatusError, ConnectionError, TimeoutError) as error:
            raise _unreadable("custom", error) from None
        if versions is None:
            raise _unreadable("custom", f"no custom metrics API ({CUSTOM}) registered")
        known = [version for version in versions if version in CUSTOM_VERSIONS]
        if not known:
            raise _unreadable("custom", "no known available metric versions found")
        self._custom_version, self._asked = known[0], now
        return known[0]

    async def _ask(self, api: str, path: str, query: dict[str, str], kind: Any, wanted: str) -> Any:
        try:
            return msgspec.convert(await self._client.raw(path, query=query), kind, strict=False)
        except errors.StatusError as error:
            why = str(error)
            if why == str(errors.path_not_found()):
                # As upstream's clients say it, who know what they asked for.
                why = f"{why} ({wanted})"
        except (ConnectionError, TimeoutError, msgspec.ValidationError) as error:
            why = str(error)
        raise _unreadable(api, why)


def _unreadable(api: str, why: object) -> Unreadable:
    return Unreadable(f"unable to fetch metrics from {api} metrics API: {why}")


def _metric_selector(name: str, selector: meta_v1.LabelSelector | None) -> dict[str, str]:
    """As a query; none at all means every series of the metric."""
    text = "" if selector is None else str(selectors.from_object(selector))
    return {name: text} if text else {}


def _milli(api: str, text: str | int) -> int:
    try:
        return Quantity.parse(text).milli()
    except ValueError as error:
        raise _unreadable(api, error) from None


def _at(text: str | None) -> float:
    try:
        return times.parse(text) if text else 0.0
    except ValueError:
        return 0.0


def _window(text: str) -> float:
    """Of `30s`, `1m0s`, `1h30m`: as metrics servers write how long they averaged over."""
    total, digits = 0.0, ""
    units = {"h": 3600.0, "m": 60.0, "s": 1.0}
    for letter in text.replace("ms", "i"):
        if letter in units and digits:
            total, digits = total + float(digits) * units[letter], ""
        elif letter == "i" and digits:
            total, digits = total + float(digits) / 1000, ""
        elif letter.isdigit() or (letter == "." and "." not in digits):
            digits += letter
        else:
            return 0.0
    return total
