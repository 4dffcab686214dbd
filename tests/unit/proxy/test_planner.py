from __future__ import annotations

from typing import Any

from pybernetes.api.types import core_v1, discovery_v1, meta_v1
from pybernetes.proxy import conntrack, endpoints, nftables, planner

OPTIONS = planner.Options(node_name="n1", cluster_cidr="10.244.0.0/16")


def service(protocol: str = "TCP", node_port: int = 0, **spec: Any) -> core_v1.Service:
    port = core_v1.ServicePort(name="http", port=80, protocol=protocol, nodePort=node_port)
    return core_v1.Service(
        metadata=meta_v1.ObjectMeta(name="web", namespace="default"),
        spec=core_v1.ServiceSpec(clusterIP="10.96.0.9", ports=[port], **spec),
    )


def endpoint(ip: str, node: str = "n1", **conditions: bool) -> discovery_v1.Endpoint:
    given = discovery_v1.EndpointConditions(**(conditions or {"ready": True}))
    return discovery_v1.Endpoint(addresses=[ip], nodeName=node, conditions=given)


def slices(*found: discovery_v1.Endpoint, protocol: str = "TCP") -> list[discovery_v1.EndpointSlice]:
    port = discovery_v1.EndpointPort(name="http", port=8080, protocol=protocol)
    return [discovery_v1.EndpointSlice(addressType="IPv4", ports=[port], endpoints=list(found))]


def chain(share: planner.Share, prefix: str) -> tuple[str, ...]:
    [rules] = [rules for name, rules in share.chains.items() if name.startswith(prefix)]
    return rules


def test_a_cluster_ip_spreads_over_ready_endpoints() -> None:
    share = planner.plan(service(), slices(endpoint("10.244.0.3"), endpoint("10.244.0.2")), OPTIONS)
    [verdict] = share.elements.values()
    assert list(share.elements) == [(planner.SERVICE_IPS, "10.96.0.9 . tcp . 80")]
    assert verdict.startswith("goto svc-")
    masquerade, spread = chain(share, "svc-")
    assert masquerade == "ip daddr 10.96.0.9 tcp dport 80 ip saddr != 10.244.0.0/16 jump mark-for-masquerade"
    assert spread.startswith("numgen random mod 2 vmap { 0 : goto ep-")
    targets = [rules[-1] for name, rules in share.chains.items() if name.startswith("ep-")]
    assert targets == ["meta l4proto tcp dnat to 10.244.0.2:8080", "meta l4proto tcp dnat to 10.244.0.3:8080"]


def test_nobody_counts_as_from_outside_where_the_range_of_pods_is_not_known() -> None:
    blind = planner.Options(node_name="n1", cluster_cidr="")
    share = planner.plan(service(node_port=30080, externalTrafficPolicy="Local"), slices(endpoint("10.244.0.3")), blind)
    assert all("mark-for-masquerade" not in rule for rule in chain(share, "svc-"))
    first, *_ = chain(share, "ext-")
    assert first == "fib saddr type local jump mark-for-masquerade"


def test_nobody_there_is_refused() -> None:
    share = planner.plan(service(node_port=30080), slices(), OPTIONS)
    assert share.elements == {
        (planner.NO_ENDPOINT_SERVICES, "10.96.0.9 . tcp . 80"): "goto reject-chain",
        (planner.NO_ENDPOINT_NODEPORTS, "tcp . 30080"): "goto reject-chain",
    }


def test_ending_endpoints_serve_when_no_other_does() -> None:
    ending = endpoint("10.244.0.2", ready=False, serving=True, terminating=True)
    port = service().spec.ports[0]
    assert endpoints.choose(slices(ending), port, "n1").cluster == (endpoints.Endpoint("10.244.0.2", 8080, True),)
    both = endpoints.choose(slices(ending, endpoint("10.244.0.3")), port, "n1")
    assert [found.ip for found in both.cluster] == ["10.244.0.3"]


def test_external_traffic_that_must_stay_on_the_node_is_dropped_without_endpoints_here() -> None:
    away = slices(endpoint("10.244.1.2", "n2"))
    share = planner.plan(service(node_port=30080, externalTrafficPolicy="Local"), away, OPTIONS)
    rules = chain(share, "ext-")
    assert rules[-1] == "drop"
    assert rules[0].startswith("ip saddr 10.244.0.0/16 goto svc-")
    inward = planner.plan(service(internalTrafficPolicy="Local"), away, OPTIONS)
    assert inward.elements == {(planner.NO_ENDPOINT_SERVICES, "10.96.0.9 . tcp . 80"): "drop"}


def test_affinity_remembers_clients() -> None:
    config = core_v1.SessionAffinityConfig(clientIP=core_v1.ClientIPConfig(timeoutSeconds=60))
    share = planner.plan(
        service(sessionAffinity="ClientIP", sessionAffinityConfig=config), slices(endpoint("10.244.0.2")), OPTIONS
    )
    assert list(share.sets.values()) == ["type ipv4_addr; flags dynamic,timeout; timeout 60s;"]
    assert chain(share, "svc-")[1].startswith("ip saddr @ep-")
    assert chain(share, "ep-")[1].startswith("update @ep-")


def test_headless_services_are_not_ours() -> None:
    headless = service()
    headless.spec.clusterIP = "None"
    assert planner.plan(headless, slices(endpoint("10.244.0.2")), OPTIONS) == planner.Share()


def test_changes_go_in_an_order_that_nft_accepts() -> None:
    one = planner.plan(service(), slices(endpoint("10.244.0.2")), OPTIONS)
    none = planner.Share()
    up = list(nftables.changes(none, one))
    words = [" ".join(command.split()[:2]) for command in up]
    assert words.index("add rule") > max(at for at, word in enumerate(words) if word == "add chain")
    assert words[-1] == "add element"
    down = [" ".join(command.split()[:2]) for command in nftables.changes(one, none)]
    assert down[0] == "delete element"
    assert down[-1] == "delete chain"
    assert list(nftables.changes(one, one)) == []


def test_udp_flows_to_endpoints_that_are_gone_are_forgotten() -> None:
    spec = service("UDP")
    one = planner.plan(spec, slices(endpoint("10.244.0.2"), protocol="UDP"), OPTIONS)
    none = planner.plan(spec, slices(protocol="UDP"), OPTIONS)
    assert list(conntrack.stale(one, none)) == [
        ["-D", "--orig-dst", "10.96.0.9", "--dst-nat", "10.244.0.2", "-p", "udp", "--orig-port-dst", "80"]
    ]
    assert list(conntrack.stale(none, one)) == [["-D", "--orig-dst", "10.96.0.9", "-p", "udp", "--orig-port-dst", "80"]]
