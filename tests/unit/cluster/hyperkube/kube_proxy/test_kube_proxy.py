"""kube-proxy's flags, the file that goes before them, and what it says of its health."""

from __future__ import annotations

import json
import pathlib
import types
from typing import Any

import pytest

from pybernetes.api import errors
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.apiserver import request as requests
from pybernetes.apiserver import results
from pybernetes.cluster.hyperkube import flags as flags_
from pybernetes.cluster.hyperkube.kube_proxy import flags, health
from pybernetes.kits import clock as clocks

HEAD = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n"


def test_the_file_goes_before_flags_but_for_the_name(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "proxy.yaml"
    path.write_text(
        f"{HEAD}hostnameOverride: a\nmode: nftables\nclusterCIDR: 10.1.0.0/16\n"
        "metricsBindAddress: 0.0.0.0:1\niptables: {}\n"
    )
    words = [f"--config={path}", "--hostname-override=b", "--cluster-cidr=10.2.0.0/16"]
    given, unheeded = flags.configured(flags_.parse(flags.TABLE, words))
    assert (given["hostname-override"], given["cluster-cidr"]) == ("b", "10.1.0.0/16")
    assert (flags.endpoint(given["metrics-bind-address"]), unheeded) == (("0.0.0.0", 1), ["iptables"])
    assert list(flags.problems(given)) == []
    path.write_text(f"{HEAD}fly: 1\n")
    with pytest.raises(flags_.FlagError, match='unknown field "fly"'):
        flags.configured(given)


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("--proxy-mode=iptables", "--proxy-mode: 'iptables' is not there, only nftables is"),
        ("--healthz-bind-address=here:1", "--healthz-bind-address: must be an IP address"),
        ("--metrics-bind-address=10.0.0.1", "--metrics-bind-address: must be a whole number"),
        ("--metrics-bind-address=[::]:70000", "--metrics-bind-address: the port must lie between 0 and 65535"),
        ("--cluster-cidr=x", "--cluster-cidr: 'x' does not appear to be an IPv4 or IPv6 network"),
    ],
)
def test_what_is_wrong_is_told(word: str, told: str) -> None:
    assert told in list(flags.problems(flags_.parse(flags.TABLE, [word])))


def test_addresses_and_ranges() -> None:
    assert flags.endpoint("") is None
    assert flags.endpoint("0.0.0.0:0") is None
    assert flags.endpoint("[::1]:80") == ("::1", 80)
    assert flags.own_range("fd00::/64, 10.0.0.0/8") == "10.0.0.0/8"


def node(*taints: str, leaving: str | None = None) -> core_v1.Node:
    return core_v1.Node(
        metadata=meta_v1.ObjectMeta(name="n", deletionTimestamp=leaving),
        spec=core_v1.NodeSpec(taints=[core_v1.Taint(key=key, effect="NoSchedule") for key in taints]),
    )


async def answer(path: str, *, updated: float, since: float | None, own: core_v1.Node | None) -> tuple[int, Any]:
    clock = clocks.VirtualClock()
    now = clock.time()
    running: Any = types.SimpleNamespace(
        updated=now - updated if updated else 0.0, waiting_since=None if since is None else now - since
    )
    checked = health.Health(lambda: running, lambda: own, clock)
    request = requests.Request(method="GET", path=path)
    found = await checked.answer(request)
    assert isinstance(found, results.Document)
    return found.code, json.loads(found.body)


async def test_rules_that_are_kept_are_healthy() -> None:
    code, said = await answer("/healthz", updated=300, since=None, own=node("other"))
    assert (code, said["nodeEligible"], said["currentTime"]) == (200, True, "2023-11-14T22:13:20Z")
    assert said["lastUpdated"] == "2023-11-14T22:08:20Z"
    assert (await answer("/healthz", updated=300, since=59, own=node()))[0] == 200
    assert (await answer("/healthz", updated=300, since=61, own=node()))[0] == 503
    assert (await answer("/livez", updated=0, since=1, own=node()))[0] == 503


@pytest.mark.parametrize("own", [None, node(health.LEAVING), node(leaving="2023-11-14T22:13:20Z")])
async def test_a_node_that_goes_takes_no_more(own: core_v1.Node | None) -> None:
    code, said = await answer("/healthz", updated=1, since=None, own=own)
    assert (code, said["nodeEligible"]) == (503, False)
    code, said = await answer("/livez", updated=1, since=None, own=own)
    assert code == 200
    assert "nodeEligible" not in said


async def test_other_paths_are_not_there() -> None:
    with pytest.raises(errors.StatusError):
        await answer("/metrics", updated=1, since=None, own=node())
