"""Shares of rules into the kernel: one atomic `nft -f -` transaction per change, in a table of our own.

What the kernel has is remembered, so that a change costs what changed and session affinity survives it. After a
failure nothing is assumed any more and the table is written anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping

from pybernetes.proxy import planner

TABLE = "ip pybernetes"
MASQUERADE_BIT = 0x4000
_MAPS = (
    (planner.SERVICE_IPS, "ipv4_addr . inet_proto . inet_service"),
    (planner.SERVICE_NODEPORTS, "inet_proto . inet_service"),
    (planner.NO_ENDPOINT_SERVICES, "ipv4_addr . inet_proto . inet_service"),
    (planner.NO_ENDPOINT_NODEPORTS, "inet_proto . inet_service"),
    (planner.FIREWALL_IPS, "ipv4_addr . inet_proto . inet_service"),
)


class Failed(Exception):
    """nft refused the transaction; the message is its own."""


def base(service_cidr: str, node_ip: str) -> str:
    """The table without any Service. NodePorts answer on the node's address, on all local ones when it is empty."""
    maps = "".join(f"  map {name} {{ type {key} : verdict; }}\n" for name, key in _MAPS)
    node = f"ip daddr {node_ip}" if node_ip else "fib daddr type local ip daddr != 127.0.0.0/8"
    local = f"{node} meta l4proto . th dport vmap"
    # Last in the chain: a cluster address that is nobody's must not wander off to the default route.
    unused = f"    ct state new ip daddr {service_cidr} reject with icmp host-unreachable\n" if service_cidr else ""
    return f"""add table {TABLE}
delete table {TABLE}
table {TABLE} {{
{maps}  chain {planner.MARK} {{ meta mark set meta mark or {MASQUERADE_BIT:#x}; }}
  chain {planner.REJECT} {{ reject; }}
  chain services {{
    ip daddr . meta l4proto . th dport vmap @{planner.SERVICE_IPS}
    {local} @{planner.SERVICE_NODEPORTS}
  }}
  chain masquerading {{
    meta mark and {MASQUERADE_BIT:#x} == 0 return
    meta mark set meta mark xor {MASQUERADE_BIT:#x}
    masquerade fully-random
  }}
  chain no-endpoints {{
    ip daddr . meta l4proto . th dport vmap @{planner.NO_ENDPOINT_SERVICES}
    {local} @{planner.NO_ENDPOINT_NODEPORTS}
  }}
  chain unused-addresses {{
{unused}  }}
  chain firewall {{
    type filter hook prerouting priority dstnat - 10; policy accept;
    ip daddr . meta l4proto . th dport vmap @{planner.FIREWALL_IPS}
  }}
  chain firewall-output {{
    type filter hook output priority -110; policy accept;
    ip daddr . meta l4proto . th dport vmap @{planner.FIREWALL_IPS}
  }}
  chain nat-prerouting {{
    type nat hook prerouting priority dstnat; policy accept;
    jump services
  }}
  chain nat-output {{
    type nat hook output priority -100; policy accept;
    jump services
  }}
  chain nat-postrouting {{
    type nat hook postrouting priority srcnat; policy accept;
    jump masquerading
  }}
  chain filter-input {{
    type filter hook input priority -110; policy accept;
    ct state new jump no-endpoints
  }}
  chain filter-forward {{
    type filter hook forward priority -110; policy accept;
    ct state new jump no-endpoints
    jump unused-addresses
  }}
  chain filter-output {{
    type filter hook output priority -90; policy accept;
    ct state new jump no-endpoints
    jump unused-addresses
  }}
}}
"""


def changes(before: planner.Share, after: planner.Share) -> Iterator[str]:
    """nft commands from one share to the next, in an order in which nothing refers to what is not there."""
    for name, body in after.sets.items():
        if before.sets.get(name) != body:
            if name in before.sets:
                continue
            yield f"add set {TABLE} {name} {{ {body} }}"
    fresh = {name: rules for name, rules in after.chains.items() if before.chains.get(name) != rules}
    for name in fresh:
        yield f"add chain {TABLE} {name}"
    for name, rules in fresh.items():
        if name in before.chains:
            yield f"flush chain {TABLE} {name}"
        for rule in rules:
            yield f"add rule {TABLE} {name} {rule}"
    for (held_in, key), verdict in before.elements.items():
        if after.elements.get((held_in, key)) != verdict:
            yield f"delete element {TABLE} {held_in} {{ {key} }}"
    for (held_in, key), verdict in after.elements.items():
        if before.elements.get((held_in, key)) != verdict:
            yield f"add element {TABLE} {held_in} {{ {key} : {verdict} }}"
    gone = [name for name in before.chains if name not in after.chains]
    for name in gone:
        yield f"flush chain {TABLE} {name}"
    for name in gone:
        yield f"delete chain {TABLE} {name}"
    for name in before.sets:
        if name not in after.sets:
            yield f"delete set {TABLE} {name}"


def merged(shares: Iterable[planner.Share]) -> planner.Share:
    whole = planner.Share()
    for share in shares:
        whole.chains |= share.chains
        whole.elements |= share.elements
        whole.sets |= share.sets
        whole.udp |= share.udp
    return whole


class Table:
    """The table in the kernel."""

    def __init__(self, *, service_cidr: str = "", node_ip: str = "") -> None:
        self._service_cidr, self._node_ip = service_cidr, node_ip
        self._known: dict[str, planner.Share] | None = None

    async def apply(self, shares: Mapping[str, planner.Share]) -> None:
        """Make these Services' shares current; an empty share takes a Service away. Raises Failed.

        After a failure the next call must give all Services' shares (`complete` says so).
        """
        if self._known is None:
            text = (
                base(self._service_cidr, self._node_ip)
                + "\n".join(changes(planner.Share(), merged(shares.values())))
                + "\n"
            )
            await run_nft(text)
            self._known = dict(shares)
            return
        before = merged(self._known[key] for key in shares if key in self._known)
        commands = list(changes(before, merged(shares.values())))
        if commands:
            try:
                await run_nft("\n".join(commands) + "\n")
            except Failed:
                self._known = None
                raise
        for key, share in shares.items():
            if share.chains or share.elements:
                self._known[key] = share
            else:
                self._known.pop(key, None)

    @property
    def complete(self) -> bool:
        """Whether the kernel is known to have what was applied."""
        return self._known is not None

    def known(self, key: str) -> planner.Share:
        return (self._known or {}).get(key, planner.Share())

    async def remove(self) -> None:
        """Take the table away. Raises Failed."""
        await remove()
        self._known = None


async def remove() -> None:
    """Take away what any proxy of ours has left. Raises Failed."""
    await run_nft(f"add table {TABLE}\ndelete table {TABLE}\n")


async def run_nft(text: str) -> None:
    """Raises Failed."""
    process = await asyncio.create_subprocess_exec(
        "nft",
        "-f",
        "-",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, err = await process.communicate(text.encode())
    if process.returncode != 0:
        raise Failed(err.decode(errors="replace").strip())
