"""Services of one and of two IP families, on clusters of one and of two."""

from __future__ import annotations

from typing import Any

import pytest

from pybernetes.api import codecs, errors
from pybernetes.api.types import core_v1, networking_v1
from pybernetes.apiserver.endpoints.allocation import families
from tests.fakes import apiserver as fakes

V4, V6 = "IPv4", "IPv6"
SINGLE, PREFER, REQUIRE = "SingleStack", "PreferDualStack", "RequireDualStack"


def service(**spec: Any) -> core_v1.Service:
    ips = spec.get("clusterIPs")
    more = {"clusterIP": ips[0]} if ips else {}
    tree = {"metadata": {"name": "a", "namespace": "default"}, "spec": {"selector": {"a": "b"}, **more, **spec}}
    return codecs.from_tree(core_v1.Service, tree)


@pytest.mark.parametrize(
    ("configured", "spec", "policy", "got"),
    [
        ([V4], {}, SINGLE, [V4]),
        ([V6, V4], {}, SINGLE, [V6]),
        ([V4], {"ipFamilyPolicy": PREFER}, PREFER, [V4]),
        ([V4, V6], {"ipFamilyPolicy": PREFER}, PREFER, [V4, V6]),
        ([V4, V6], {"ipFamilyPolicy": REQUIRE, "ipFamilies": [V6]}, REQUIRE, [V6, V4]),
        ([V4, V6], {"ipFamilies": [V6]}, SINGLE, [V6]),
        ([V4, V6], {"clusterIPs": ["fd00::5"]}, SINGLE, [V6]),
        ([V4, V6], {"clusterIPs": ["fd00::5", "10.9.0.5"], "ipFamilyPolicy": PREFER}, PREFER, [V6, V4]),
        ([V4], {"clusterIPs": ["None"]}, SINGLE, [V4]),
        ([V4], {"clusterIPs": ["None"], "selector": {}}, REQUIRE, [V4, V6]),
        ([V4], {"clusterIPs": ["None"], "selector": {}, "ipFamilyPolicy": SINGLE}, SINGLE, [V4]),
        ([V4], {"clusterIPs": ["None"], "selector": {}, "ipFamilies": [V6]}, REQUIRE, [V6, V4]),
    ],
)
def test_what_is_filled_in(configured: list[str], spec: dict[str, Any], policy: str, got: list[str]) -> None:
    made = service(**spec)
    families.fill(made, None, configured)
    assert (made.spec.ipFamilyPolicy, made.spec.ipFamilies) == (policy, got)


@pytest.mark.parametrize(
    ("configured", "spec", "why"),
    [
        ([V4], {"ipFamilyPolicy": REQUIRE}, "this cluster is not configured for dual-stack services"),
        ([V4], {"ipFamilies": [V6]}, "spec.ipFamilies[0]: Invalid value: \"IPv6\": not configured on this cluster"),
        ([V4], {"clusterIPs": ["fd00::5"]}, "spec.clusterIPs[0]: Invalid value: [\"fd00::5\"]: IPv6 is not configured"),
        ([V4, V6], {"ipFamilies": [V4, V6]}, "when multiple IP families are specified"),
        ([V4, V6], {"clusterIPs": ["10.9.0.5", "fd00::5"]}, "when multiple cluster IPs are specified"),
        ([V4, V6], {"clusterIPs": ["10.9.0.5"], "ipFamilies": [V6]}, "expected an IPv6 value as indicated by"),
        ([V4, V6], {"ipFamilies": ["IPv5"]}, "Unsupported value: \"IPv5\""),
    ],
)  # fmt: skip
def test_what_is_refused(configured: list[str], spec: dict[str, Any], why: str) -> None:
    with pytest.raises(errors.StatusError) as caught:
        families.fill(service(**spec), None, configured)
    assert caught.value.code == 422
    assert why in caught.value.status.message


