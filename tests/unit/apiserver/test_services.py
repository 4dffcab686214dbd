"""Cluster IPs and node ports: given out once, given back when not needed."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pybernetes.api import codecs, errors
from pybernetes.api.types import core_v1, networking_v1
from tests.fakes import apiserver as fakes

SERVICES = "/api/v1/namespaces/default/services"


@pytest.fixture
async def server() -> AsyncIterator[fakes.FakeServer]:
    # 14 addresses and 6 ports, so that they run out.
    async with fakes.FakeServer(service_cidr="10.9.0.0/28", node_ports=(30000, 30005)) as running:
        yield running


def service(name: str, kind: str = "ClusterIP", *, ports: int = 1, **spec: Any) -> core_v1.Service:
    listed = [{"name": f"p{n}", "port": 80 + n, "targetPort": 8080} for n in range(ports)]
    return codecs.from_tree(
        core_v1.Service,
        {"metadata": {"name": name, "namespace": "default"}, "spec": {"type": kind, "ports": listed, **spec}},
    )


async def addresses(server: fakes.FakeServer) -> set[str]:
    listed = await server.client.list(networking_v1.IPAddress)
    return {address.metadata.name for address in listed.items}


async def in_use(server: fakes.FakeServer) -> list[str]:
    services = (await server.client.list(core_v1.Service)).items
    return [address for found in services for address in found.spec.clusterIPs if address != "None"]


async def check(server: fakes.FakeServer) -> None:
    """Every address and port is held by exactly one service, and what is published is what is held."""
    held = await in_use(server)
    assert len(held) == len(set(held))
    assert await addresses(server) == set(held)
    ports = [
        (port.nodePort, port.protocol)
        for found in (await server.client.list(core_v1.Service)).items
        for port in found.spec.ports
        if port.nodePort
    ]
    assert len(ports) == len(set(ports))
    assert server.api._allocation.ports.pending == set()


async def test_one_is_chosen(server: fakes.FakeServer) -> None:
    made = await server.client.create(service("a"))
    assert made.spec.clusterIPs == [made.spec.clusterIP]
    assert made.spec.clusterIP.startswith("10.9.0.")
    assert (made.spec.ipFamilies, made.spec.ipFamilyPolicy) == (["IPv4"], "SingleStack")
    (address,) = [
        a for a in (await server.client.list(networking_v1.IPAddress)).items if a.metadata.name == made.spec.clusterIP
    ]
    assert address.spec.parentRef is not None
    assert (address.spec.parentRef.resource, address.spec.parentRef.name) == ("services", "a")
    await server.client.delete(core_v1.Service, "a", "default")
    await check(server)


async def test_one_is_asked_for(server: fakes.FakeServer) -> None:
    assert (await server.client.create(service("a", clusterIP="10.9.0.9"))).spec.clusterIP == "10.9.0.9"
    for address, why in (
        ("10.9.0.9", "provided IP is already allocated"),
        ("10.8.0.1", "the provided network does not match the current range"),
        ("nonsense", "nonsense"),
    ):
        with pytest.raises(errors.StatusError, match=why) as caught:
            await server.client.create(service("b", clusterIP=address))
        assert caught.value.code == 422
    await check(server)


async def test_headless_ones_take_none(server: fakes.FakeServer) -> None:
    made = await server.client.create(service("a", clusterIP="None"))
    assert made.spec.clusterIPs == ["None"]
    await server.client.delete(core_v1.Service, "a", "default")
    await check(server)


async def test_the_address_stays(server: fakes.FakeServer) -> None:
    made = await server.client.create(service("a"))
    replaced = await server.client.update(service("a", ports=2))
    assert replaced.spec.clusterIP == made.spec.clusterIP
    with pytest.raises(errors.StatusError) as caught:
        await server.client.update(service("a", clusterIP="10.9.0.12"))
    assert caught.value.code == 422
    await check(server)


async def test_becoming_a_name_and_back(server: fakes.FakeServer) -> None:
    await server.client.create(service("a", "NodePort"))
    named = await server.client.update(service("a", "ExternalName", ports=0, externalName="example.com"))
    assert (named.spec.clusterIP, named.spec.clusterIPs) == ("", [])
    await check(server)
    back = await server.client.update(service("a"))
    assert back.spec.clusterIP
    await check(server)


async def test_a_refused_write_takes_nothing(server: fakes.FakeServer) -> None:
    before = await addresses(server)
    with pytest.raises(errors.StatusError):
        await server.client.create(service("Not_A_Name", "NodePort"))
    await server.client.create(service("a", "NodePort"))
    with pytest.raises(errors.StatusError, match="already exists"):
        await server.client.create(service("a", "NodePort"))
    assert len(await addresses(server)) == len(before) + 1
    await check(server)


async def test_a_dry_run_takes_nothing(server: fakes.FakeServer) -> None:
    before = server.store.revision
    answer = await server.ask("POST", f"{SERVICES}?dryRun=All", codecs.to_tree(service("a", "NodePort")))
    assert answer.code == 201
    assert server.store.revision == before
    await check(server)


async def test_a_store_that_fails(server: fakes.FakeServer) -> None:
    async def fail(key: str) -> None:
        server.store.broken = "/services/" in key

    server.store.before_put = fail
    with pytest.raises(errors.StatusError):
        await server.client.create(service("a", "NodePort"))
    server.store.before_put = None
    server.store.broken = False
    # Where the address could not be given back, it is when no write can be under way any more.
    await server.clock.advance(62)
    await check(server)


async def test_when_all_are_taken(server: fakes.FakeServer) -> None:
    for number in range(13):
        await server.client.create(service(f"s{number}"))
    with pytest.raises(errors.StatusError, match="range is full"):
        await server.client.create(service("one-too-many"))
    assert len(await in_use(server)) == 14
    await check(server)


async def test_node_ports(server: fakes.FakeServer) -> None:
    made = await server.client.create(service("a", "NodePort", ports=2))
    chosen = {port.nodePort for port in made.spec.ports}
    assert len(chosen) == 2
    assert chosen <= set(range(30000, 30006))
    taken = chosen.pop()
    for number, why in ((taken, "provided port is already allocated"), (29999, "not in the valid range")):
        wanted = service("b", "NodePort")
        wanted.spec.ports[0].nodePort = number
        with pytest.raises(errors.StatusError, match=why):
            await server.client.create(wanted)
    cluster = await server.client.update(service("a"))
    assert cluster.spec.ports[0].nodePort == 0
    await server.client.create(service("c", "NodePort", ports=6))
    with pytest.raises(errors.StatusError, match="range is full"):
        await server.client.create(service("d", "NodePort"))
    await check(server)


@pytest.mark.parametrize("number", range(30000, 30006))
async def test_a_port_that_is_asked_for_is_not_given_to_another_one(server: fakes.FakeServer, number: int) -> None:
    wanted = service("a", "NodePort", ports=6)
    wanted.spec.ports[-1].nodePort = number
    made = await server.client.create(wanted)
    assert {port.nodePort for port in made.spec.ports} == set(range(30000, 30006))
    assert made.spec.ports[-1].nodePort == number


async def test_two_protocols_of_one_port_share_a_node_port(server: fakes.FakeServer) -> None:
    wanted = service("dns", "NodePort", ports=2)
    wanted.spec.ports[0].port = wanted.spec.ports[1].port = 53
    wanted.spec.ports[1].protocol = "UDP"
    made = await server.client.create(wanted)
    assert made.spec.ports[0].nodePort == made.spec.ports[1].nodePort != 0


async def test_many_at_once(server: fakes.FakeServer) -> None:
    made = await asyncio.gather(
        *(server.client.create(service(f"s{number}", "NodePort")) for number in range(10)), return_exceptions=True
    )
    assert len([one for one in made if isinstance(one, core_v1.Service)]) == 6
    await check(server)


async def test_what_a_crash_left_is_repaired(server: fakes.FakeServer) -> None:
    await server.client.create(service("a"))
    await server.api._allocation.addresses.claim(ipaddress.ip_address("10.9.0.13"), service("gone"))
    async with fakes.FakeServer(store=server.store, service_cidr="10.9.0.0/28", node_ports=(30000, 30005)) as again:
        await check(again)


_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["create", "update", "delete"]),
        st.integers(0, 4),
        st.sampled_from(["ClusterIP", "NodePort", "ExternalName", "Headless", "LoadBalancer"]),
        st.integers(1, 3),
    ),
    max_size=25,
)


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15, deadline=None)
@given(_STEPS)
async def test_nothing_leaks_and_nothing_is_given_twice(
    server: fakes.FakeServer, steps: list[tuple[str, int, str, int]]
) -> None:
    for step, number, kind, ports in steps:
        name = f"s{number}"
        problem: errors.StatusError | None = None
        spec: dict[str, Any] = {}
        if kind == "Headless":
            kind, spec = "ClusterIP", {"clusterIP": "None"}
        elif kind == "ExternalName":
            ports, spec = 0, {"externalName": "example.com"}
        try:
            if step == "delete":
                await server.client.delete(core_v1.Service, name, "default")
            elif step == "create":
                await server.client.create(service(name, kind, ports=ports, **spec))
            else:
                await server.client.update(service(name, kind, ports=ports, **spec))
        except errors.StatusError as error:
            problem = error
        assert problem is None or problem.code in (404, 409, 422) or "range is full" in str(problem)
        await check(server)


async def test_local_balancers_have_a_port_for_health_checks(server: fakes.FakeServer) -> None:
    made = await server.client.create(service("a", "LoadBalancer", externalTrafficPolicy="Local"))
    port = made.spec.healthCheckNodePort
    assert 30000 <= port <= 30005
    assert port != made.spec.ports[0].nodePort

    with pytest.raises(errors.StatusError) as caught:
        await server.client.create(
            service("b", "LoadBalancer", externalTrafficPolicy="Local", healthCheckNodePort=port)
        )
    assert f"failed to allocate requested HealthCheck NodePort {port}" in caught.value.status.message

    changed = codecs.copy(made)
    changed.spec.externalTrafficPolicy = "Cluster"
    changed = await server.client.update(changed)
    assert changed.spec.healthCheckNodePort == 0
    taken = codecs.copy(await server.client.create(service("c", "NodePort", ports=1)))
    taken.spec.ports[0].nodePort = port
    assert (await server.client.update(taken)).spec.ports[0].nodePort == port
    await check(server)
