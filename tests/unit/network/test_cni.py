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
