from __future__ import annotations

import asyncio

from pybernetes.api.types import coordination_v1
from pybernetes.informers import Election
from pybernetes.kits.chance import Chance
from pybernetes.kits.clock import VirtualClock
from tests.fakes.api import FakeApi


def candidate(api: FakeApi, identity: str) -> Election:
    return Election(
        api.client(), name="lock", namespace="kube-system", identity=identity, clock=api.clock, chance=Chance(1)
    )


async def test_one_leads_and_the_next_takes_over_when_it_stops() -> None:
    clock = VirtualClock()
    api = FakeApi(clock=clock)
    led: list[str] = []
    stop = asyncio.Event()

    async def lead(who: str) -> None:
        led.append(who)
        await stop.wait()

    one, two = candidate(api, "one"), candidate(api, "two")
    running = [asyncio.ensure_future(e.run(lambda e=e: lead(e.identity))) for e in (one, two)]  # type: ignore[misc]
    await clock.advance(60)
    assert led == ["one"]
    assert one.leading
    assert not two.leading
    running[0].cancel()
    await clock.advance(10)
    assert led == ["one", "two"]
    lease = api.find(coordination_v1.Lease, "lock", "kube-system")
    assert lease.spec.holderIdentity == "two"
    assert lease.spec.leaseTransitions == 1
    stop.set()
    await clock.advance(1)
    await asyncio.wait(running)


async def test_a_leader_that_cannot_renew_stops_leading() -> None:
    clock = VirtualClock()
    api = FakeApi(clock=clock)
    ended: list[bool] = []

    async def lead() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    election = candidate(api, "one")
    running = asyncio.ensure_future(election.run(lead))
    await clock.advance(5)
    api.fail(lambda call: ConnectionError("away"))
    await clock.advance(15)
    assert ended == [True]
    assert running.done()
