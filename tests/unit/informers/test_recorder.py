from __future__ import annotations

import pytest

from pybernetes.api.types import core_v1, meta_v1
from pybernetes.informers import Recorder, recorder
from pybernetes.kits.chance import Chance
from pybernetes.kits.clock import VirtualClock, settle
from tests.fakes.api import FakeApi
from tests.fakes.clock import BusyClock

POD = core_v1.Pod(metadata=meta_v1.ObjectMeta(name="web", namespace="shop", uid="u1"))


def named(name: str) -> core_v1.Pod:
    return core_v1.Pod(metadata=meta_v1.ObjectMeta(name=name, namespace="shop", uid=name))


def world() -> tuple[FakeApi, Recorder, VirtualClock]:
    clock = VirtualClock()
    api = FakeApi(clock=clock)
    return api, Recorder(api.client(), "kubelet", host="n1", clock=clock, chance=Chance(1)), clock


async def test_writes_what_upstream_would() -> None:
    api, recorder, _ = world()
    recorder.event(POD, "Normal", "Started", "Started container c")
    await settle()
    (event,) = api.all(core_v1.Event)
    name, _, stamp = event.metadata.name.partition(".")
    assert name == "web"
    assert int(stamp, 16) // 1_000_000 == 1_700_000_000_000
    assert event.metadata.namespace == "shop"
    assert event.involvedObject == core_v1.ObjectReference(
        apiVersion="v1", kind="Pod", name="web", namespace="shop", uid="u1"
    )
    assert (event.source.component, event.source.host) == ("kubelet", "n1")
    assert (event.reportingComponent, event.reportingInstance) == ("kubelet", "n1")
    assert (event.count, event.type, event.reason) == (1, "Normal", "Started")
    assert event.firstTimestamp == event.lastTimestamp == "2023-11-14T22:13:20Z"
    await recorder.close()


async def test_two_components_at_one_moment_write_two_events() -> None:
    api, recorder, clock = world()
    other = Recorder(recorder._client, "scheduler", clock=clock, chance=Chance(2))
    recorder.event(POD, "Normal", "Started", "Started container c")
    other.event(POD, "Normal", "Scheduled", "Assigned")
    await settle()
    assert {event.reason for event in api.all(core_v1.Event)} == {"Started", "Scheduled"}
    await recorder.close()
    await other.close()


async def test_raises_the_count_of_an_event_seen_before() -> None:
    api, recorder, clock = world()
    for _ in range(3):
        recorder.event(POD, "Warning", "BackOff", "again")
        await clock.advance(10)
    (event,) = api.all(core_v1.Event)
    assert event.count == 3
    assert event.firstTimestamp == "2023-11-14T22:13:20Z"
    assert event.lastTimestamp == "2023-11-14T22:13:40Z"
    await recorder.close()


async def test_folds_many_different_messages_and_stops_at_the_burst() -> None:
    api, recorder, _ = world()
    for number in range(40):
        recorder.event(POD, "Warning", "Failed", f"try {number}")
    await settle()
    messages = [event.message for event in api.all(core_v1.Event)]
    assert len(messages) == 11
    assert messages[10] == "(combined from similar events): try 24"
    assert api.all(core_v1.Event)[10].count == 15
    await recorder.close()


async def test_waits_for_the_server_and_ignores_refusals() -> None:
    api, recorder, clock = world()
    api.fail(lambda call: ConnectionError("away"))
    recorder.event(POD, "Normal", "Started", "Started")
    await clock.advance(15)
    api.refuse.clear()
    await clock.advance(15)
    assert len(api.all(core_v1.Event)) == 1
    await recorder.close()


async def test_gives_way_while_the_event_loop_is_busy() -> None:
    clock = BusyClock(turn=0.004)
    api = FakeApi(clock=clock)
    told = Recorder(api.client(), "kubelet", clock=clock, chance=Chance(1))
    told.event(POD, "Normal", "Started", "Started container c")
    await settle()
    assert api.all(core_v1.Event) == []
    clock.turn = 0.0
    await clock.advance(1.0)
    (event,) = api.all(core_v1.Event)
    assert event.firstTimestamp == "2023-11-14T22:13:20Z"
    await told.close()


async def test_events_about_cluster_scoped_objects_go_to_default() -> None:
    api, recorder, _ = world()
    recorder.event(core_v1.Node(metadata=meta_v1.ObjectMeta(name="n1")), "Normal", "Starting", "")
    await settle()
    assert api.all(core_v1.Event)[0].metadata.namespace == "default"
    await recorder.close()


async def test_says_how_many_were_dropped_once_the_rest_is_written(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "WAITING", 100)
    api, told, _ = world()
    for number in range(recorder.WAITING + 500):
        told.event(named(f"p{number}"), "Normal", "Started", "Started")
    assert caplog.messages == []
    await settle()
    assert len(api.all(core_v1.Event)) == recorder.WAITING
    assert caplog.messages == ["kubelet: 500 events were dropped, as 100 were waiting"]
    told.event(named("late"), "Normal", "Started", "Started")
    await settle()
    assert len(caplog.messages) == 1
    await told.close()


async def test_says_so_once_a_minute_while_nothing_can_be_written(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "WAITING", 100)
    api, told, clock = world()
    caplog.set_level("WARNING")
    api.fail(lambda call: ConnectionError("away"))
    for number in range(recorder.WAITING):
        told.event(named(f"p{number}"), "Normal", "Started", "Started")
    for number in range(90):
        told.event(named(f"q{number}"), "Normal", "Started", "Started")
        await clock.advance(1)
    assert caplog.messages == ["kubelet: 60 events were dropped, as 100 were waiting"]
    await told.close()
    assert caplog.messages[1:] == ["kubelet: 29 events were dropped, as 100 were waiting"]
