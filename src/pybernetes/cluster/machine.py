"""What this machine is called, and under which address others reach it."""

from __future__ import annotations

import socket


def node_name(override: str = "") -> str:
    """The host name, or what stands for it, as upstream's kubelet takes it: lower case."""
    return (override or socket.gethostname()).lower()


def address() -> str:
    """The address of the interface that the default route leaves by; loopback where there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Connecting a datagram socket sends nothing; it only makes the kernel choose a source address.
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        found: str = probe.getsockname()[0]
        return found
