"""How a watch's answers become changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest

from pybernetes.kits.chance import Chance
from pybernetes.kits.clock import SystemClock
from pybernetes.kits.tasks import Tasks
from pybernetes.store.etcd import client as clients
from pybernetes.store.etcd import feed, pending
from pybernetes.store.etcd.names import Names
from pybernetes.store.etcd.v3 import etcd_pb2 as pb
from pybernetes.store.hub import Hub
from pybernetes.store.protocol import Change


class Stream:
    """Says what it was given, then nothing more."""

    def __init__(self, *answers: pb.WatchResponse) -> None:
        self._answers = list(answers)

    async def receive(self) -> pb.WatchResponse:
        if not self._answers:
            raise clients.Lost("the end")
        return self._answers.pop(0)


def event(key: str, revision: int) -> pb.Event:
    return pb.Event(kv=pb.KeyValue(key=key.encode(), create_revision=revision, mod_revision=revision, value=b"1"))


async def read(*answers: pb.WatchResponse) -> list[list[int]]:
    """The revisions in each whole answer."""
    found = []

    async def collect() -> None:
        async for response in feed.responses(cast(Any, Stream(*answers))):
            found.append([event.kv.mod_revision for event in response.events])  # noqa: PERF401 - it ends by raising

    with pytest.raises(clients.Lost, match="the end"):
        await collect()
    return found


async def test_fragments_are_put_together() -> None:
    parts = [
        pb.WatchResponse(events=[event("/registry/r/a", 1)]),
        pb.WatchResponse(events=[event("/registry/r/a", 2)], fragment=True),
        pb.WatchResponse(events=[event("/registry/r/b", 2)], fragment=True),
        pb.WatchResponse(events=[event("/registry/r/a", 3)]),
        pb.WatchResponse(events=[event("/registry/r/a", 4)]),
    ]
    assert await read(*parts) == [[1], [2, 2, 3], [4]]


async def test_a_cancelled_watch_says_why() -> None:
    with pytest.raises(clients.Compacted) as caught:
        async for _ in feed.responses(cast(Any, Stream(pb.WatchResponse(canceled=True, compact_revision=7)))):
            pass
    assert caught.value.oldest == 7
    with pytest.raises(clients.Lost, match="etcdserver: no leader"):
        async for _ in feed.responses(
            cast(Any, Stream(pb.WatchResponse(canceled=True, cancel_reason="etcdserver: no leader")))
        ):
            pass


async def test_many_changes_are_told_in_slices_and_a_revision_is_never_halved() -> None:
    hub = Hub()
    told: list[list[int]] = []

    def sink(batch: Sequence[Change]) -> None:
        told.append([change.revision for change in batch])

    hub.add("/registry/r/", 0, sink).replayed(())
    following = feed.Feed(
        cast(Any, None),
        Names("/registry"),
        hub=hub,
        writes=pending.Writes(),
        clock=SystemClock(),
        chance=Chance(1),
        tasks=Tasks(),
    )
    # Of revision 100, which another client wrote in one transaction, there are three keys.
    changes = [Change(f"/registry/r/{n}", b"1", n, n) for n in range(1, 100)]
    changes += [Change(f"/registry/r/x{n}", b"1", 100, 100) for n in range(3)]
    changes += [Change("/registry/r/last", b"1", 101, 101)]
    await following._take(changes)
    assert [batch[-1] for batch in told] == [100, 101]
    assert [revision for batch in told for revision in batch] == [change.revision for change in changes]
    # What has been told is not told again.
    await following._take(changes)
    assert len(told) == 2
    assert following.reached.revision == following.newest == 101
