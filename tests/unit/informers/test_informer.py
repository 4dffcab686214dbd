"""Informers against a server that loses history, restarts, or cannot stream lists."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import pytest

from pybernetes.api import errors, scheme
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.client import Call
from pybernetes.informers import Informers
from pybernetes.informers.reflector import Outcome, Stage, step
from pybernetes.kits.chance import Chance
from pybernetes.kits.clock import VirtualClock, settle
from tests.fakes.api import FakeApi, Stream


def pod(name: str, node: str = "", **labels: str) -> core_v1.Pod:
    meta = meta_v1.ObjectMeta(name=name, namespace="default", labels=labels)
    return core_v1.Pod(metadata=meta, spec=core_v1.PodSpec(nodeName=node))


class World:
    def __init__(self, *, watch_list: bool = True) -> None:
        self.clock = VirtualClock()
        self.api = FakeApi(clock=self.clock, watch_list=watch_list)
        self.informers = Informers(self.api.client(), clock=self.clock, chance=Chance(1))
        self.seen: list[tuple[str | None, str | None]] = []

    def follow(self, **options: str) -> None:
        self.pods = self.informers.of(core_v1.Pod, **options)
        self.pods.on_change(lambda old, new: self.seen.append((old and old.metadata.name, new and new.metadata.name)))


@pytest.mark.parametrize("watch_list", [True, False])
async def test_tells_what_there_is_then_changes(watch_list: bool) -> None:
    world = World(watch_list=watch_list)
    world.api.seed(pod("a"))
    world.follow()
    await world.informers.start()
    await world.informers.wait_synced()
    b = world.api.seed(pod("b"))
    world.api.change(b, lambda copy: copy.metadata.labels.update(x="y"))
    world.api.remove(b)
    await settle()
    assert world.seen == [(None, "a"), (None, "b"), ("b", "b"), ("b", None)]
    assert [p.metadata.name for p in world.pods.cache.list()] == ["a"]
    await world.informers.close()


async def test_resumes_after_a_broken_connection_without_losing_a_change() -> None:
    world = World()
    world.follow()
    await world.informers.start()
    await world.informers.wait_synced()
    world.api.break_watches(ConnectionError("reset"))
    world.api.seed(pod("a"))
    await world.clock.advance(5)
    assert world.seen == [(None, "a")]
    await world.informers.close()


@pytest.mark.parametrize(("in_process", "asked"), [(False, True), (True, False)])
async def test_only_a_watch_that_may_hang_has_an_end(in_process: bool, asked: bool) -> None:
    world = World()
    world.api.in_process = in_process
    asking: list[bool] = []
    world.api.fail(lambda call: asking.append("timeoutSeconds" in call.query))
    world.follow()
    await world.informers.start()
    await world.informers.wait_synced()
    assert asking == [asked]
    await world.informers.close()


async def test_starts_over_after_410_and_tells_only_the_difference() -> None:
    world = World()
    a = world.api.seed(pod("a"))
    world.api.seed(pod("b"))
    world.follow()
    await world.informers.start()
    await world.informers.wait_synced()
    world.seen.clear()
    world.api.break_watches(ConnectionError("gone"))
    world.api.remove(a)
    world.api.seed(pod("c"))
    world.api.compact()
    await world.clock.advance(10)
    assert world.seen == [(None, "c"), ("a", None)]
    await world.informers.close()


async def test_backs_off_while_the_server_is_away() -> None:
    world = World()
    asked: list[float] = []

    def away(call: Call) -> Exception | None:
        asked.append(world.clock.monotonic())
        return ConnectionError("refused")

    world.api.fail(away)
    world.follow()
    await world.informers.start()
    await world.clock.advance(120)
    assert 5 <= len(asked) <= 12
    assert asked[1] - asked[0] >= 0.8
    world.api.refuse.clear()
    world.api.seed(pod("a"))
    await world.clock.advance(61)
    assert world.seen == [(None, "a")]
    await world.informers.close()


async def test_waits_as_long_as_a_429_asks() -> None:
    world = World()
    asked: list[float] = []

    def busy(call: Call) -> Exception | None:
        asked.append(world.clock.monotonic())
        return errors.too_many_requests("slow down", retry_after=20) if len(asked) == 1 else None

    world.api.fail(busy)
    world.follow()
    await world.informers.start()
    await world.clock.advance(30)
    assert asked[1] - asked[0] >= 20
    assert world.pods.synced
    await world.informers.close()


async def test_indexes_follow_changes() -> None:
    world = World()
    world.follow()
    world.pods.add_index("node", lambda p: [p.spec.nodeName])
    await world.informers.start()
    a = world.api.seed(pod("a", "n1"))
    await settle()
    assert [p.metadata.name for p in world.pods.cache.index("node", "n1")] == ["a"]
    world.api.change(a, lambda copy: setattr(copy.spec, "nodeName", "n2"))
    await settle()
    assert world.pods.cache.index("node", "n1") == []
    assert len(world.pods.cache.index("node", "n2")) == 1
    await world.informers.close()


async def test_one_informer_per_selection_and_late_handlers_hear_everything() -> None:
    world = World()
    world.api.seed(pod("a", app="web"), pod("b"))
    await world.informers.start()
    world.follow(labels="app=web")
    await world.informers.wait_synced()
    assert world.informers.of(core_v1.Pod, labels="app=web") is world.pods
    late: list[str] = []
    world.pods.on_change(lambda old, new: late.append(new.metadata.name if new else ""))
    assert late == ["a"]
    await world.informers.close()


async def test_readers_may_be_forgotten_and_others_come() -> None:
    world = World()
    world.api.seed(pod("a", "n1"))
    world.follow()
    world.pods.add_index("node", lambda one: (one.spec.nodeName,))
    gone = scheme.Resource(group="x", version="v1", name="gones", kind="Gone", namespaced=True)
    world.informers.of(gone)
    await world.informers.start()
    await world.pods.wait_synced()
    await world.informers.forget_readers()
    world.api.seed(pod("b", "n1"))
    await settle()
    assert world.seen == [(None, "a")]
    with pytest.raises(KeyError):
        world.pods.cache.index("node", "n1")
    before = len(world.api.streams)
    world.seen.clear()
    world.follow()
    world.pods.add_index("node", lambda one: (one.spec.nodeName,))
    assert world.seen == [(None, "a"), (None, "b")]
    assert [one.metadata.name for one in world.pods.cache.index("node", "n1")] == ["a", "b"]
    assert [stream.resource.name for stream in world.api.streams] == ["pods"]
    assert len(world.api.streams) == before
    await world.informers.close()


async def test_a_failing_handler_does_not_stop_the_others() -> None:
    world = World()
    broken = world.informers.of(core_v1.Pod)
    broken.on_change(lambda old, new: 1 / 0)  # type: ignore[arg-type,return-value]
    world.follow()
    await world.informers.start()
    world.api.seed(pod("a"))
    await settle()
    assert world.seen == [(None, "a")]
    await world.informers.close()


def test_lifecycle() -> None:
    assert step(Stage.STREAM, Outcome.UNSUPPORTED) is Stage.LIST
    assert step(Stage.LIST, Outcome.SYNCED) is Stage.WATCH
    assert step(Stage.WATCH, Outcome.EXPIRED) is Stage.STREAM
    assert step(Stage.WATCH, Outcome.ENDED) is Stage.WATCH
    assert step(Stage.STREAM, Outcome.FAILED) is Stage.STREAM


class Ending(FakeApi):
    """Ends every watch before it has brought anything."""

    opened = 0

    @contextlib.asynccontextmanager
    async def watch(self, call: Call) -> AsyncIterator[Stream]:
        async with super().watch(call) as stream:
            self.opened += 1
            stream.events.clear()
            stream.end()
            yield stream


async def test_a_server_that_ends_every_watch_at_once_is_asked_ever_more_seldom() -> None:
    clock = VirtualClock()
    api = Ending(clock=clock)
    informers = Informers(api.client(), clock=clock, chance=Chance(1))
    pods = informers.of(core_v1.Pod)
    await informers.start()
    await clock.advance(60)
    assert 3 <= api.opened <= 10
    assert not pods.synced
    await informers.close()
