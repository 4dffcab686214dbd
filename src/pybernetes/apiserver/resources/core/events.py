"""Events, as core/v1 writes them; `resources/events` serves the same objects under events.k8s.io."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pybernetes.api import fields, names
from pybernetes.api.types import core_v1
from pybernetes.apiserver.resources import cells, checks, kind


def validate(event: core_v1.Event) -> checks.Errors:
    """Old clients write events with few rules; those with an eventTime keep to the new API's."""
    problems: checks.Errors = []
    where, own = event.involvedObject.namespace, event.metadata.namespace
    if event.eventTime is None:
        mismatched = where != own and not (not where and own in ("", "default"))
    else:
        mismatched = not where and own not in ("default", "kube-system")
    if mismatched:
        path = fields.Path("involvedObject")["namespace"]
        problems.append(fields.invalid(path, where, "does not match event.namespace"))
    if event.eventTime is None:
        return problems
    path = fields.Path("reportingComponent")
    if not event.reportingComponent:
        problems.append(fields.required(path))
    problems += checks.named(event.reportingComponent, names.qualified_name, path)
    for name, limit in (("reportingInstance", 128), ("action", 128), ("reason", 128)):
        value = getattr(event, name)
        if not value:
            problems.append(fields.required(fields.Path(name)))
        if len(value.encode()) > limit:
            words = f"can have at most {limit} characters"
            problems.append(fields.invalid(fields.Path(name), "", words))
    if len(event.message.encode()) > 1024:
        problems.append(fields.invalid(fields.Path("message"), "", "can have at most 1024 characters"))
    return problems


def row(event: core_v1.Event, now: float) -> Sequence[kind.Cell]:
    first = cells.since(event.firstTimestamp or event.eventTime, now)
    last = cells.since(event.lastTimestamp, now) if event.lastTimestamp else first
    count = event.count or 1
    if event.series is not None:
        last, count = cells.since(event.series.lastObservedTime, now), event.series.count
    about = event.involvedObject
    component = event.source.component or event.reportingComponent
    host = event.source.host or event.reportingInstance
    return (
        last,
        event.type,
        event.reason,
        f"{about.kind.lower()}/{about.name}" if about.name else about.kind.lower(),
        about.fieldPath,
        f"{component}, {host}" if host else component,
        event.message.strip(),
        first,
        str(count),
        event.metadata.name,
    )


FIELD_LABELS = (
    "involvedObject.kind",
    "involvedObject.namespace",
    "involvedObject.name",
    "involvedObject.uid",
    "involvedObject.apiVersion",
    "involvedObject.resourceVersion",
    "involvedObject.fieldPath",
    "reason",
    "reportingComponent",
    "source",
    "type",
)


def selectable(event: core_v1.Event) -> Mapping[str, str]:
    about = event.involvedObject
    return {
        "involvedObject.kind": about.kind,
        "involvedObject.namespace": about.namespace,
        "involvedObject.name": about.name,
        "involvedObject.uid": about.uid,
        "involvedObject.apiVersion": about.apiVersion,
        "involvedObject.resourceVersion": about.resourceVersion,
        "involvedObject.fieldPath": about.fieldPath,
        "reason": event.reason,
        "reportingComponent": event.reportingComponent,
        "source": event.source.component or event.reportingComponent,
        "type": event.type,
    }


COLUMNS = (
    kind.Column("Last Seen"),
    kind.Column("Type"),
    kind.Column("Reason"),
    kind.Column("Object"),
    kind.Column("Subobject", priority=1),
    kind.Column("Source", priority=1),
    kind.Column("Message"),
    kind.Column("First Seen", priority=1),
    kind.Column("Count", priority=1),
    kind.Column("Name", format="name", priority=1),
)

KIND: kind.Kind[core_v1.Event] = kind.Kind(
    resource=kind.resource("", "v1", "events"),
    validate=validate,
    create_on_update=True,
    columns=COLUMNS,
    row=row,
    field_labels=FIELD_LABELS,
    selectable=selectable,
)
