from __future__ import annotations

from pybernetes.api import codecs
from pybernetes.api.types import events_v1
from pybernetes.apiserver.resources.events import events


def test_round_trip_through_the_stored_form() -> None:
    tree = {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": "e", "namespace": "d"},
        "action": "Binding",
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "note": "hello",
        "reason": "Scheduled",
        "regarding": {"kind": "Pod", "name": "p", "namespace": "d"},
        "reportingController": "default-scheduler",
        "reportingInstance": "s-1",
        "series": {"count": 2, "lastObservedTime": "2026-01-01T00:00:01.000000Z"},
        "type": "Normal",
        "deprecatedCount": 4,
    }
    event = codecs.from_tree(events_v1.Event, tree)
    core = events.to_core(event)
    assert (core.message, core.involvedObject.name, core.count) == ("hello", "p", 4)
    assert codecs.encode(events.from_core(core)) == codecs.encode(event)
    assert events.validate(event) == []
    event.note = "x" * 1025
    assert [p.field for p in events.validate(event)] == ["note"]
    assert events.selectable(event)["regarding.name"] == "p"