def test_who_takes_what_there_is_stays_as_it_was() -> None:
    old = service(ipFamilyPolicy=PREFER, ipFamilies=[V4], clusterIPs=["10.9.0.5"])
    new = codecs.copy(old)
    families.fill(new, old, [V4, V6])
    assert new.spec.ipFamilies == [V4]


def test_only_the_policy_gives_a_family_up() -> None:
    both = {"ipFamilies": [V4, V6], "clusterIPs": ["10.9.0.5", "fd00::5"]}
    old = service(ipFamilyPolicy=REQUIRE, **both)
    single = service(ipFamilyPolicy=SINGLE, **both)
    families.fill(single, old, [V4, V6])
    assert (single.spec.ipFamilies, single.spec.clusterIPs) == ([V4], ["10.9.0.5"])
    with pytest.raises(errors.StatusError) as caught:
        families.fill(service(ipFamilyPolicy=REQUIRE, ipFamilies=[V4], clusterIPs=["10.9.0.5"]), old, [V4, V6])
    assert "must be 'SingleStack' to release the secondary cluster IP" in caught.value.status.message
    assert "must be 'SingleStack' to release the secondary IP family" in caught.value.status.message


async def test_a_cluster_of_two_families() -> None:
    async with fakes.FakeServer(service_cidr="10.9.0.0/28,fd00::/124") as server:
        client = server.client
        assert (await client.get(networking_v1.ServiceCIDR, "kubernetes")).spec.cidrs == ["10.9.0.0/28", "fd00::/124"]
        made = await client.create(service(ports=[{"port": 80}], ipFamilyPolicy=PREFER))
        assert [families.of(address) for address in made.spec.clusterIPs] == [V4, V6]
        assert made.spec.clusterIP == made.spec.clusterIPs[0]
        known = {one.metadata.name: one for one in (await client.list(networking_v1.IPAddress)).items}
        assert known.keys() == {"10.9.0.1", *made.spec.clusterIPs}
        assert known[made.spec.clusterIPs[1]].metadata.labels["ipaddress.kubernetes.io/ip-family"] == V6
        # Down to one, and up again with an address of the writer's choice.
        down = codecs.copy(made)
        down.spec.ipFamilyPolicy = SINGLE
        down = await client.update(down)
        assert (down.spec.clusterIPs, down.spec.ipFamilies) == (made.spec.clusterIPs[:1], [V4])
        assert len((await client.list(networking_v1.IPAddress)).items) == 2
        up = codecs.copy(down)
        up.spec.ipFamilyPolicy, up.spec.clusterIPs = REQUIRE, [made.spec.clusterIP, "fd00::f"]
        up = await client.update(up)
        assert (up.spec.clusterIPs, up.spec.ipFamilies) == ([made.spec.clusterIP, "fd00::f"], [V4, V6])
        moved = codecs.copy(up)
        moved.spec.clusterIPs = [made.spec.clusterIP, "fd00::e"]
        with pytest.raises(errors.StatusError, match="may not change once set"):
            await client.update(moved)
        await client.delete(core_v1.Service, "a", "default")
        assert [one.metadata.name for one in (await client.list(networking_v1.IPAddress)).items] == ["10.9.0.1"]


async def test_a_second_address_that_is_taken_gives_the_first_back() -> None:
    async with fakes.FakeServer(service_cidr="10.9.0.0/28,fd00::/124") as server:
        await server.client.create(service(ports=[{"port": 80}], clusterIPs=["fd00::5"]))
        wanted = service(ports=[{"port": 80}], clusterIPs=["10.9.0.5", "fd00::5"], ipFamilyPolicy=REQUIRE)
        wanted.metadata.name = "b"
        with pytest.raises(errors.StatusError, match="failed to allocate IP fd00::5: provided IP is already allocated"):
            await server.client.create(wanted)
        known = [one.metadata.name for one in (await server.client.list(networking_v1.IPAddress)).items]
        assert known == ["10.9.0.1", "fd00::5"]
