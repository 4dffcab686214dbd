"""UDP flows that the kernel still sends to endpoints that are gone.

TCP connections end by themselves; a UDP "connection" lasts as long as packets come, so it must be forgotten when
its endpoint goes, or when a Service that nobody answered gets its first endpoint.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

from pybernetes.proxy import planner

log = logging.getLogger(__name__)


def stale(before: planner.Share, after: planner.Share) -> Iterator[list[str]]:
    """Arguments of `conntrack` for every kind of flow to forget. Pure."""
    for (ip, port), old in before.udp.items():
        new = after.udp.get((ip, port), frozenset())
        where = ["--orig-dst", ip] if ip else []
        for endpoint in sorted(old - new):
            yield ["-D", *where, "--dst-nat", endpoint.ip, "-p", "udp", "--orig-port-dst", str(port)]
    for (ip, port), new in after.udp.items():
        if new and not before.udp.get((ip, port)):
            where = ["--orig-dst", ip] if ip else []
            yield ["-D", *where, "-p", "udp", "--orig-port-dst", str(port)]


async def forget(arguments: list[str]) -> None:
    """Run conntrack; that there is no such flow is no failure."""
    try:
        process = await asyncio.create_subprocess_exec(
            "conntrack", *arguments, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
        )
    except FileNotFoundError:
        log.warning("conntrack is not installed: UDP flows to removed endpoints linger")
        return
    _, err = await process.communicate()
    if process.returncode != 0 and b"0 flow entries" not in err:
        log.warning("conntrack %s: %s", " ".join(arguments), err.decode(errors="replace").strip())
