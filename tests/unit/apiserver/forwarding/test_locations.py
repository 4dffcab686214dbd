"""Where a proxied request goes."""

from __future__ import annotations

import pytest

from pybernetes.api import errors
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.apiserver.forwarding import locations


def pod(*ports: int, address: str = "10.0.0.7") -> core_v1.Pod:
    containers = [
        core_v1.Container(name="first"),
        core_v1.Container(name="second", ports=[core_v1.ContainerPort(containerPort=port) for port in ports]),
    ]
    return core_v1.Pod(
        metadata=meta_v1.ObjectMeta(name="web", namespace="default"),
        spec=core_v1.PodSpec(containers=containers),
        status=core_v1.PodStatus(podIP=address, podIPs=[core_v1.PodIP(ip=address)] if address else []),
    )


class TestParse:
    @pytest.mark.parametrize(
        ("text", "named"),
        [
            ("web", ("", "web", "")),
            ("web:", ("", "web", "")),
            ("web:80", ("", "web", "80")),
            ("web:http", ("", "web", "http")),
            ("https:web:443", ("https", "web", "443")),
            (":web:443", ("", "web", "443")),
            ("http:web:", ("http", "web", "")),
        ],
    )
    def test_forms(self, text: str, named: tuple[str, str, str]) -> None:
        assert locations.parse("pod", text) == named

    @pytest.mark.parametrize("text", ["", ":80", "ftp:web:21", "HTTP:web:80", "a:b:c:d", "https::443"])
    def test_what_names_nothing(self, text: str) -> None:
        with pytest.raises(errors.StatusError) as caught:
            locations.parse("service", text)
        assert (caught.value.code, str(caught.value)) == (400, f'invalid service request "{text}"')


class TestPods:
    def test_the_first_declared_port(self) -> None:
        found = locations.of_pod(locations.parse("pod", "web"), pod(8080, 9090))
        assert found == locations.Location("http", "10.0.0.7", "8080")
        assert found.authority == "10.0.0.7:8080"

    def test_the_port_that_is_named(self) -> None:
        assert locations.of_pod(locations.parse("pod", "https:web:1"), pod(8080)) == locations.Location(
            "https", "10.0.0.7", "1"
        )

    def test_no_port_at_all_is_the_schemes(self) -> None:
        found = locations.of_pod(locations.parse("pod", "web"), pod())
        assert (found.authority, found.number) == ("10.0.0.7", 80)
        assert locations.of_pod(locations.parse("pod", "https:web:"), pod()).number == 443

    def test_addresses_of_version_6_have_brackets(self) -> None:
        assert locations.of_pod(locations.parse("pod", "web"), pod(80, address="fd00::7")).authority == "[fd00::7]:80"

    @pytest.mark.parametrize(
        "address",
        ["", "127.0.0.1", "::1", "169.254.169.254", "fe80::1", "0.0.0.0", "224.0.0.1", "::ffff:127.0.0.1", "host"],
    )
    def test_where_requests_may_not_go(self, address: str) -> None:
        with pytest.raises(errors.StatusError) as caught:
            locations.of_pod(locations.parse("pod", "web"), pod(80, address=address))
        assert (caught.value.code, str(caught.value)) == (400, "address not allowed")

    @pytest.mark.parametrize(
        ("port", "why"),
        [
            ("http", "dial tcp: lookup 10.0.0.7:http: no such host"),
            ("70000", "dial tcp: address 70000: invalid port"),
            ("-1", "dial tcp: lookup 10.0.0.7:-1: no such host"),
        ],
    )
    def test_ports_that_are_none(self, port: str, why: str) -> None:
        location = locations.Location("http", "10.0.0.7", port)
        with pytest.raises(errors.StatusError) as caught:
            _ = location.number
        assert (caught.value.code, str(caught.value)) == (503, f"error trying to reach service: {why}")


class TestServices:
    def test_a_number_is_looked_up(self) -> None:
        ports = [core_v1.ServicePort(name="a", port=80), core_v1.ServicePort(name="b", port=443)]
        service = core_v1.Service(spec=core_v1.ServiceSpec(ports=ports))
        assert locations.port_name(locations.parse("service", "web:443"), service) == "b"
        with pytest.raises(errors.StatusError) as caught:
            locations.port_name(locations.parse("service", "web:81"), service)
        assert (caught.value.code, str(caught.value)) == (503, 'no service port 81 found for service "web"')

    def address(self, ip: str, name: str = "web", namespace: str = "default") -> core_v1.EndpointAddress:
        target = core_v1.ObjectReference(kind="Pod", name=name, namespace=namespace)
        return core_v1.EndpointAddress(ip=ip, targetRef=target)

    def choose(
        self, *addresses: core_v1.EndpointAddress, port: str = "http", start: int = 0
    ) -> locations.Location | None:
        subsets = [
            core_v1.EndpointSubset(ports=[core_v1.EndpointPort(name="http", port=8080)]),
            core_v1.EndpointSubset(
                addresses=list(addresses),
                notReadyAddresses=[self.address("10.0.0.9")],
                ports=[core_v1.EndpointPort(name="dns", port=53), core_v1.EndpointPort(name="http", port=8080)],
            ),
        ]
        endpoints = core_v1.Endpoints(metadata=meta_v1.ObjectMeta(name="web", namespace="default"), subsets=subsets)
        pods = {("default", "web"): pod(), ("default", "other"): pod(address="10.0.0.8"), ("else", "web"): pod()}
        return locations.of_endpoints(
            locations.parse("service", f"https:web:{port}"),
            port,
            endpoints,
            find=lambda namespace, name: pods.get((namespace, name)),
            start=lambda limit: start % limit,
        )

    def test_an_endpoint_at_the_targets_port(self) -> None:
        assert self.choose(self.address("10.0.0.7")) == locations.Location("https", "10.0.0.7", "8080")
        assert self.choose(self.address("10.0.0.7"), port="dns") == locations.Location("https", "10.0.0.7", "53")

    def test_the_load_is_shared(self) -> None:
        both = (self.address("10.0.0.7"), self.address("10.0.0.8", "other"))
        found = {found.host for start in range(2) if (found := self.choose(*both, start=start)) is not None}
        assert found == {"10.0.0.7", "10.0.0.8"}

    def test_only_pods_of_the_namespace_count(self) -> None:
        assert self.choose(core_v1.EndpointAddress(ip="10.0.0.7")) is None
        assert self.choose(self.address("10.0.0.7", "gone")) is None
        assert self.choose(self.address("10.0.0.7", namespace="else")) is None
        assert self.choose(self.address("10.0.0.66")) is None
        assert self.choose(self.address("10.0.0.66"), self.address("10.0.0.7")) == locations.Location(
            "https", "10.0.0.7", "8080"
        )

    def test_none_is_ready_or_has_the_port(self) -> None:
        assert self.choose() is None
        assert self.choose(self.address("10.0.0.7"), port="") is None
