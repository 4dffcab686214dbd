from __future__ import annotations

import json

import pytest

from pybernetes.network import cni


def test_the_network_is_a_bridge_with_hairpins() -> None:
    config = json.loads(cni.conflist("10.244.3.0/24"))
    bridge, portmap = config["plugins"]
    assert (bridge["bridge"], bridge["hairpinMode"], bridge.get("ipMasq")) == ("pyb0", True, None)
    assert bridge["ipam"]["ranges"] == [[{"subnet": "10.244.3.0/24"}]]
    assert portmap["capabilities"] == {"portMappings": True}
    assert len(json.loads(cni.conflist("10.244.3.0/24", port_mappings=False))["plugins"]) == 1


def test_only_what_leaves_the_cluster_is_masqueraded() -> None:
    rules = cni.masquerade_rules("10.244.3.0/24", "10.244.0.0/16")
    assert "ip saddr 10.244.3.0/24 ip daddr != { 10.244.0.0/16, 224.0.0.0/4 } masquerade" in rules
    with pytest.raises(ValueError, match="cidr; drop"):
        cni.masquerade_rules("cidr; drop", "10.244.0.0/16")


PORTMAP = """table ip nat {
    chain POSTROUTING {
        type nat hook postrouting priority srcnat; policy accept;
        counter packets 0 bytes 0 jump CNI-HOSTPORT-MASQ
    }
    chain CNI-HOSTPORT-MASQ {
        meta mark & 0x00002000 == 0x00002000 counter packets 0 bytes 0 masquerade
    }
%s}
"""


def test_port_mappings_go_with_their_table_unless_others_use_it() -> None:
    assert cni._without_port_mappings("ip", PORTMAP % "") == "delete table ip nat\n"
    docker = "\tchain DOCKER {\n\t}\n"
    assert cni._without_port_mappings("ip", PORTMAP % docker) == "flush chain ip nat CNI-HOSTPORT-MASQ\n"
    assert cni._without_port_mappings("ip6", "table ip6 nat {\n}\n") == "delete table ip6 nat\n"
