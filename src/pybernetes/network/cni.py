"""Pod networking by the reference CNI plugins: a bridge of our own, addresses from the node's pod range.

The plugins do the work when containerd asks them; this module writes what they read, masquerades what pods send to
the outside (in our own nft table, so that nothing mixes with the plugins' iptables), and takes everything away again.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import pathlib
import shutil

BRIDGE = "pyb0"
NETWORK = "pybernetes"
TABLE = "pybernetes_network"
CONFLIST = "10-pybernetes.conflist"
_PORT_MAPPING_CHAINS = ("CNI-HOSTPORT", "CNI-DN-", "CNI-SN-")
_BUILTIN_CHAINS = ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING")
ALLOCATIONS = pathlib.Path("/var/lib/cni/networks") / NETWORK


def conflist(pod_cidr: str, *, port_mappings: bool = True) -> str:
    """The network's configuration list.

    Hairpin mode lets a pod reach itself through its own Service. Masquerading is not the bridge plugin's
    business (`ipMasq`), because it needs iptables and would also hide pods from pods of other nodes.
    """
    bridge = {
        "type": "bridge",
        "bridge": BRIDGE,
        "isGateway": True,
        "isDefaultGateway": True,
        "hairpinMode": True,
        "ipam": {"type": "host-local", "ranges": [[{"subnet": pod_cidr}]]},
    }
    plugins: list[dict[str, object]] = [bridge]
    if port_mappings:
        plugins.append({"type": "portmap", "capabilities": {"portMappings": True}})
    return json.dumps({"cniVersion": "0.4.0", "name": NETWORK, "plugins": plugins}, indent=2) + "\n"


def masquerade_rules(pod_cidr: str, cluster_cidr: str) -> str:
    """nft input: traffic of this node's pods to anywhere but the cluster leaves with the node's address."""
    for given in (pod_cidr, cluster_cidr):
        ipaddress.IPv4Network(given)
    return f"""add table ip {TABLE}
delete table ip {TABLE}
table ip {TABLE} {{
  chain postrouting {{
    type nat hook postrouting priority 110; policy accept;
    ip saddr {pod_cidr} ip daddr != {{ {cluster_cidr}, 224.0.0.0/4 }} masquerade fully-random
  }}
}}
"""


async def setup(conf_dir: pathlib.Path, *, pod_cidr: str, cluster_cidr: str = "10.244.0.0/16") -> None:
    """Write the configuration, let packets be forwarded, install the masquerade."""
    await asyncio.to_thread(_write, conf_dir, conflist(pod_cidr, port_mappings=shutil.which("iptables") is not None))
    await _run("nft", "-f", "-", stdin=masquerade_rules(pod_cidr, cluster_cidr))


def _write(conf_dir: pathlib.Path, text: str) -> None:
    conf_dir.mkdir(parents=True, exist_ok=True)
    target = conf_dir / CONFLIST
    if not target.exists() or target.read_text() != text:
        fresh = target.with_suffix(".tmp")
        fresh.write_text(text)
        fresh.replace(target)
    for switch in ("net/ipv4/ip_forward", "net/ipv4/conf/all/forwarding"):
        pathlib.Path("/proc/sys", switch).write_text("1\n")


async def remove() -> None:
    """Take away the bridge, the nft table, the address book and the port-mapping chains. What is gone is gone."""
    await _run("nft", "delete", "table", "ip", TABLE, check=False)
    await asyncio.to_thread(_remove_links)
    await asyncio.to_thread(shutil.rmtree, ALLOCATIONS, ignore_errors=True)
    await _remove_port_mappings()


def _remove_links() -> None:
    import pyroute2

    with pyroute2.IPRoute() as netlink:
        for index in netlink.link_lookup(ifname=BRIDGE):
            for port in netlink.get_links(master=index):
                with contextlib.suppress(pyroute2.NetlinkError):
                    netlink.link("del", index=port["index"])
            with contextlib.suppress(pyroute2.NetlinkError):
                netlink.link("del", index=index)


async def _remove_port_mappings() -> None:
    """The portmap plugin leaves its base chains behind; tables that hold nothing else go with them."""
    if shutil.which("nft") is None:
        return
    for family in ("ip", "ip6"):
        listed = await _run("nft", "list", "table", family, "nat", check=False)
        empty = listed and "chain " not in listed
        if not empty and not any(name in listed for name in _PORT_MAPPING_CHAINS):
            continue
        await _run("nft", "-f", "-", stdin=_without_port_mappings(family, listed), check=False)


def _without_port_mappings(family: str, listed: str) -> str:
    """nft input that empties the plugin's chains, or deletes the whole table when nobody else uses it."""
    ours, foreign, chain = [], False, ""
    for line in map(str.strip, listed.splitlines()):
        if line.startswith("chain "):
            chain = line.split()[1]
            if chain.startswith(_PORT_MAPPING_CHAINS):
                ours.append(chain)
            else:
                foreign |= chain not in _BUILTIN_CHAINS
        elif chain in _BUILTIN_CHAINS and line not in ("", "}") and not line.startswith("type "):
            foreign |= not any(name in line for name in _PORT_MAPPING_CHAINS)
    if not foreign:
        return f"delete table {family} nat\n"
    return "".join(f"flush chain {family} nat {name}\n" for name in ours)


async def _run(*command: str, stdin: str = "", check: bool = True) -> str:
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except FileNotFoundError:
        if check:
            raise
        return ""
    out, err = await process.communicate(stdin.encode())
    if check and process.returncode != 0:
        raise OSError(f"{command[0]}: {err.decode(errors='replace').strip()}")
    return out.decode(errors="replace")
