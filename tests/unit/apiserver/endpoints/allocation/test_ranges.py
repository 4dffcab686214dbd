"""Addresses come from every ServiceCIDR that is ready, and from none that is going."""

from __future__ import annotations

import asyncio
import ipaddress
from typing import Any

import pytest

from pybernetes.api import codecs, errors
from pybernetes.api.types import core_v1, networking_v1
from pybernetes.apiserver.endpoints.allocation import ranges
from tests.fakes import apiserver as fakes


def cidr(name: str, *texts: str, ready: str = "", going: bool = False) -> networking_v1.ServiceCIDR:
    meta = {"name": name} | ({"deletionTimestamp": "2026-01-01T00:00:00Z"} if going else {})
    status = {"conditions": [{"type": "Ready", "status": ready}]} if ready else {}
    tree = {"metadata": meta, "spec": {"cidrs": list(texts)}, "status": status}
    return codecs.from_tree(networking_v1.ServiceCIDR, tree)


def service(name: str, **spec: Any) -> core_v1.Service:
    tree = {"metadata": {"name": name, "namespace": "default"}, "spec": {"ports": [{"port": 80}], **spec}}
    return codecs.from_tree(core_v1.Service, tree)


@pytest.mark.parametrize(
    ("found", "ready"),
    [
        ([cidr("a", "10.9.0.0/24")], True),
        ([cidr("a", "10.9.0.0/24", ready="True")], True),
        ([cidr("a", "10.9.0.0/24", ready="False")], False),
        ([cidr("a", "10.9.0.0/24", ready="Unknown")], False),
        ([cidr("a", "10.9.0.0/24", ready="True", going=True)], False),
        ([cidr("a", "10.9.0.0/24", going=True), cidr("b", "10.9.0.0/24")], True),
    ],
)
def test_which_are_ready(found: list[networking_v1.ServiceCIDR], ready: bool) -> None:
    (one,) = ranges.of(found)
    assert one.is_ready is ready


@pytest.mark.parametrize(
    ("text", "first", "boundary", "last"),
    [
        ("10.9.0.0/24", "10.9.0.1", "10.9.0.17", "10.9.0.254"),
        ("10.9.0.0/28", "10.9.0.1", "10.9.0.1", "10.9.0.14"),
        ("fd00::/108", "fd00::1", "fd00::101", "fd00::f:ffff"),
        ("fd00::/127", "fd00::1", "fd00::1", "fd00::1"),
    ],
)
def test_what_they_give(text: str, first: str, boundary: str, last: str) -> None:
    (one,) = ranges.of([cidr("a", text)])
    assert one.span == tuple(int(ipaddress.ip_address(address)) for address in (first, boundary, last))


@pytest.mark.parametrize("text", ["10.9.0.1/32", "10.9.0.0/31"])
def test_too_small_to_give_any(text: str) -> None:
    (one,) = ranges.of([cidr("a", text)])
    assert one.span.last < one.span.first


def test_wide_ipv6_ranges_give_nothing() -> None:
    assert ranges.of([cidr("a", "fd00::/63")]) == []


async def fill(server: fakes.FakeServer, prefix: str) -> list[str]:
    """Services until there are no more addresses; those that they got."""
    made: list[str] = []
    while True:
        try:
            made.append((await server.client.create(service(f"{prefix}{len(made)}"))).spec.clusterIP)
        except errors.StatusError as error:
            problem = error
            break
    words = f'failed to allocate a serviceIP for Service "{prefix}{len(made)}": range is full'
    assert (problem.code, words in problem.status.message) == (500, True)
    return made


async def test_one_range_after_the_other() -> None:
    async with fakes.FakeServer(service_cidr="10.9.0.0/29") as server:
        # The first is the service `kubernetes`'.
        assert set(await fill(server, "a")) == {f"10.9.0.{number}" for number in range(2, 7)}
        await server.client.create(cidr("more", "10.8.0.0/29"))
        assert set(await fill(server, "b")) == {f"10.8.0.{number}" for number in range(1, 7)}
        # Of ranges that overlap, each address is given once.
        await server.client.create(cidr("wide", "10.8.0.0/28"))
        assert set(await fill(server, "c")) == {f"10.8.0.{number}" for number in range(7, 15)}
        await server.client.delete(core_v1.Service, "b0", "default")
        assert len(await fill(server, "d")) == 1


