"""The Lease of an API server: made, renewed, given up, and taken away when its server has died."""

from __future__ import annotations

from typing import Any

import pytest

from pybernetes.api import codecs, times
from pybernetes.api.types import coordination_v1
from pybernetes.apiserver.identity import lease
from pybernetes.kits.clock import settle
from tests.fakes import apiserver as fakes

NAME = lease.name_of("host-1")


def a_lease(name: str = "apiserver-x", *, renewed: float | None = 0.0, seconds: int | None = 3600) -> lease.Lease:
    tree = {
        "metadata": {"name": name, "namespace": "kube-system", "labels": {lease.LABEL: lease.COMPONENT}},
        "spec": {
            "holderIdentity": "x", "leaseDurationSeconds": seconds,
            "renewTime": None if renewed is None else times.to_micro_time(renewed),
        },
    }  # fmt: skip
    return codecs.from_tree(coordination_v1.Lease, tree)


async def found(server: fakes.FakeServer, name: str = NAME) -> lease.Lease | None:
    listed = (await server.client.list(coordination_v1.Lease, "kube-system")).items
    return next((one for one in listed if one.metadata.name == name), None)


def test_the_name_is_upstream_s() -> None:
    # SHA-256 of 0006 "host-1" 000e "kube-apiserver", of which the first half.
    assert NAME == "apiserver-fl6obw4ijfryx25ur4ugqryswq"
    assert lease.name_of("host-2") != NAME


@pytest.mark.parametrize(
    ("one", "expired"),
    [
        (a_lease(), False),
        (a_lease(seconds=99), True),
        (a_lease(seconds=100), False),
        (a_lease(renewed=None), True),
        (a_lease(seconds=None), True),
    ],
)
def test_when_a_lease_has_run_out(one: lease.Lease, expired: bool) -> None:
    assert lease.is_expired(one, 100.0) is expired


async def test_it_is_there_from_the_start_and_renewed() -> None:
    async with fakes.FakeServer(hostname="host-1") as server:
        first = await found(server)
        assert first is not None
        assert first.metadata.labels == {lease.LABEL: "kube-apiserver", "kubernetes.io/hostname": "host-1"}
        assert (first.spec.leaseDurationSeconds, first.spec.acquireTime) == (3600, None)
        assert (first.spec.holderIdentity or "").startswith(f"{NAME}_")
        await settle()
        assert await found(server) == first
        await server.clock.advance(65.0)
        last = await found(server)
        assert last is not None
        assert last.spec.holderIdentity == first.spec.holderIdentity
        assert last.spec.renewTime is not None
        assert server.clock.time() - times.parse(last.spec.renewTime) < 10.4
    async with fakes.FakeServer(store=server.store, seed=9) as other:
        # Given up in good time; and without a name there is none.
        assert await found(other) is None
        await other.clock.advance(3600.0)
        assert (await other.client.list(coordination_v1.Lease, "kube-system")).items == []


async def test_what_others_do_to_it_and_a_store_that_fails() -> None:
    async with fakes.FakeServer(hostname="host-1") as server:
        one = await found(server)
        assert one is not None
        holder = one.spec.holderIdentity
        changed = codecs.copy(one)
        changed.metadata.labels["a"] = "b"
        await server.client.update(changed)
        await server.clock.advance(11.0)
        one = await found(server)
        assert one is not None
        assert one.metadata.labels["a"] == "b"
        assert one.spec.renewTime != changed.spec.renewTime
        await server.client.delete(coordination_v1.Lease, NAME, "kube-system")
        await server.clock.advance(11.0)
        again = await found(server)
        assert again is not None
        assert again.spec.holderIdentity == holder
        server.store.broken = True
        await server.clock.advance(30.0)
        assert await found(server) == again
        server.store.broken = False
        await server.clock.advance(11.0)
        assert await found(server) != again
        server.store.broken = True


async def test_a_server_that_died_is_succeeded_and_another_s_lease_runs_out() -> None:
    store = fakes.FragileStore()
    async with fakes.FakeServer(store=store) as before:
        now = before.clock.time()
        await before.client.create(a_lease(NAME, renewed=now))
        await before.client.create(a_lease("apiserver-dead", renewed=now - 3500.0))
        other: Any = a_lease("not-one-of-them", renewed=now - 9999.0)
        other.metadata.labels = {}
        await before.client.create(other)
    async with fakes.FakeServer(store=store, seed=9, hostname="host-1") as server:
        mine = await found(server)
        assert mine is not None
        assert (mine.spec.holderIdentity or "").startswith(f"{NAME}_")
        await settle()
        assert await found(server, "apiserver-dead") is not None
        await server.clock.advance(3601.0)
        assert await found(server, "apiserver-dead") is None
        assert await found(server, "not-one-of-them") is not None
        assert await found(server) is not None
