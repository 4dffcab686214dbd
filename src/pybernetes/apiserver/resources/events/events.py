"""events.k8s.io/v1 Events: the objects of core/v1, under newer names. They are stored once, in the core form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pybernetes.api.types import core_v1, events_v1
from pybernetes.apiserver.resources import checks, kind
from pybernetes.apiserver.resources.core import events as core_events


def to_core(event: events_v1.Event) -> core_v1.Event:
    """The stored form. Parts that both forms have alike are shared, not copied."""
    series = event.series
    return core_v1.Event(
        metadata=event.metadata,
        action=event.action,
        count=event.deprecatedCount,
        eventTime=event.eventTime,
        firstTimestamp=event.deprecatedFirstTimestamp,
        involvedObject=event.regarding,
        lastTimestamp=event.deprecatedLastTimestamp,
        message=event.note,
        reason=event.reason,
        related=event.related,
        reportingComponent=event.reportingController,
        reportingInstance=event.reportingInstance,
        series=None
        if series is None
        else core_v1.EventSeries(count=series.count, lastObservedTime=series.lastObservedTime),
        source=event.deprecatedSource,
        type=event.type,
    )


def from_core(event: core_v1.Event) -> events_v1.Event:
    """The served form of a stored event."""
    series = event.series
    return events_v1.Event(
        metadata=event.metadata,
        action=event.action,
        deprecatedCount=event.count,
        deprecatedFirstTimestamp=event.firstTimestamp,
        deprecatedLastTimestamp=event.lastTimestamp,
        deprecatedSource=event.source,
        eventTime=event.eventTime,
        note=event.message,
        reason=event.reason,
        regarding=event.involvedObject,
        related=event.related,
        reportingController=event.reportingComponent,
        reportingInstance=event.reportingInstance,
        series=None
        if series is None
        else events_v1.EventSeries(count=series.count, lastObservedTime=series.lastObservedTime),
        type=event.type,
    )


def validate(event: events_v1.Event) -> checks.Errors:
    problems = core_events.validate(to_core(event))
    return [problem._replace(field=_FIELDS.get(problem.field, problem.field)) for problem in problems]


_FIELDS = {
    "involvedObject.namespace": "regarding.namespace",
    "reportingComponent": "reportingController",
    "message": "note",
}


def row(event: events_v1.Event, now: float) -> Sequence[kind.Cell]:
    return core_events.row(to_core(event), now)


_LABELS = {
    "regarding.kind": "involvedObject.kind",
    "regarding.namespace": "involvedObject.namespace",
    "regarding.name": "involvedObject.name",
    "regarding.uid": "involvedObject.uid",
    "regarding.apiVersion": "involvedObject.apiVersion",
    "regarding.resourceVersion": "involvedObject.resourceVersion",
    "regarding.fieldPath": "involvedObject.fieldPath",
    "reason": "reason",
    "reportingController": "reportingComponent",
    "type": "type",
}


def selectable(event: events_v1.Event) -> Mapping[str, str]:
    values = core_events.selectable(to_core(event))
    return {label: values[core_label] for label, core_label in _LABELS.items()}


KIND: kind.Kind[events_v1.Event] = kind.Kind(
    resource=kind.resource("events.k8s.io", "v1", "events"),
    validate=validate,
    create_on_update=True,
    columns=core_events.COLUMNS,
    row=row,
    field_labels=tuple(_LABELS),
    selectable=selectable,
    stored_as=kind.StoredAs(base=core_events.KIND, to_stored=to_core, from_stored=from_core, labels=_LABELS),
)