async def test_a_range_that_is_not_ready_or_going_gives_none() -> None:
    async with fakes.FakeServer(service_cidr="10.9.0.0/29") as server:
        await fill(server, "a")
        more = codecs.copy(await server.client.create(cidr("more", "10.8.0.0/29")))
        more.metadata.finalizers = ["example.com/keep"]
        more = codecs.copy(await server.client.update(more))
        more.status = cidr("more", ready="False").status
        more.status.conditions[0].reason = "Because"
        more.status.conditions[0].lastTransitionTime = "2026-01-01T00:00:00Z"
        more = codecs.copy(await server.client.update_status(more))
        assert await fill(server, "b") == []
        why = "failed to allocate IP 10.8.0.3: the provided network does not match the current range"
        with pytest.raises(errors.StatusError, match=why):
            await server.client.create(service("b", clusterIP="10.8.0.3"))
        more.status.conditions[0].status = "True"
        await server.client.update_status(more)
        assert (await server.client.create(service("b", clusterIP="10.8.0.3"))).spec.clusterIP == "10.8.0.3"
        await server.client.delete(networking_v1.ServiceCIDR, "more")
        assert await fill(server, "c") == []
        # What is given stays, and is given back.
        await server.client.delete(core_v1.Service, "b", "default")
        with pytest.raises(errors.StatusError, match="not found"):
            await server.client.get(networking_v1.IPAddress, "10.8.0.3")


@pytest.mark.parametrize("address", ["10.9.0.0", "10.9.0.7", "10.8.0.1", "10.9.0.8"])
async def test_addresses_that_are_in_no_range(address: str) -> None:
    async with fakes.FakeServer(service_cidr="10.9.0.0/29") as server:
        with pytest.raises(errors.StatusError) as caught:
            await server.client.create(service("a", clusterIP=address))
        why = f"failed to allocate IP {address}: the provided network does not match the current range"
        assert caught.value.status.message == (
            f'Service "a" is invalid: spec.clusterIPs: Invalid value: ["{address}"]: {why}'
        )


async def test_a_dry_run_names_what_nobody_has() -> None:
    async with fakes.FakeServer(service_cidr="10.9.0.0/29") as server:
        path = "/api/v1/namespaces/default/services?dryRun=All"
        tree = codecs.to_tree(service("a"))
        answer = await server.ask("POST", path, tree)
        assert (answer.code, answer.tree()["spec"]["clusterIP"]) == (201, "10.9.0.0")
        tree["spec"]["clusterIP"] = "10.8.0.1"
        answer = await server.ask("POST", path, tree)
        why = "the provided IP (10.8.0.1) is not in the valid range. The range of valid IPs is 10.9.0.0/29"
        assert (answer.code, why in answer.message) == (422, True)
        more = codecs.copy(await server.client.get(networking_v1.ServiceCIDR, "kubernetes"))
        more.metadata.finalizers = ["example.com/keep"]
        await server.client.update(more)
        await server.client.delete(networking_v1.ServiceCIDR, "kubernetes")
        answer = await server.ask("POST", path, tree)
        assert "failed to allocate IP 10.8.0.1: allocator not ready" in answer.message


async def test_many_at_once_from_two_ranges() -> None:
    async with fakes.FakeServer(service_cidr="10.9.0.0/28") as server:
        await server.client.create(cidr("more", "10.8.0.0/28"))
        made = await asyncio.gather(
            *(server.client.create(service(f"s{number}")) for number in range(40)), return_exceptions=True
        )
        given = [one.spec.clusterIP for one in made if isinstance(one, core_v1.Service)]
        assert len(given) == len(set(given)) == 27
    async with fakes.FakeServer(store=server.store, service_cidr="10.9.0.0/28", seed=8) as again:
        # After a restart it is known what is taken.
        assert await fill(again, "t") == []
        await again.client.delete(core_v1.Service, "kubernetes", "default")
        assert await fill(again, "u") == ["10.9.0.1"]
