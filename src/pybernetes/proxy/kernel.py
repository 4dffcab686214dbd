"""Kernel switches that the rules depend on. Blocking, once at start."""

from __future__ import annotations

import contextlib
import pathlib
import subprocess

FORWARD = pathlib.Path("/proc/sys/net/ipv4/ip_forward")
BRIDGE_CALLS = pathlib.Path("/proc/sys/net/bridge/bridge-nf-call-iptables")


def prepare() -> bool:
    """Switch forwarding on; whether replies between pods of one bridge pass the rules, too.

    A pod's packet to a Service is routed and rewritten to another pod of the same bridge; the answer would go
    straight back over the bridge, unrewritten, unless br_netfilter shows it to us.
    """
    with contextlib.suppress(OSError):
        FORWARD.write_text("1\n")
    if not BRIDGE_CALLS.exists():
        with contextlib.suppress(OSError):
            subprocess.run(["modprobe", "br_netfilter"], check=False, capture_output=True)
    try:
        BRIDGE_CALLS.write_text("1\n")
    except OSError:
        return False
    return True
