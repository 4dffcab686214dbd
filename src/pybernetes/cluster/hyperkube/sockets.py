"""Ports to listen on, and TLS for them."""

from __future__ import annotations

import functools
import socket
import ssl
from collections.abc import Callable

from pybernetes.apiserver.http import following, listener


def bound(bind: str, port: int) -> socket.socket:
    """Raises OSError that says where."""
    family = socket.AF_INET6 if ":" in bind else socket.AF_INET
    try:
        return socket.create_server((bind, port), family=family, backlog=1024, dualstack_ipv6=bind == "::")
    except OSError as error:
        raise OSError(f"failed to listen on {named(bind, port)}: {error.strerror}") from None


def named(host: str, port: int) -> str:
    """As it stands in a URL."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def tls(
    certificate: str, key: str, authorities: tuple[str, ...], *, changed: Callable[[], None] = lambda: None
) -> ssl.SSLContext:
    """A server's, by the files as they are from time to time; `changed` when they have. Raises ValueError that names
    them."""
    files = (certificate, key, *authorities)
    make = functools.partial(listener.server_context, certificate=certificate, key=key, client_ca=authorities)
    try:
        return following.context(make, files, changed=changed)
    except ssl.SSLError as error:
        raise ValueError(f"no TLS with {', '.join(files)}: {error.reason or error}") from None
