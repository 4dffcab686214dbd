from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from pybernetes import informers
from pybernetes.api.types import core_v1, discovery_v1, meta_v1
from pybernetes.kits.chance import Chance
from pybernetes.kits.clock import VirtualClock
from pybernetes.network.dns import message, zone
from tests.fakes.api import FakeApi


def service(name: str, ip: str, **spec: Any) -> core_v1.Service:
    ports = [core_v1.ServicePort(name="http", port=80), core_v1.ServicePort(name="dns", port=53, protocol="UDP")]
    ips = [ip] if ip else []
    return core_v1.Service(
        metadata=meta_v1.ObjectMeta(name=name, namespace="shop"),
        spec=core_v1.ServiceSpec(clusterIP=ip, clusterIPs=ips, ports=ports, **spec),
    )


def endpoint(ip: str, hostname: str | None = None, *, ready: bool | None = True) -> discovery_v1.Endpoint:
    conditions = discovery_v1.EndpointConditions(ready=ready)
    return discovery_v1.Endpoint(addresses=[ip], hostname=hostname, conditions=conditions)


def endpoint_slice(name: str, *endpoints: discovery_v1.Endpoint, kind: str = "IPv4") -> discovery_v1.EndpointSlice:
    return discovery_v1.EndpointSlice(
        metadata=meta_v1.ObjectMeta(
            name=f"{name}-{kind.lower()}", namespace="shop", labels={"kubernetes.io/service-name": name}
        ),
        addressType=kind,
        endpoints=list(endpoints),
        ports=[discovery_v1.EndpointPort(name="http", port=8080, protocol="TCP")],
    )


@contextlib.asynccontextmanager
async def known(*objects: Any) -> AsyncIterator[zone.Zone]:
    clock = VirtualClock()
    api = FakeApi(clock=clock)
    for obj in objects:
        api.seed(obj)
    made = informers.Informers(api.client(), clock=clock, chance=Chance(1))
    try:
        found = zone.Zone(made, "cluster.local")
        await made.start()
        await found.wait_synced()
        yield found
    finally:
        await made.close()


def ips(answer: zone.Answer | None) -> list[str]:
    assert answer is not None
    return [record.text for record in answer.records]


def hosts(answer: zone.Answer | None) -> list[str]:
    """Of aliases and pointers."""
    assert answer is not None
    return [message.target(record) for record in answer.records]


def targets(answer: zone.Answer | None) -> list[tuple[int, str]]:
    """Port and host of SRV records."""
    assert answer is not None
    return [(int(record.text.split()[2]), message.target(record)) for record in answer.records]


async def test_a_service_is_its_address() -> None:
    async with known(service("web", "10.96.0.7")) as names:
        assert ips(names.answer("web.shop.svc.cluster.local", message.A)) == ["10.96.0.7"]
        # Who hears that there is no such name does not ask for its IPv4 address any more.
        assert names.answer("web.shop.svc.cluster.local", message.AAAA) == zone.EMPTY
        assert names.answer("none.shop.svc.cluster.local", message.A) == zone.NOTHING
        assert names.answer("web.svc.cluster.local.shop.svc.cluster.local", message.A) == zone.NOTHING
        assert targets(names.answer("_http._tcp.web.shop.svc.cluster.local", message.SRV)) == [
            (80, "web.shop.svc.cluster.local")
        ]
        assert names.answer("_http._udp.web.shop.svc.cluster.local", message.SRV) == zone.NOTHING
        assert hosts(names.answer("7.0.96.10.in-addr.arpa", message.PTR)) == ["web.shop.svc.cluster.local"]
        # Its endpoints have no names of their own.
        assert names.answer("10-0-0-1.web.shop.svc.cluster.local", message.A) == zone.NOTHING


async def test_a_headless_service_is_its_ready_endpoints() -> None:
    unready = endpoint("10.244.0.5", ready=False)
    objects = (
        service("db", "None"),
        endpoint_slice("db", endpoint("10.244.0.3", "db-0"), endpoint("10.244.0.4"), unready),
        endpoint_slice("db", endpoint("fd00::3", "db-0"), kind="IPv6"),
    )
    async with known(*objects) as names:
        name = "db.shop.svc.cluster.local"
        assert ips(names.answer(name, message.A)) == ["10.244.0.3", "10.244.0.4"]
        assert ips(names.answer(name, message.AAAA)) == ["fd00::3"]
        assert ips(names.answer(f"db-0.{name}", message.A)) == ["10.244.0.3"]
        assert ips(names.answer(f"10-244-0-4.{name}", message.A)) == ["10.244.0.4"]
        assert names.answer(f"db-9.{name}", message.A) == zone.NOTHING
        found = names.answer(f"_http._tcp.{name}", message.SRV)
        assert targets(found) == [
            (8080, f"db-0.{name}"),
            (8080, f"10-244-0-4.{name}"),
        ]
        assert found is not None
        assert [record.name for record in found.additional].count(f"db-0.{name}") == 2
        assert hosts(names.answer("3.0.244.10.in-addr.arpa", message.PTR)) == [f"db-0.{name}"]


async def test_a_headless_service_without_endpoints_is_not_there() -> None:
    async with known(service("db", "None")) as names:
        assert names.answer("db.shop.svc.cluster.local", message.A) == zone.NOTHING


async def test_an_external_name_is_an_alias() -> None:
    async with known(service("out", "", type="ExternalName", externalName="www.example.org")) as names:
        for kind in (message.A, message.CNAME):
            assert hosts(names.answer("out.shop.svc.cluster.local", kind)) == ["www.example.org"]


async def test_names_that_need_no_service() -> None:
    async with known(service("web", "10.96.0.7")) as names:
        assert ips(names.answer("dns-version.cluster.local", message.TXT)) == ['"1.1.0"']
        assert ips(names.answer("10-244-0-9.shop.pod.cluster.local", message.A)) == ["10.244.0.9"]
        assert names.answer("fd00--9.shop.pod.cluster.local", message.A) == zone.EMPTY
        assert names.answer("nobody.shop.pod.cluster.local", message.A) == zone.NOTHING
        for name in ("cluster.local", "svc.cluster.local", "shop.svc.cluster.local"):
            assert names.answer(name, message.A) == zone.EMPTY
        assert names.answer("other.svc.cluster.local", message.A) == zone.NOTHING


async def test_what_is_elsewhere() -> None:
    async with known(endpoint_slice("web", endpoint("10.244.0.3", "h"))) as names:
        for name in (
            "example.org",
            "mycluster.local",
            "1.2.0.192.in-addr.arpa",
            "3.0.244.10.in-addr.arpa",
            "x.ip6.arpa",
        ):
            assert names.answer(name, message.PTR) is None
